#pragma once

// Readers of the exported formats, written from what their tools accept and not from what rondo
// writes: they say what is wrong with a text, or nothing.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::testing {

/// An element of XML. Texts between elements are not kept: the formats have none.
struct Element {
  std::string name;
  std::map<std::string, std::string> attributes = {};
  std::vector<Element> children = {};

  int number(const std::string& attribute) const { return std::stoi(attributes.at(attribute)); }
};

/// The root, or an error: tags that do not close, attributes without quotes or twice.
struct Xml {
  Element root;
  std::string error;
};
Xml parse_xml(std::string_view text);

/// Compiles as txt2bin does and runs as LogGOPSim does, without times: labels are known before they
/// are required, each send has a recv of as many bytes, and all operations come to their end.
std::string wrong_in_goal(const std::string& text);

/// Runs the threadblocks of an allreduce, allgather, reduce_scatter, broadcast or reduce on sets of
/// contributions: each step in order and after what it depends on, sends and recvs of a channel
/// pairwise. The results are what the collective promises.
std::string wrong_in_msccl(const Element& algo);

}  // namespace rondo::testing
