// What Linux tells without hwloc: processors, and on some architectures their packages and cores.

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <tuple>

#include "topology/discover.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

struct Processor {
  int pu = unknown;
  int package = unknown;
  int core = unknown;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const std::size_t end = text.find_last_not_of(" \t\r");
  return end == text.npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

int number_in(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : unknown;
}

std::vector<Processor> processors_in(std::string_view text) {
  std::vector<Processor> processors;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view key = trimmed(line.substr(0, colon));
    const int value = number_in(trimmed(line.substr(std::min(colon + 1, line.size()))));
    if (key == "processor" && value != unknown && value <= max_pu) processors.push_back({value});
    if (key == "physical id" && !processors.empty()) processors.back().package = value;
    if (key == "core id" && !processors.empty()) processors.back().core = value;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return processors;
}

}  // namespace

Machine machine_of_cpuinfo(std::string_view text, std::vector<int> pus) {
  std::vector<Processor> processors = processors_in(text);
  if (processors.empty()) {
    for (const int pu : pus) processors.push_back({pu});
  }
  Machine machine;
  machine.cores_known =
      std::all_of(processors.begin(), processors.end(), [](const Processor& processor) {
        return processor.package != unknown && processor.core != unknown;
      });
  std::map<int, int> packages;
  for (const Processor& processor : processors) packages.try_emplace(processor.package, 0);
  int next = 0;
  for (auto& [id, number] : packages) number = id == unknown ? unknown : next++;
  std::map<std::tuple<int, int>, std::vector<int>> cores;  // without known cores, one for each PU
  for (const Processor& processor : processors) {
    const int core = machine.cores_known ? processor.core : processor.pu;
    cores[{packages.at(processor.package), core}].push_back(processor.pu);
  }
  for (auto& [place, members] : cores) {
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    Core core;
    core.package = std::get<0>(place);
    core.pus = std::move(members);
    machine.cores.push_back(std::move(core));
  }
  return machine;
}

}  // namespace rondo
