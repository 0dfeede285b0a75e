#pragma once

// The real executors of a whole world over the simulated network, in one thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "execute/executor.hpp"
#include "sim/data.hpp"
#include "sim/network.hpp"

namespace rondo::sim {

/// Numbers that depend on the seed alone, on every machine and library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// 0 … bound - 1
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  template <class T, std::size_t n>
  T one_of(const T (&choices)[n]) {
    return choices[below(n)];
  }

 private:
  std::uint64_t state_;
};

/// A schedule to be carried out on buffers of the task.
struct Job {
  Task task;
  std::vector<Program> programs;
};

/// Has the buffers of a rank before and after: what has not come yet is garbage, a chunk of the
/// result is what it was when it was taken, and when all have been, the memory is somebody else's.
class FarSide final : public Handover {
 public:
  FarSide(Buffers& buffers, const SizedProgram& sized, std::size_t chunk_bytes, Fault fault);

  const ChunkOrder& order() const { return order_; }
  bool awaits_input() const { return given_ < order_.in().size(); }
  /// One more chunk of the input; the first one comes before the program begins.
  void give();
  Result<std::uint32_t> given() override;
  void take(std::uint32_t chunks) noexcept override;
  void take_back(const std::optional<Error>&) noexcept override {
    final_ = taken_;
    is_over_ = true;
    take(order_.out().size());
  }
  std::uint32_t taken() const { return taken_; }
  /// What never comes is what it was.
  void give_rest();
  /// What is wrong with what was taken, once the results are right.
  std::optional<std::string> check() const;

 private:
  Buffers& buffers_;
  const Fault fault_;
  const ChunkOrder order_;
  std::vector<std::byte> input_;
  std::vector<std::byte> result_;
  std::uint32_t given_ = 0;
  std::uint32_t taken_ = 0;
  std::uint32_t final_ = 0;  // when the program was complete
  bool is_over_ = false;
};

/// The ranks of a world with the jobs they carry out one after the other.
class World {
 public:
  World(const std::vector<Job>& jobs, Network& network, Fault fault = Fault::none);

  int size() const { return static_cast<int>(ranks_.size()); }
  /// Lets a rank go as far as it can; true when it got any further. Records wrong results.
  bool run(int rank);
  bool awaits_input(int rank) const;
  /// One more chunk of its input comes.
  void give(int rank) { ranks_[static_cast<std::size_t>(rank)].far_side->give(); }
  bool finished(int rank) const;
  bool finished() const;
  /// Ranks that a rank cannot go on without.
  std::vector<int> waiting_for(int rank) const;
  const std::optional<std::string>& failure() const { return failure_; }
  std::string dump() const;

 private:
  struct Rank {
    Executor executor;
    std::unique_ptr<Buffers> buffers;   // of the job under way
    std::optional<SizedProgram> sized;  // of the same
    std::unique_ptr<FarSide> far_side;  // of the same, where the buffers come and go in chunks
    Crossing crossing;
    std::size_t job = 0;
  };
  void start(int rank);
  void end_job(int rank);

  const std::vector<Job>& jobs_;
  Network& network_;
  const Fault fault_;
  std::deque<Rank> ranks_;
  std::vector<std::vector<bool>> started_;  // by job and rank
  std::optional<std::string> failure_;
};

/// What a seed stands for.
struct Scenario {
  std::vector<Job> jobs;
  std::uint64_t seed = 0;
  // The network's mood.
  std::uint64_t mean_delay = 0;
  std::uint64_t slow_percent = 0;  ///< of the routes, which take a hundred times as long
  std::size_t largest_piece_bytes = 0;
  std::uint64_t absorb_percent = 0;  ///< how eagerly it takes messages from their senders
  bool lends = false;
  // What happens to a rank; -1: nothing.
  int stalled_rank = -1;
  std::uint64_t stalled_until = 0;
  int dying_rank = -1;
  std::uint64_t dies_at = 0;
};

Scenario draw_scenario(std::uint64_t seed);
std::string describe(const Scenario& scenario);

/// Runs it in virtual time; what went wrong, if anything did.
std::optional<std::string> simulate(const Scenario& scenario, Fault fault = Fault::none);

/// How an exploration of all orders ended.
struct Exploration {
  std::optional<std::string> failure;
  std::uint64_t orders = 0;
  bool complete = false;  ///< no order is left
};

/// Carries a job out in every order in which its messages can be delivered, whole, up to a number
/// of orders. With `absorbs`, the network may also take every message over before its recv is
/// posted.
Exploration explore(const Job& job, bool lends, bool absorbs, std::uint64_t most_orders);

}  // namespace rondo::sim
