#pragma once

// Where the drop-in's communicators come from.
//
// The first one is a world of its own, joined through the MPI below. Those that follow are parts of
// a world, where all of their ranks are in the same one: that takes no connections and no
// measuring. What lies in no common world becomes one; the largest so far serves those that follow.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>

#include "rondo/communicator.hpp"

namespace rondo::bind {

/// What a communicator of rondo's needs of the MPI below.
struct Surroundings {
  int rank = 0;
  int size = 1;
  /// `bytes` of every rank to every rank, in rank order; false where that failed.
  std::function<bool(const void* mine, void* all, std::size_t bytes)> exchange;
  /// Lets the MPI below move on while a rank waits for others. Short, and never blocks.
  void (*progress)() = nullptr;
  /// Tells the program that a call has failed; returns the code of that.
  std::function<int()> fail;
};

class Worlds {
 public:
  /// With fixed plans, what was measured of links, or somebody says of them, does not count: sums
  /// are added in the same order in every run.
  explicit Worlds(bool has_fixed_plans) : has_fixed_plans_(has_fixed_plans) {}

  /// Collective over the ranks of `around`. Throws Error on all of them or on none; only the ranks
  /// that something went wrong on know what.
  Communicator make(const Surroundings& around);
  void leave() { worlds_.clear(); }

 private:
  struct World {
    std::uint64_t name = 0;
    int rank = 0;
    int size = 0;
    Communicator communicator;
  };
  /// What a rank tells the others.
  struct Card {
    std::uint64_t world = 0;  ///< 0: none
    std::uint64_t number = 0;
    std::uint64_t proposal = 0;  ///< name of a new world, by rank 0
    std::int32_t rank = 0;       ///< in `world`
    std::int32_t may_join = 0;
  };
  /// Joining takes connections among all ranks: a process that keeps making communicators without
  /// a common world had better do without.
  static constexpr std::size_t most_worlds = 4;

  Card own_card();
  World* find(std::uint64_t name);
  World* join(const Surroundings& around, std::uint64_t name);
  Communicator part_of(World& world, std::span<const Card> cards, bool is_new);

  const bool has_fixed_plans_;
  std::mutex mutex_;
  std::list<World> worlds_;  // stay where they are
  std::uint64_t numbers_ = 0;
};

}  // namespace rondo::bind
