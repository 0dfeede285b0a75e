#pragma once

// Programs for devices on plain memory, where ranks are objects.

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "execute/device/block_encoding.hpp"
#include "execute/device/stream_program.hpp"
#include "execute/reduction.hpp"

namespace rondo::test {

using Numbers = std::vector<std::uint32_t>;

struct StreamRank {
  Numbers in;
  Numbers out;
  Numbers scratch;
  bool is_in_place = false;
  StreamProgram program;
  std::size_t step = 0;
  std::vector<std::uint32_t> told;  // by others, how far they are
};

/// A world on plain memory: what each rank has, and what it is to have in the end.
class World {
 public:
  World(const Plan& plan, std::size_t count, bool in_place) : plan_(plan), count_(count) {
    const Amount amount{.count = count, .dtype = DType::u32, .op = Op::sum};
    const auto size = static_cast<std::size_t>(plan.ranks);
    for (int r = 0; r < plan.ranks; ++r) {
      StreamRank rank;
      Result<StreamProgram> made = make_stream_program(plan, amount, r, in_place);
      if (!made) throw made.error();
      rank.program = std::move(made).value();
      rank.scratch.assign(rank.program.scratch_bytes / 4, 7);
      rank.told.assign(size, 0);
      const bool gathers = plan.collective == Collective::allgather;
      const bool scatters = plan.collective == Collective::reduce_scatter;
      const std::size_t whole = has_blocks(plan.collective) ? count * size : count;
      for (std::size_t i = 0; i < (gathers ? count : whole); ++i) {
        rank.in.push_back(static_cast<std::uint32_t>(i * 1000 + static_cast<std::size_t>(r) + 1));
      }
      rank.out.assign(scatters ? count : whole, 5);
      ranks_.push_back(std::move(rank));
    }
    in_place_ = in_place && plan.collective != Collective::alltoall;
    if (!in_place_) return;
    for (StreamRank& rank : ranks_) {
      Numbers& longer = rank.in.size() > rank.out.size() ? rank.in : rank.out;
      if (&longer == &rank.out) {
        std::copy(rank.in.begin(), rank.in.end(), longer.begin() + offset(rank, Buffer::in));
      }
    }
  }

  /// Each rank as far as it gets, in turns that begin with `first`; or a step at a time.
  void run(std::size_t first, bool greedy) {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i = 0; i < ranks_.size(); ++i) {
        const std::size_t rank = (first + i) % ranks_.size();
        while (advance(rank)) {
          moved = true;
          if (!greedy) break;
        }
        if (greedy && moved) break;  // back to the first one
      }
    }
    for (const StreamRank& rank : ranks_) EXPECT_EQ(rank.step, rank.program.steps.size());
  }

  void check() {
    const auto size = ranks_.size();
    for (std::size_t r = 0; r < size; ++r) {
      for (std::size_t i = 0; i < result_size(); ++i) {
        ASSERT_EQ(*at(r, Buffer::out, i), expected(r, i)) << "rank " << r << ", element " << i;
        if (plan_.collective == Collective::reduce) break;
      }
      if (plan_.collective == Collective::reduce) break;
    }
  }

  std::size_t steps() const {
    std::size_t most = 0;
    for (const StreamRank& rank : ranks_) most = std::max(most, rank.program.steps.size());
    return most;
  }
  std::size_t waits() const {
    std::size_t all = 0;
    for (const StreamRank& rank : ranks_) {
      for (const StreamStep& step : rank.program.steps) all += step.waits.size();
    }
    return all;
  }
  std::size_t scratch() const { return ranks_[0].program.scratch_bytes; }
  const StreamProgram& program(std::size_t rank) const { return ranks_[rank].program; }
  std::size_t size() const { return ranks_.size(); }
  BufferBases bases() {
    BufferBases all;
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      const auto base = [&](Buffer buffer) {
        return reinterpret_cast<std::byte*>(at(r, buffer, 0));
      };
      all.push_back({base(Buffer::in), base(Buffer::out), base(Buffer::scratch)});
    }
    return all;
  }

 private:
  static std::uint32_t given(std::size_t rank, std::size_t i) {
    return static_cast<std::uint32_t>(i * 1000 + rank + 1);
  }
  std::size_t result_size() const { return ranks_[0].out.size(); }
  std::uint32_t sum(std::size_t i) const {
    std::uint32_t all = 0;
    for (std::size_t r = 0; r < ranks_.size(); ++r) all += given(r, i);
    return all;
  }
  std::uint32_t expected(std::size_t rank, std::size_t i) const {
    switch (plan_.collective) {
      case Collective::broadcast:
        return given(static_cast<std::size_t>(plan_.root), i);
      case Collective::allgather:
        return given(i / count_, i % count_);
      case Collective::reduce_scatter:
        return sum(rank * count_ + i);
      case Collective::alltoall:
        return given(i / count_, rank * count_ + i % count_);
      default:
        return sum(i);
    }
  }

  // In place, the shorter buffer is this rank's block of the longer one.
  std::ptrdiff_t offset(const StreamRank& rank, Buffer buffer) const {
    const Numbers& own = buffer == Buffer::in ? rank.in : rank.out;
    const Numbers& other = buffer == Buffer::in ? rank.out : rank.in;
    if (!in_place_ || own.size() >= other.size()) return 0;
    return (&rank - ranks_.data()) * static_cast<std::ptrdiff_t>(count_);
  }
  std::uint32_t* at(std::size_t number, Buffer buffer, std::size_t element) {
    StreamRank& rank = ranks_[number];
    if (buffer == Buffer::scratch) return rank.scratch.data() + element;
    Numbers& own = buffer == Buffer::in ? rank.in : rank.out;
    if (!in_place_) return own.data() + element;
    Numbers& longer = rank.in.size() > rank.out.size() ? rank.in : rank.out;
    return longer.data() + offset(rank, buffer) + element;
  }
  std::uint32_t* at(const Operand& place) {
    return at(static_cast<std::size_t>(place.rank), place.buffer, place.offset / 4);
  }

  bool advance(std::size_t number) {
    StreamRank& rank = ranks_[number];
    if (rank.step == rank.program.steps.size()) return false;
    const StreamStep& step = rank.program.steps[rank.step];
    for (const StreamStep::Await& wait : step.waits) {
      if (rank.told[static_cast<std::size_t>(wait.peer)] < wait.steps) return false;
    }
    for (const Move& move : step.moves) {
      std::vector<const void*> sources;
      for (const Operand& source : move.sources) sources.push_back(at(source));
      Numbers made(move.count);
      reduce(DType::u32, Op::sum, made.data(), sources, move.count, move.divisor);
      for (const Operand& destination : move.destinations) {
        std::copy(made.begin(), made.end(), at(destination));
      }
    }
    ++rank.step;
    for (const int peer : step.tells) {
      ranks_[static_cast<std::size_t>(peer)].told[number] = static_cast<std::uint32_t>(rank.step);
    }
    return true;
  }

  const Plan plan_;
  const std::size_t count_;
  bool in_place_ = false;
  std::vector<StreamRank> ranks_;
};

inline constexpr Collective of_devices[] = {Collective::allreduce,      Collective::broadcast,
                                            Collective::reduce,         Collective::allgather,
                                            Collective::reduce_scatter, Collective::alltoall};

/// All plans of all algorithms for these collectives among so many ranks.
inline std::vector<Plan> plans_of_devices(int ranks) {
  std::vector<Plan> plans;
  for (int algorithm = 1; algorithm < algorithm_count; ++algorithm) {
    for (const Collective collective : of_devices) {
      Plan plan{static_cast<Algorithm>(algorithm), collective, ranks};
      if (!is_supported(plan.algorithm, collective) || !make_schedule(plan)) continue;
      if (collective == Collective::broadcast) plan.root = ranks - 1;
      plans.push_back(plan);
    }
  }
  return plans;
}

}  // namespace rondo::test
