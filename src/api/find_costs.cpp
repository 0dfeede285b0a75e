#include "api/find_costs.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <vector>

#include "api/cache_folder.hpp"
#include "api/measure_links.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "plan/default_costs.hpp"

namespace rondo {

namespace {

// Of each class; on a machine that is not busy half of it is enough. The rest is for fitting.
constexpr std::chrono::milliseconds budget_of_class(160);
// The pairs of so many ranks are looked through in milliseconds.
constexpr std::size_t most_candidates = 1024;

// What the measuring rank sends to all: an object without gaps of undefined bytes.
struct Finding {
  double latency_s = 0;
  double overhead_s = 0;
  double byte_s = 0;
  double overhead_byte_s = 0;
  std::uint64_t window_bytes = 0;
  double switch_s = 0;
  std::uint64_t found = 0;
};

// A broken text is worth a word, once: somebody may have edited it.
void warn_of(const std::string& name, const std::string& text) {
  static std::atomic<bool> warned = false;
  if (warned.exchange(true)) return;
  std::cerr << concat("rondo: ", cached_path(name), ": ", text, "; measuring again\n");
}

CostTable cached_costs(const std::string& name) {
  const std::optional<std::string> text = read_cached(name);
  if (!text) return {};
  Result<CostTable> table = parse_cost_table(*text);
  if (table) return std::move(table).value();
  warn_of(name, table.error().text());
  return {};
}

Result<std::unique_ptr<Transport>> part_of(Engine& engine, const std::vector<int>& members,
                                           std::uint64_t context) {
  return engine.exclusively(
      [&](Transport& whole) { return whole.split(members, splitmix(context)); });
}

// What rank 0 knows.
struct Shared {
  CostTable table;
  bool given = false;  // by somebody
  bool may_spin = false;
};

// It travels as text: numbers come back from that bit by bit.
Result<Shared> share(Exchange& exchange, const Shared& own) {
  std::string text = to_text(own.table);
  std::array<std::uint64_t, 3> head = {text.size(), own.given, own.may_spin};
  Result<> told = exchange.broadcast(std::as_writable_bytes(std::span(head)), 0);
  if (!told) return told.error();
  text.resize(head[0]);
  told = exchange.broadcast(std::as_writable_bytes(std::span(text)), 0);
  if (!told) return told.error();
  Result<CostTable> table = parse_cost_table(text);
  if (!table) return table.error();
  return Shared{std::move(table).value(), head[1] != 0, head[2] != 0};
}

// Ranks in which all classes are met: the first ones, and one of each of many hosts.
std::vector<int> candidates(const Topology& topology) {
  std::vector<int> ranks;
  std::vector<bool> host_seen(topology.hosts.size(), false);
  const std::size_t stride = topology.hosts.size() / most_candidates + 1;
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    const auto host = static_cast<std::size_t>(topology.ranks[i].host);
    const bool first_of_host = !host_seen[host];
    host_seen[host] = true;
    if (i < most_candidates || (first_of_host && host % stride == 0)) {
      ranks.push_back(static_cast<int>(i));
    }
  }
  return ranks;
}

// The costs of one rank, by rank 0.
Result<CostTable> rank_costs(Engine& engine, std::uint64_t context) {
  Result<std::unique_ptr<Transport>> alone = part_of(engine, {0}, context);
  if (!alone) return alone.error();
  return measure_rank(std::move(alone).value(), engine.may_spin());
}

struct Measurer {
  Exchange& exchange;
  Engine& engine;
  const Topology& topology;
  std::uint64_t context;
  bool may_spin;

  // The costs of one class, which the pair measures and then all know. Where the pair could not
  // measure, nothing; a rank that was lost ends the broadcast for all.
  Result<std::optional<FittedCosts>> link_cost(const Representative& pair,
                                               const CostTable& table) const {
    Finding finding;
    if (exchange.rank() == pair.first || exchange.rank() == pair.second) {
      const Result<FittedCosts> measured = measure(pair, table);
      if (measured) {
        const LinkCost& link = measured.value().link;
        finding = {link.latency_s,
                   link.overhead_s,
                   link.byte_s,
                   link.overhead_byte_s,
                   link.window_bytes,
                   measured.value().switch_s,
                   1};
      }
    }
    const Result<> told =
        exchange.broadcast(std::as_writable_bytes(std::span(&finding, 1)), pair.first);
    if (!told) return told.error();
    if (finding.found == 0) return std::optional<FittedCosts>();
    return std::optional(FittedCosts{{finding.latency_s, finding.overhead_s, finding.byte_s,
                                      finding.overhead_byte_s, finding.window_bytes},
                                     finding.switch_s});
  }

 private:
  Result<FittedCosts> measure(const Representative& pair, const CostTable& table) const {
    const std::vector<int> members = {pair.first, pair.second};
    const auto number = static_cast<std::uint64_t>(pair.path) + 1;
    Result<std::unique_ptr<Transport>> between = part_of(engine, members, context + number);
    if (!between) return between.error();
    return measure_link(std::move(between).value(), may_spin, subset(topology, members), table,
                        budget_of_class);
  }
};

}  // namespace

std::vector<Representative> representatives(const Topology& topology) {
  CostTable any;
  any.links.back() = LinkCost{};
  const Result<CostModel> model = make_cost_model(topology, any);
  std::vector<std::optional<Representative>> found(path_class_count);
  std::vector<int> slowness(path_class_count, 0);  // of those found
  if (model) {
    const std::vector<int> ranks = candidates(topology);
    for (auto first = ranks.begin(); first != ranks.end(); ++first) {
      for (auto second = first + 1; second != ranks.end(); ++second) {
        // The costs of a class are those between the fastest NICs.
        const int link = model.value().class_of(*first, *second);
        const auto path = static_cast<std::size_t>(link % path_class_count);
        if (found[path] && slowness[path] <= link / path_class_count) continue;
        slowness[path] = link / path_class_count;
        found[path] = {static_cast<PathClass>(path), *first, *second};
      }
    }
  }
  std::vector<Representative> all;
  for (const auto& one : found) {
    if (one) all.push_back(*one);
  }
  return all;
}

std::string costs_name(const Topology& topology, std::string_view transport, bool may_spin) {
  const auto host = static_cast<std::size_t>(topology.ranks.at(0).host);
  const auto machine = static_cast<std::size_t>(topology.hosts.at(host).machine);
  std::ostringstream name;
  name << "costs-" << std::hex << std::setfill('0') << std::setw(16)
       << hash(topology.machines.at(machine)) << "-" << transport << (may_spin ? "" : "-shared");
  return name.str();
}

Result<CostTable> find_costs(Exchange& exchange, Engine& engine, const Topology& topology,
                             const std::optional<CostTable>& given, std::uint64_t context) {
  const bool keeps = exchange.rank() == 0 && !given;
  const std::string name = costs_name(topology, engine.transport().name(), engine.may_spin());
  CostTable own = given ? *given : keeps ? cached_costs(name) : CostTable{};
  if (keeps && !has_links(own)) {
    Result<CostTable> measured = rank_costs(engine, context);
    if (measured) own = std::move(measured).value();
  }
  Result<Shared> shared = share(exchange, {own, given.has_value(), engine.may_spin()});
  if (!shared) return shared.error();
  CostTable table = shared.value().table;
  if (shared.value().given) return table;
  std::vector<Representative> missing = representatives(topology);
  std::erase_if(missing, [&](const Representative& one) {
    return table.links[static_cast<std::size_t>(one.path)].has_value();
  });
  const Measurer measurer{exchange, engine, topology, context, shared.value().may_spin};
  for (const Representative& pair : missing) {
    const auto cost = measurer.link_cost(pair, table);
    if (!cost) return cost.error();
    if (!cost.value()) continue;
    table.links[static_cast<std::size_t>(pair.path)] = cost.value()->link;
    table.switch_s = cost.value()->switch_s;
  }
  if (keeps && !missing.empty() && has_links(table)) write_cached(name, to_text(table));
  return table;
}

}  // namespace rondo
