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
#include "check/cost_model.hpp"
#include "plan/default_costs.hpp"
#include "plan/fit.hpp"
#include "plan/port_rates.hpp"

namespace rondo {

namespace {

// Of each class; on a machine that is not busy half of it is enough. The rest is for fitting.
constexpr std::chrono::milliseconds budget_of_class(160);
// Each host has a fast partner at last, and more than one chance. Together 200 ms.
constexpr int port_rounds = 3;
constexpr std::chrono::milliseconds budget_of_ports(60);  // of a round
// The pairs of so many ranks are looked through in milliseconds.
constexpr std::size_t most_candidates = 1024;

// What the measuring rank sends to all: an object without gaps of undefined bytes.
struct Finding {
  double latency_s = 0;
  double overhead_s = 0;
  double byte_s = 0;
  double overhead_byte_s = 0;
  std::uint64_t window_bytes = 0;
  std::uint64_t published_bytes = 0;
  double switch_s = 0;
  std::uint64_t found = 0;
  std::uint64_t why_not = 0;  // an ErrorCode
};

// What a pair found out.
struct Found {
  std::optional<FittedCosts> costs;
  ErrorCode why_not = ErrorCode::internal;
};

// A broken text is worth a word, once: somebody may have edited it.
void warn_of(const std::string& name, const std::string& text) {
  static std::atomic<bool> warned = false;
  if (warned.exchange(true)) return;
  std::cerr << concat("rondo: ", cached_path(name), ": ", text,
                      "; not used, and replaced by the next world that measures\n");
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

// Which rank measures a host's port: the first one there, by host.
std::vector<int> first_ranks(const Topology& topology) {
  std::vector<int> first(topology.hosts.size(), -1);
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    int& rank = first[static_cast<std::size_t>(topology.ranks[i].host)];
    if (rank < 0) rank = static_cast<int>(i);
  }
  return first;
}

bool knows_all_ports(const CostTable& table, const Topology& topology) {
  return std::all_of(topology.hosts.begin(), topology.hosts.end(), [&](const Host& host) {
    return std::any_of(table.ports.begin(), table.ports.end(),
                       [&](const PortCost& port) { return port.host == host.id; });
  });
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
  // measure, why; a rank that was lost ends the broadcast for all.
  Result<Found> link_cost(const Representative& pair, const CostTable& table) const {
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
                   link.published_bytes,
                   measured.value().switch_s,
                   1,
                   0};
      } else {
        finding.why_not = static_cast<std::uint64_t>(measured.error().code());
      }
    }
    const Result<> told =
        exchange.broadcast(std::as_writable_bytes(std::span(&finding, 1)), pair.first);
    if (!told) return told.error();
    if (finding.found == 0) return Found{{}, static_cast<ErrorCode>(finding.why_not)};
    return Found{
        FittedCosts{{finding.latency_s, finding.overhead_s, finding.byte_s, finding.overhead_byte_s,
                     finding.window_bytes, finding.published_bytes},
                    finding.switch_s},
        {}};
  }

  // Of all hosts whose ports could be measured. All pairs of a round measure at the same time, then
  // everybody hears of all.
  Result<std::vector<PortCost>> port_costs() const {
    const std::vector<int> first = first_ranks(topology);
    PortRates rates(static_cast<int>(topology.hosts.size()));
    for (int round = 0; round < port_rounds; ++round) {
      const std::vector<PortRates::Pair> pairs = rates.pairs(round);
      double own = 0;
      for (const PortRates::Pair& pair : pairs) {
        const std::vector<int> members = {first[static_cast<std::size_t>(pair.first)],
                                          first[static_cast<std::size_t>(pair.second)]};
        if (std::find(members.begin(), members.end(), exchange.rank()) == members.end()) continue;
        own = exchange_between(members, static_cast<std::uint64_t>(round));
      }
      std::vector<double> all(static_cast<std::size_t>(exchange.size()));
      const Result<> told = exchange.allgather(std::as_bytes(std::span(&own, 1)),
                                               std::as_writable_bytes(std::span(all)));
      if (!told) return told.error();
      for (const PortRates::Pair& pair : pairs) {
        const auto leader = static_cast<std::size_t>(first[static_cast<std::size_t>(pair.first)]);
        if (all[leader] > 0) rates.note(pair, all[leader]);
      }
    }
    std::vector<PortCost> ports;
    const std::vector<std::optional<double>> byte_s = rates.byte_s();
    for (std::size_t host = 0; host < byte_s.size(); ++host) {
      const std::string& id = topology.hosts[host].id;
      if (byte_s[host] && !id.empty()) ports.push_back({id, rounded_rate(*byte_s[host])});
    }
    return ports;
  }

 private:
  // 0 where it could not be measured, and on the second rank.
  double exchange_between(const std::vector<int>& members, std::uint64_t round) const {
    // No other pair of a world has these two numbers.
    const std::uint64_t number = path_class_count + 1 + round * topology.ranks.size() +
                                 static_cast<std::uint64_t>(members[0]);
    Result<std::unique_ptr<Transport>> between = part_of(engine, members, context + number);
    if (!between) return 0;
    const Result<double> byte_s =
        measure_ports(std::move(between).value(), engine.may_spin(), budget_of_ports);
    return byte_s ? byte_s.value() : 0;
  }

  Result<FittedCosts> measure(const Representative& pair, const CostTable& table) const {
    const std::vector<int> members = {pair.first, pair.second};
    const auto number = static_cast<std::uint64_t>(pair.path) + 1;
    Result<std::unique_ptr<Transport>> between = part_of(engine, members, context + number);
    if (!between) return between.error();
    const bool is_memory = between.value()->name() == "shm";
    Result<FittedCosts> costs = measure_link(std::move(between).value(), may_spin,
                                             subset(topology, members), table, budget_of_class);
    if (costs && is_memory) costs.value().link.published_bytes = shared_publication_bytes;
    return costs;
  }
};

}  // namespace

std::vector<Representative> representatives(const Topology& topology,
                                            std::span<const PortCost> ports) {
  CostTable any;
  any.links.back() = LinkCost{};
  any.ports.assign(ports.begin(), ports.end());
  const Result<CostModel> model = make_cost_model(topology, any);
  std::vector<std::optional<Representative>> found(path_class_count);
  std::vector<double> slowness(path_class_count, 0);  // of those found
  if (model) {
    const std::vector<int> ranks = candidates(topology);
    for (auto first = ranks.begin(); first != ranks.end(); ++first) {
      for (auto second = first + 1; second != ranks.end(); ++second) {
        // The costs of a class are those between the fastest ports.
        const auto path = static_cast<std::size_t>(model.value().class_of(*first, *second));
        if (found[path] && slowness[path] == 0) continue;
        const double slow = byte_s_between(model.value(), *first, *second);
        if (found[path] && slowness[path] <= slow) continue;
        slowness[path] = slow;
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

std::string describe(const Unmeasured& one, const CostTable& table) {
  const auto& [path, first, second] = one.pair;
  const PathClass known = known_class(table, path);
  return concat(
      "what paths of class ", name(path), " cost could not be measured, between ranks ", first,
      " and ", second, ": ", name(one.why_not), "; ",
      known == path ? std::string("plain defaults") : concat("those of class ", name(known)),
      " are used instead. The next world tries again; RONDO_COSTS=FILE says it, in the "
      "format of 'rondo topo --costs'");
}

CostTable cached_costs(const std::string& name) {
  const std::optional<std::string> text = read_cached(name);
  if (!text) return {};
  Result<CostTable> table = parse_cost_table(*text);
  if (table) return std::move(table).value();
  warn_of(name, table.error().text());
  return {};
}

std::string origin_of(const CostTable& costs, const std::string& given, const std::string& name) {
  if (!given.empty()) return concat("from ", given);
  if (!has_links(costs)) return "plain defaults, nothing was measured here";
  if (cached_costs(name) != costs) return "measured among the ranks of this world";
  return concat("measured, kept in ", cached_path(name), " since ", cached_since(name));
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
  const Measurer measurer{exchange, engine, topology, context, shared.value().may_spin};
  const bool finds_ports = topology.hosts.size() > 1 && !knows_all_ports(table, topology);
  if (finds_ports) {
    Result<std::vector<PortCost>> ports = measurer.port_costs();
    if (!ports) return ports.error();
    table.ports = std::move(ports).value();
  }
  std::vector<Representative> missing = representatives(topology, table.ports);
  std::erase_if(missing, [&](const Representative& one) {
    return table.links[static_cast<std::size_t>(one.path)].has_value();
  });
  std::vector<Unmeasured> unmeasured;
  for (const Representative& pair : missing) {
    const Result<Found> found = measurer.link_cost(pair, table);
    if (!found) return found.error();
    const auto& [costs, why_not] = found.value();
    if (!costs) unmeasured.push_back({pair, why_not});
    if (!costs) continue;
    table.links[static_cast<std::size_t>(pair.path)] = costs->link;
    table.switch_s = costs->switch_s;
  }
  for (const Unmeasured& one : unmeasured) {
    if (exchange.rank() == 0) std::cerr << concat("rondo: ", describe(one, table), "\n");
  }
  const bool is_new = finds_ports || !missing.empty();
  // What is kept is for worlds in which the transport is what its name says.
  const bool is_telling = !engine.transport().has_fallen_back();
  if (keeps && is_new && is_telling && has_links(table)) write_cached(name, to_text(table));
  return table;
}

}  // namespace rondo
