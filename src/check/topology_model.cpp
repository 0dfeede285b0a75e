// The cost model of a world whose topology is known.

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <tuple>

#include "base/text.hpp"
#include "check/cost_model.hpp"
#include "check/nic_ports.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

namespace {

constexpr int undefined = -1;
// Ranks of this many different places on one kind of machine have their classes in a table. Beyond,
// they are looked up each time.
constexpr std::size_t most_tabled_kinds = 512;

// The classes of the paths between the ranks of a world, quickly.
class Classes {
 public:
  explicit Classes(const Topology& topology) : topology_(topology) {
    std::map<std::tuple<int, std::vector<int>, int>, int> known;
    for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
      const Rank& rank = topology.ranks[i];
      const int machine = topology.hosts[static_cast<std::size_t>(rank.host)].machine;
      const auto next = static_cast<int>(known.size());
      const auto [kind, is_new] = known.try_emplace({machine, rank.pus, rank.gpu}, next);
      kind_of_.push_back(kind->second);
    }
    kinds_ = known.size();
    if (kinds_ <= most_tabled_kinds) fill_table();
  }

  PathClass between(int from, int to) const {
    const Rank& a = topology_.ranks[static_cast<std::size_t>(from)];
    const Rank& b = topology_.ranks[static_cast<std::size_t>(to)];
    if (from == to) return PathClass::self;
    if (a.host != b.host || table_.empty()) return path_class(topology_, from, to);
    return static_cast<PathClass>(table_[place(kind(from), kind(to))]);
  }
  /// Ranks of one kind live at the same place of equal machines.
  int kind(int rank) const { return kind_of_[static_cast<std::size_t>(rank)]; }

 private:
  std::size_t place(int from, int to) const {
    return static_cast<std::size_t>(from) * kinds_ + static_cast<std::size_t>(to);
  }

  // By pairs of ranks of one host, each pair of kinds once.
  void fill_table() {
    std::vector<std::vector<int>> ranks_of(topology_.hosts.size());
    for (std::size_t i = 0; i < topology_.ranks.size(); ++i) {
      std::vector<int>& ranks = ranks_of[static_cast<std::size_t>(topology_.ranks[i].host)];
      // Two of a kind tell all that more of them could.
      const auto alike = std::count_if(ranks.begin(), ranks.end(),
                                       [&](int other) { return kind(other) == kind_of_[i]; });
      if (alike < 2) ranks.push_back(static_cast<int>(i));
    }
    table_.assign(kinds_ * kinds_, not_met);
    for (const std::vector<int>& ranks : ranks_of) {
      for (const int from : ranks) {
        for (const int to : ranks) {
          std::uint8_t& entry = table_[place(kind(from), kind(to))];
          if (from == to || entry != not_met) continue;
          entry = static_cast<std::uint8_t>(path_class(topology_, from, to));
        }
      }
    }
  }

  static constexpr std::uint8_t not_met = std::numeric_limits<std::uint8_t>::max();

  const Topology& topology_;
  std::vector<int> kind_of_;
  std::size_t kinds_ = 0;
  std::vector<std::uint8_t> table_;
};

// The cores a rank may run on; all where that is unknown.
std::vector<int> cores_of(const Machine& machine, const Rank& rank) {
  std::vector<int> cores;
  for (std::size_t i = 0; i < machine.cores.size(); ++i) {
    const std::vector<int>& pus = machine.cores[i].pus;
    const bool allowed = std::any_of(pus.begin(), pus.end(), [&](int pu) {
      return std::binary_search(rank.pus.begin(), rank.pus.end(), pu);
    });
    if (allowed || rank.pus.empty()) cores.push_back(static_cast<int>(i));
  }
  return cores;
}

// Gives the ranks of one host their processors. Ranks that may run on the same cores have one each
// as long as these suffice for them and for the ranks that are bound to some of these cores. Else
// they are dealt out to the cores in turn, which is what a fair system comes to.
void place_on_host(const Topology& topology, std::size_t host, const std::vector<int>& ranks,
                   int& next, std::vector<int>& processor_of) {
  std::map<std::vector<int>, std::vector<int>> cores_at;  // by the PUs of ranks
  for (const int rank : ranks) {
    const Rank& one = topology.ranks[static_cast<std::size_t>(rank)];
    auto [entry, is_new] = cores_at.try_emplace(one.pus);
    if (is_new) entry->second = cores_of(machine_of(topology, host), one);
  }
  std::map<std::vector<int>, std::vector<int>> ranks_at;  // by their cores
  const auto cores = [&](int rank) -> const std::vector<int>& {
    return cores_at.at(topology.ranks[static_cast<std::size_t>(rank)].pus);
  };
  for (const int rank : ranks) ranks_at[cores(rank)].push_back(rank);
  std::map<int, int> processor_at;  // by core
  const auto at_core = [&](int core) {
    const auto [entry, is_new] = processor_at.try_emplace(core, next);
    if (is_new) ++next;
    return entry->second;
  };
  for (const int rank : ranks) {
    const std::vector<int>& own = cores(rank);
    std::size_t load = 0;  // ranks that have no other cores than these
    std::size_t turn = 0;  // those of them before this one
    for (const auto& [theirs, members] : ranks_at) {
      if (!std::includes(own.begin(), own.end(), theirs.begin(), theirs.end())) continue;
      load += members.size();
      turn += static_cast<std::size_t>(std::lower_bound(members.begin(), members.end(), rank) -
                                       members.begin());
    }
    const bool shared = !own.empty() && (own.size() == 1 || load > own.size());
    processor_of[static_cast<std::size_t>(rank)] =
        shared ? at_core(own[turn % own.size()]) : next++;
  }
}

std::vector<int> place_processors(const Topology& topology) {
  std::vector<int> processor_of(topology.ranks.size(), undefined);
  const std::vector<std::vector<int>> ranks = ranks_by_host(topology);
  int next = 0;
  for (std::size_t host = 0; host < ranks.size(); ++host) {
    place_on_host(topology, host, ranks[host], next, processor_of);
  }
  return processor_of;
}

// What is compared of a rank to find out whether the world repeats itself.
struct Likeness {
  int kind = 0;
  double port_byte_s = 0;
  std::vector<int> firsts;  // lowest ranks that share host, rack, port, processor with it

  bool is_built_like(const Likeness& other) const {
    return kind == other.kind && port_byte_s == other.port_byte_s;
  }
};

std::vector<Likeness> likenesses(const Topology& topology, const Classes& classes,
                                 const NicPorts& ports, const std::vector<int>& processor_of) {
  std::map<std::vector<int>, int> racks;
  std::vector<std::map<int, int>> first(4);
  std::vector<Likeness> all;
  for (int rank = 0; rank < static_cast<int>(topology.ranks.size()); ++rank) {
    const auto index = static_cast<std::size_t>(rank);
    const int host = topology.ranks[index].host;
    const std::vector<int>& groups = topology.hosts[static_cast<std::size_t>(host)].groups;
    // A host outside any group is a rack of its own.
    const int rack = groups.empty()
                         ? -1 - host
                         : racks.try_emplace(groups, static_cast<int>(racks.size())).first->second;
    const int port = ports.of_rank[index];
    Likeness likeness{classes.kind(rank), ports.byte_s[static_cast<std::size_t>(port)], {}};
    const std::vector<int> shared = {host, rack, port, processor_of[index]};
    for (std::size_t i = 0; i < shared.size(); ++i) {
      likeness.firsts.push_back(first[i].try_emplace(shared[i], rank).first->second);
    }
    all.push_back(std::move(likeness));
  }
  return all;
}

// Blocks of `period` ranks that share nothing with other blocks, and are built alike: between two
// of them lies the network, whichever they are.
bool repeats(const std::vector<Likeness>& ranks, int period) {
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const int block = static_cast<int>(i) / period * period;
    const Likeness& original = ranks[i % static_cast<std::size_t>(period)];
    if (!ranks[i].is_built_like(original)) return false;
    for (std::size_t part = 0; part < original.firsts.size(); ++part) {
      if (ranks[i].firsts[part] - block != original.firsts[part]) return false;
    }
  }
  return true;
}

// Ranks of one host that are alike and share nothing but the host.
bool all_alike(const Topology& topology, const std::vector<Likeness>& ranks) {
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const bool own_processor = ranks[i].firsts.back() == static_cast<int>(i);
    if (topology.ranks[i].host != topology.ranks[0].host || ranks[i].kind != ranks[0].kind ||
        !own_processor) {
      return false;
    }
  }
  return true;
}

int period_of(const Topology& topology, const std::vector<Likeness>& likenesses) {
  const auto ranks = static_cast<int>(likenesses.size());
  if (all_alike(topology, likenesses)) return 1;
  for (int period = 1; period < ranks; ++period) {
    if (ranks % period == 0 && repeats(likenesses, period)) return period;
  }
  return 0;
}

Result<> check(const Topology& topology, const CostTable& costs) {
  const auto refuse = [](std::string text) {
    return Error(ErrorCode::invalid_argument, std::move(text));
  };
  if (topology.ranks.empty()) return refuse("a topology without ranks is no world to simulate");
  bool any = false;
  for (std::size_t i = 0; i < costs.links.size(); ++i) {
    if (!costs.links[i]) continue;
    any = true;
    if (makes_sense(*costs.links[i])) continue;
    return refuse(concat("the costs of paths of class ", name(static_cast<PathClass>(i)),
                         " make no sense: each is from 0 to ", most_cost_seconds,
                         " s, and of a byte to ", most_byte_seconds, " s"));
  }
  if (!any) return refuse("a table of costs needs those of one class of paths at least");
  if (!make_sense({costs.start_s, costs.switch_s}) ||
      !are_rates({costs.reduce_byte_s, costs.copy_byte_s})) {
    return refuse(concat("the costs of a rank make no sense: each is from 0 to ", most_cost_seconds,
                         " s, and of a byte to ", most_byte_seconds, " s"));
  }
  for (const PortCost& port : costs.ports) {
    if (are_rates({port.byte_s})) continue;
    return refuse(concat("the cost of a port of host ", port.host,
                         " makes no sense: a byte takes from 0 to ", most_byte_seconds, " s"));
  }
  return {};
}

}  // namespace

Result<CostModel> make_cost_model(const Topology& topology, const CostTable& costs) {
  if (Result<> checked = check(topology, costs); !checked) return checked.error();
  const auto world = std::make_shared<const Topology>(topology);
  const auto classes = std::make_shared<const Classes>(*world);
  std::vector<int> processors = place_processors(*world);
  CostModel model;
  model.ranks = static_cast<int>(world->ranks.size());
  model.links = complete_links(costs);
  NicPorts ports = place_nics(*world, costs.ports, fastest_between_hosts(model.links));
  model.port_byte_s = ports.byte_s;
  model.start_s = costs.start_s;
  model.reduce_byte_s = costs.reduce_byte_s;
  model.copy_byte_s = costs.copy_byte_s;
  model.switch_s = costs.switch_s;
  model.period = period_of(*world, likenesses(*world, *classes, ports, processors));
  model.class_of = [world, classes](int from, int to) {
    return static_cast<int>(classes->between(from, to));
  };
  // Those of NICs, then one for each rank and class of paths inside hosts.
  model.port_of = [nics = std::move(ports.of_rank), first = static_cast<int>(ports.byte_s.size()),
                   ranks = model.ranks](int rank, int link_class) {
    const bool leaves_host = is_between_hosts(static_cast<PathClass>(link_class));
    return leaves_host ? nics[static_cast<std::size_t>(rank)] : first + link_class * ranks + rank;
  };
  model.processor_of = [processors = std::move(processors)](int rank) {
    return processors[static_cast<std::size_t>(rank)];
  };
  return model;
}

}  // namespace rondo
