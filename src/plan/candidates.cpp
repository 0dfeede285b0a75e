#include "plan/candidates.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "base/text.hpp"
#include "base/units.hpp"
#include "check/cost_model.hpp"
#include "check/theory.hpp"
#include "plan/arrange.hpp"
#include "schedule/generators.hpp"
#include "schedule/window.hpp"

namespace rondo {

namespace {

constexpr std::uint64_t any_size = std::numeric_limits<std::uint64_t>::max();
constexpr int any_ranks = max_ranks;
// Up to this many ranks each other one is little work, whatever the size.
constexpr int few_ranks = 4;
// Up to this many, sizes have the limits of `habits`.
constexpr int usual_ranks = 64;
// A tile is reduced while the next one is on its way, and stays in the cache meanwhile. Larger ones
// gain nothing, smaller ones cost messages.
constexpr std::array<std::size_t, 3> tiles = {64 << 10, 256 << 10, 1 << 20};
// Inside a host long vectors go through their steps window after window: what one step makes or
// reads the next one finds in the cache. Plans without windows take it from memory again.
constexpr std::size_t cached_tile = 128 << 10;
// Of a segment. Many more small tiles than these are never better than fewer large ones.
constexpr std::uint64_t most_tiles = 128;
// In pieces below this, channels cost more than they gain: where they only keep a processor busy
// while another part is on the wire, and where each has a NIC of its own.
constexpr std::uint64_t least_channel_bytes = 256 << 10;
constexpr std::uint64_t least_stripe_bytes = 64 << 10;

// When an algorithm can be the fastest.
struct Habit {
  Algorithm algorithm;
  std::uint64_t most_bytes = any_size;  // beyond few_ranks
  int most_ranks = any_ranks;
  std::uint64_t least_bytes = 0;
};

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

// The simplest first: of equally fast ones the first is taken. Sizes leave out what moves the whole
// vector in every round where it is long, and what cuts it into p pieces where it is short.
constexpr std::array habits = {
    Habit{Algorithm::recursive_doubling, 4 * mib},
    Habit{Algorithm::one_shot, 256 * kib, 64},
    Habit{Algorithm::knomial, 4 * mib},
    Habit{Algorithm::two_shot, 16 * mib, 64},
    Habit{Algorithm::bruck, 256 * kib},
    Habit{Algorithm::pairwise},
    Habit{Algorithm::circulant},
    Habit{Algorithm::halving_doubling},
    Habit{Algorithm::scatter_allgather, any_size, any_ranks, 4 * kib},
    Habit{Algorithm::double_tree},
    Habit{Algorithm::chain},
    Habit{Algorithm::ring},
    Habit{Algorithm::two_level},
    Habit{Algorithm::chain_tree},
};

// Two ranks that sum up give each other as many bytes whether they cut the vector or not, and one
// round less is worth more than the halved sum: measured in bench/README.md.
constexpr std::uint64_t least_bytes_to_halve = 32 * kib;

constexpr std::array radixes = {2, 4, 8};
// Between the rates of links. Smaller differences may be those of measuring.
constexpr double worth_weighing = 1.1;

bool sums_up_whole(Algorithm algorithm) {
  return algorithm == Algorithm::recursive_doubling || algorithm == Algorithm::one_shot ||
         algorithm == Algorithm::knomial;
}

bool makes_sense(const Habit& habit, Collective collective, const Site& site, std::uint64_t bytes) {
  const int ranks = site.ranks;
  if (site.is_of_devices) return ranks <= habit.most_ranks;
  if (ranks == 2 && collective == Collective::allreduce && bytes < least_bytes_to_halve) {
    return sums_up_whole(habit.algorithm);
  }
  if (ranks <= few_ranks) return true;
  // Everything goes through the root, whoever passes it on.
  if (collective == Collective::gather || collective == Collective::scatter) return true;
  // The more ranks, the more rounds the others take.
  const auto times = static_cast<std::uint64_t>(std::max(ranks / usual_ranks, 1));
  return bytes / times <= habit.most_bytes && bytes >= habit.least_bytes &&
         ranks <= habit.most_ranks;
}

// Those that make a difference, if none is asked for.
std::vector<Order> orders(const Site& site, Collective collective, Algorithm algorithm,
                          const Pins& pins) {
  const Arranged kind = arranged(algorithm, collective);
  const bool grouped = has_groups(algorithm);
  // Blocks are equally long whatever the links.
  const bool weights_go = algorithm == Algorithm::ring && collective == Collective::allreduce;
  const auto suits = [&](Order order) {
    if (!site.has(order) || (order == Order::weighted && !weights_go)) return false;
    if (grouped) return site.has_groups && order == Order::near;
    return kind != Arranged::never || order == Order::ranks;
  };
  if (pins.order) return suits(*pins.order) ? std::vector{*pins.order} : std::vector<Order>{};
  // A root in the midst of its host goes first round that, where hosts are known.
  const bool near_differs = algorithm == Algorithm::ring || grouped || is_rooted(collective) ||
                            (site.near && !site.near->is_in_rank_order());
  std::vector<Order> found;
  for (const Order order : {Order::near, Order::ranks}) {
    if (found.empty() && suits(order) && (order == Order::ranks || near_differs)) {
      found.push_back(order);
    }
  }
  if (suits(Order::weighted)) found.push_back(Order::weighted);
  return found;
}

// One, and as many as have NICs of their own; rings also in pairs, so that processors and wires
// take turns.
std::vector<int> channel_counts(const Site& site, Algorithm algorithm, std::uint64_t bytes,
                                const Pins& pins) {
  if (pins.channels) return {*pins.channels};
  std::vector<int> counts = {1};
  if (site.is_of_devices) return counts;
  const bool rings = algorithm == Algorithm::ring && site.ranks > 2;
  if (rings && bytes / 2 >= least_channel_bytes) counts.push_back(2);
  if (!rings && algorithm != Algorithm::two_level) return counts;
  const int nics = site.nics;
  const bool are_worth_it = bytes / static_cast<std::uint64_t>(nics) >= least_stripe_bytes;
  if (nics > counts.back() && are_worth_it) counts.push_back(nics);
  return counts;
}

std::shared_ptr<const Arrangement> arrangement(const Site& site, Order order) {
  if (order == Order::ranks) return nullptr;
  return order == Order::near ? site.near : site.weighted;
}

// Of the link after each position of a ring.
std::vector<double> ring_rates(const Arrangement& arrangement, const CostModel& model) {
  std::vector<double> rates;
  const int ranks = arrangement.ranks();
  for (int position = 0; position < ranks; ++position) {
    const int from = arrangement.rank_at(position);
    const int to = arrangement.rank_at((position + 1) % ranks);
    const LinkCost& link = model.links[static_cast<std::size_t>(model.class_of(from, to))];
    const double byte_s = std::max(byte_s_between(model, from, to), 2 * link.overhead_byte_s);
    rates.push_back(byte_s > 0 ? 1 / byte_s : 0);
  }
  return rates;
}

// Weights gain nothing where all links are equal, and cannot be told where one costs nothing.
bool are_unequal(const std::vector<double>& rates) {
  const auto [least, most] = std::minmax_element(rates.begin(), rates.end());
  return *least > 0 && *most > worth_weighing * *least;
}

// What slow links carry at least, as far as one can know: a ring that asks too much of them waits
// for them, which costs more than when it asks too little.
std::vector<double> certain(std::vector<double> rates) {
  constexpr double uncertainty = 1.05;
  const double most = *std::max_element(rates.begin(), rates.end());
  for (double& rate : rates) {
    if (most > worth_weighing * rate) rate /= uncertainty;
  }
  return rates;
}

// Of a byte that leaves a host, by host.
std::vector<double> port_costs(const Topology& topology, const CostModel& model) {
  constexpr auto network = static_cast<int>(PathClass::network);
  std::vector<double> byte_s(topology.hosts.size());
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    double& slowest = byte_s[static_cast<std::size_t>(topology.ranks[i].host)];
    const int port = model.port_of(static_cast<int>(i), network);
    slowest = std::max(slowest, byte_s_at(model, network, port));
  }
  return byte_s;
}

// The order in which weights spare slow links most. Inside hosts the links of a class are alike,
// and depth-first order meets the slowest classes as seldom as can be, so that costs could change
// nothing there.
Result<std::shared_ptr<const Arrangement>> weighted_arrangement(const Topology& topology,
                                                                const CostModel& model) {
  const auto ordered = arrangement_for(topology, port_costs(topology, model));
  if (!ordered) return ordered.error();
  const Arrangement& arrangement = *ordered.value();
  return Arrangement::make({arrangement.order().begin(), arrangement.order().end()},
                           arrangement.group_sizes(),
                           ring_weights(certain(ring_rates(arrangement, model))));
}

bool share_processors(const CostModel& model) {
  std::vector<int> processors;
  for (int rank = 0; model.processor_of && rank < model.ranks; ++rank) {
    processors.push_back(model.processor_of(rank));
  }
  std::sort(processors.begin(), processors.end());
  return std::adjacent_find(processors.begin(), processors.end()) != processors.end();
}

bool has_windows(const Plan& plan) {
  return window_tiles(plan, cached_tile) < all_tiles;
}

// Whether there is a program for every rank: a plan may have more lanes than can be named.
bool is_possible(const Plan& plan) {
  return check_plan(plan).ok();
}

// All plans of one algorithm.
std::vector<Plan> plans(const Site& site, Collective collective, const Habit& habit,
                        std::uint64_t bytes, const Pins& pins) {
  std::vector<int> radix_list = {2};
  if (habit.algorithm == Algorithm::knomial) {
    radix_list.assign(radixes.begin(), radixes.end());
    // More children than ranks make the same tree.
    while (radix_list.size() > 1 && radix_list[radix_list.size() - 2] >= site.ranks) {
      radix_list.pop_back();
    }
    // Where nothing is sent, the root may as well have all others for its children.
    const int flat = std::min(site.ranks, max_radix);
    if (site.is_of_devices && flat > radix_list.back()) radix_list.push_back(flat);
    if (pins.radix) radix_list = {*pins.radix};
  }
  std::vector<Plan> found;
  for (const Order order : orders(site, collective, habit.algorithm, pins)) {
    for (const int channels : channel_counts(site, habit.algorithm, bytes, pins)) {
      for (const int radix : radix_list) {
        Plan plan{habit.algorithm,         collective, site.ranks, 0, radix, channels,
                  arrangement(site, order)};
        if (is_possible(plan)) found.push_back(std::move(plan));
      }
    }
  }
  return found;
}

}  // namespace

std::string_view name(Order order) {
  constexpr std::array<std::string_view, order_count> names = {"ranks", "near", "weighted"};
  return names[static_cast<std::size_t>(order)];
}

std::optional<Order> parse_order(std::string_view text) {
  for (int i = 0; i < order_count; ++i) {
    if (name(static_cast<Order>(i)) == text) return static_cast<Order>(i);
  }
  return std::nullopt;
}

Order order_of(const Plan& plan) {
  if (!plan.arrangement || plan.arrangement->is_plain()) return Order::ranks;
  return plan.arrangement->weights().empty() ? Order::near : Order::weighted;
}

std::string describe(const Candidate& candidate) {
  const Plan& plan = candidate.plan;
  std::string text(name(plan.algorithm));
  if (plan.algorithm == Algorithm::knomial) text += concat(", radix ", plan.radix);
  if (plan.channels > 1) text += concat(", ", plan.channels, " channels");
  if (order_of(plan) == Order::near) text += ", near to near";
  if (order_of(plan) == Order::weighted) text += ", weighted";
  if (candidate.tile_bytes > 0) text += concat(", tiles of ", bytes_text(candidate.tile_bytes));
  return text;
}

int nics_of_groups(const Arrangement& hosts, const CostModel& model) {
  if (hosts.groups() == 1) return 1;
  int fewest = max_channels;
  for (int group = 0; group < hosts.groups(); ++group) {
    const int begin = hosts.begin_of(group);
    const int end = hosts.begin_of(group + 1);
    const int elsewhere = hosts.rank_at(end % hosts.ranks());
    const int link_class = model.class_of(hosts.rank_at(begin), elsewhere);
    std::set<int> ports;
    for (int position = begin; position < end; ++position) {
      ports.insert(model.port_of(hosts.rank_at(position), link_class));
    }
    fewest = std::min(fewest, static_cast<int>(ports.size()));
  }
  return fewest;
}

Result<Site> make_site(const Topology& topology, const CostModel& model) {
  Site site{.ranks = static_cast<int>(topology.ranks.size()),
            .has_own_caches = topology.hosts.size() == 1 && !share_processors(model)};
  Result<std::shared_ptr<const Arrangement>> found = arrangement_for(topology);
  if (!found) return found.error();
  if (!found.value() || found.value()->is_plain()) return site;
  const Arrangement& arrangement = *found.value();
  site.has_groups = arrangement.groups() > 1;
  site.nics = nics_of_groups(arrangement, model);
  if (are_unequal(ring_rates(arrangement, model))) {
    Result<std::shared_ptr<const Arrangement>> weighted = weighted_arrangement(topology, model);
    if (!weighted) return weighted.error();
    site.weighted = std::move(weighted).value();
  }
  site.near = std::move(found).value();
  return site;
}

std::vector<Candidate> candidates(const Site& site, Collective collective, std::uint64_t bytes,
                                  const Pins& pins) {
  std::vector<Candidate> found;
  // The costs know of no caches.
  const bool passes_on = collective == Collective::allreduce || collective == Collective::allgather;
  const bool stays_in_cache = site.has_own_caches && passes_on &&
                              bytes / static_cast<std::uint64_t>(site.ranks) > 2 * cached_tile;
  for (const Habit& habit : habits) {
    if (!is_supported(habit.algorithm, collective)) continue;
    const bool pinned = pins.algorithm == habit.algorithm;
    if (!pinned &&
        (pins.algorithm != Algorithm::automatic || !makes_sense(habit, collective, site, bytes))) {
      continue;
    }
    for (const Plan& plan : plans(site, collective, habit, bytes, pins)) {
      if (pins.tile_bytes && !site.is_of_devices) {
        found.push_back({plan, *pins.tile_bytes});
        continue;
      }
      const std::uint64_t segment_bytes = bytes / std::max(theory(plan).segments, 1u);
      if (stays_in_cache) {
        if (has_windows(plan)) found.push_back({plan, cached_tile});
        if (has_windows(plan) || !pinned) continue;
      }
      found.push_back({plan, 0});
      if (site.is_of_devices || bytes <= tiles.front()) continue;
      for (const std::size_t tile : tiles) {
        const bool are_few = segment_bytes / tile <= most_tiles || tile == tiles.back();
        if (tile < segment_bytes && are_few) found.push_back({plan, tile});
      }
    }
    if (site.ranks == 1 && !found.empty()) break;  // alone, all are the same
  }
  // Among devices the simplest are those in which nobody waits for what another one makes.
  if (site.is_of_devices) {
    std::stable_partition(found.begin(), found.end(), [](const Candidate& one) {
      return one.plan.algorithm == Algorithm::one_shot || one.plan.algorithm == Algorithm::two_shot;
    });
  }
  return found;
}

}  // namespace rondo
