#pragma once

// The plans that can be the fastest at some size: what the planner chooses from.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/simulate.hpp"
#include "rondo/topology.hpp"

namespace rondo {

/// Who follows whom in a schedule.
enum class Order : std::uint8_t {
  ranks,     ///< rank after rank
  near,      ///< those that are near each other, with hosts as groups
  weighted,  ///< the same, with segments as long as suits the links
};
inline constexpr int order_count = 3;
std::string_view name(Order order);
std::optional<Order> parse_order(std::string_view text);

/// A way to carry out a collective. A rooted plan has root 0, which stands for every root.
struct Candidate {
  Plan plan;
  std::size_t tile_bytes = 0;  ///< 0: whole segments
  friend bool operator==(const Candidate&, const Candidate&) = default;
};
/// "ring, 2 channels, near to near, tiles of 256 KiB"
std::string describe(const Candidate& candidate);
Order order_of(const Plan& plan);

/// What the candidates of a world are made of.
struct Site {
  int ranks = 1;
  std::shared_ptr<const Arrangement> near = nullptr;      ///< null where that is rank order
  std::shared_ptr<const Arrangement> weighted = nullptr;  ///< null where all links are equal
  bool has_groups = false;                                ///< near has several
  int nics = 1;                 ///< that each host has for its ranks, counted where they are fewest
  bool has_own_caches = false;  ///< all are on one host, each with a processor of its own
  bool is_of_devices = false;   ///< that reach each other's memory: no messages, no tiles

  bool has(Order order) const {
    return order == Order::ranks || (order == Order::near ? near : weighted) != nullptr;
  }
};
/// Of the group that has the fewest; 1 where there is no other group to reach.
int nics_of_groups(const Arrangement& hosts, const CostModel& model);
Result<Site> make_site(const Topology& topology, const CostModel& model);

/// What somebody decided already; nothing where the planner is to decide.
struct Pins {
  Algorithm algorithm = Algorithm::automatic;
  std::optional<int> radix = {};
  std::optional<int> channels = {};
  std::optional<Order> order = {};
  std::optional<std::size_t> tile_bytes = {};
  friend bool operator==(const Pins&, const Pins&) = default;
};

/// The candidates for a vector of so many bytes, the simplest first. With an algorithm pinned, that
/// one also at sizes at which it makes no sense. Empty where nothing fits the pins.
std::vector<Candidate> candidates(const Site& site, Collective collective, std::uint64_t bytes,
                                  const Pins& pins = {});

}  // namespace rondo
