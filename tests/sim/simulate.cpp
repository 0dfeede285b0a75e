#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "sim/simulation.hpp"
#include "transport/blame.hpp"

namespace rondo::sim {

namespace {

// Drives the network and the ranks in virtual time.
class Simulation {
 public:
  Simulation(const Scenario& scenario, Fault fault)
      : scenario_(scenario),
        random_(scenario.seed ^ 0x5eed),
        network_(scenario.jobs.front().task.plan.ranks, scenario.lends, fault),
        world_(scenario.jobs, network_, fault) {
    for (int rank = 0; rank < world_.size(); ++rank) order_.push_back(rank);
  }

  std::optional<std::string> run() {
    for (; !world_.finished(); ++now_) {
      if (scenario_.dying_rank >= 0 && now_ >= scenario_.dies_at) kill();
      const bool ran = run_ranks();
      const bool delivered = deliver();
      if (const auto failure = first_failure()) return concat(*failure, "\n", world_.dump());
      if (!ran && !delivered && !skip_time()) return quiet();
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string> first_failure() const {
    return world_.failure() ? world_.failure() : network_.failure();
  }

  void kill() {
    dead_ = scenario_.dying_rank;
    network_.kill(dead_);
  }

  bool may_run(int rank) const {
    const bool stalled = rank == scenario_.stalled_rank && now_ < scenario_.stalled_until;
    return rank != dead_ && !stalled;
  }

  bool run_ranks() {
    for (std::size_t i = order_.size(); i > 1; --i) {
      std::swap(order_[i - 1], order_[random_.below(i)]);
    }
    skipped_ = false;
    bool moved = false;
    for (const int rank : order_) {
      if (!may_run(rank)) continue;
      if (world_.awaits_input(rank)) give(rank) ? moved = true : skipped_ = true;
      if (random_.chance(25)) {
        skipped_ = true;  // it has its turn later
      } else if (world_.run(rank)) {
        moved = true;
      }
    }
    return moved;
  }

  bool give(int rank) {
    const bool is_time = random_.chance(30);
    if (is_time) world_.give(rank);
    return is_time;
  }

  // Moves a piece on every route whose time has come.
  bool deliver() {
    bool moved = false;
    for (const Route& route : network_.absorbable()) {
      if (!random_.chance(scenario_.absorb_percent)) continue;
      network_.absorb(route);
      moved = true;
    }
    for (const Route& route : network_.movable()) {
      const auto [due, is_new] = due_.try_emplace(route, now_ + draw_delay(route));
      if (due->second > now_) continue;
      network_.move(route, 1 + random_.below(scenario_.largest_piece_bytes));
      due_.erase(due);
      moved = true;
    }
    return moved;
  }

  std::uint64_t draw_delay(const Route& route) {
    const bool is_slow =
        slow_.try_emplace(route, random_.chance(scenario_.slow_percent)).first->second;
    return random_.below(2 * scenario_.mean_delay + 1) * (is_slow ? 100 : 1);
  }

  // Nothing happens now: on to the next moment at which something can.
  bool skip_time() {
    std::optional<std::uint64_t> next;
    const auto consider = [&](std::uint64_t time) {
      if (time > now_ && (!next || time < *next)) next = time;
    };
    for (const Route& route : network_.movable()) consider(due_.at(route));
    if (scenario_.stalled_rank >= 0) consider(scenario_.stalled_until);
    if (scenario_.dying_rank >= 0) consider(scenario_.dies_at);
    if (next) now_ = *next;
    const bool may_absorb = scenario_.absorb_percent > 0 && !network_.absorbable().empty();
    return next.has_value() || skipped_ || may_absorb;
  }

  // Nothing will ever happen again. That is right when a rank is dead and all others, if asked,
  // would blame it.
  std::optional<std::string> quiet() {
    if (dead_ < 0) return concat("no rank can go on\n", world_.dump());
    std::vector<Testimony> testimonies;
    for (int rank = 0; rank < world_.size(); ++rank) {
      testimonies.push_back({rank != dead_, world_.waiting_for(rank)});
    }
    for (int rank = 0; rank < world_.size(); ++rank) {
      if (rank == dead_ || world_.finished(rank)) continue;
      if (culprits(rank, testimonies) != std::vector<int>{dead_}) {
        return concat("rank ", rank, " does not blame the dead rank ", dead_, "\n", world_.dump());
      }
    }
    return std::nullopt;
  }

  const Scenario& scenario_;
  Random random_;
  Network network_;
  World world_;
  std::vector<int> order_;
  std::map<Route, std::uint64_t> due_;  // when the next piece may move
  std::map<Route, bool> slow_;
  std::uint64_t now_ = 0;
  int dead_ = -1;
  bool skipped_ = false;
};

}  // namespace

std::optional<std::string> simulate(const Scenario& scenario, Fault fault) {
  return Simulation(scenario, fault).run();
}

}  // namespace rondo::sim
