#pragma once

// What a thread block does of a rank's program: a kernel carries out all steps of it, waits for
// those of peers by looking at words that they write, and tells its own.
//
//   * A program is carried out in slices: each cell of memory that moves touch is dealt out to them
//     in pieces of so many bytes, and a block has one slice of all. What it reads was written by
//     the same slice, of this rank or of others: so blocks of a rank never wait for each other.
//   * A word counts the steps of one slice of one rank, for one peer of it, and lies in the memory
//     of that peer. It has 64 bits, and never comes round.
//   * advance() goes as far as it gets without waiting: a kernel calls it over and over, a test may
//     call it in any order of the blocks.
//   * All blocks that wait for each other must be carried out at the same time.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device/kernels/walk.hpp"

namespace rondo {

// A program as it lies in memory: arrays side by side, with the greatest alignment first.

/// A fold, or, with one source, a copy.
struct BlockMove {
  std::uint64_t count;        ///< elements
  std::uint64_t head;         ///< before the first whole vector
  std::uint32_t first_place;  ///< sources, then destinations
  std::uint16_t source_count;
  std::uint16_t destination_count;
  std::int32_t divisor;
  Access access;
};

/// Where what belongs to a step begins; it ends where that of the next one does.
struct BlockStep {
  std::uint32_t wait;
  std::uint32_t move;
  std::uint32_t tell;
};

/// Of waits: until `peer` has come to `steps`. Of tells: that this rank has.
struct BlockNote {
  std::uint32_t peer;
  std::uint32_t steps;
};

/// Of all arrays.
struct BlockCounts {
  std::uint32_t places = 0;
  std::uint32_t moves = 0;
  std::uint32_t steps = 0;  ///< and one more at the end
  std::uint32_t waits = 0;
  std::uint32_t tells = 0;

  RONDO_ON_DEVICE std::size_t bytes() const {
    return places * sizeof(void*) + moves * sizeof(BlockMove) +
           (steps + std::size_t{1}) * sizeof(BlockStep) +
           (std::size_t{waits} + tells) * sizeof(BlockNote);
  }
};

/// The arrays of a program that begins at some place.
struct BlockArrays {
  RONDO_ON_DEVICE BlockArrays(const std::byte* memory, const BlockCounts& counts)
      : places(reinterpret_cast<void* const*>(memory)),
        moves(reinterpret_cast<const BlockMove*>(places + counts.places)),
        steps(reinterpret_cast<const BlockStep*>(moves + counts.moves)),
        waits(reinterpret_cast<const BlockNote*>(steps + counts.steps + 1)),
        tells(waits + counts.waits) {}

  void* const* places;
  const BlockMove* moves;
  const BlockStep* steps;
  const BlockNote* waits;
  const BlockNote* tells;
};

/// What a kernel gets, by value.
struct ProgramArguments {
  const std::byte* memory;
  BlockCounts counts;
  /// Of each rank, those that others tell it.
  std::uint64_t* words[DeviceProgram::most_ranks];
  std::uint32_t rank;
  std::uint32_t ranks;
  std::uint32_t slices;
  std::uint32_t piece_bytes;
  std::uint64_t before;
  const std::uint32_t* stop;
};

/// Errors: invalid_argument for what no kernel could carry out, unsupported for operations that
/// are not there for the type.
Result<ProgramArguments> arguments_of(const DeviceProgram& program);

/// Puts a program together, step by step.
class BlockProgram {
 public:
  void wait(int peer, std::uint32_t steps);
  /// Errors: those of arguments_of().
  Result<> move(const DeviceReduction& reduction);
  void tell(int peer, std::uint32_t steps);
  void end_step();

  std::uint32_t steps() const { return static_cast<std::uint32_t>(steps_.size() - 1); }
  BlockCounts counts() const;
  /// As it is to lie in memory.
  std::vector<std::byte> bytes() const;

 private:
  std::vector<const void*> places_;
  std::vector<BlockMove> moves_;
  std::vector<BlockStep> steps_ = {BlockStep()};
  std::vector<BlockNote> waits_;
  std::vector<BlockNote> tells_;
};

RONDO_ON_DEVICE inline std::uint64_t load_acquire(const std::uint64_t* word) {
#if defined(__CUDA_ARCH__)
  std::uint64_t value;
  asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
#else
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
#endif
}

RONDO_ON_DEVICE inline void store_release(std::uint64_t* word, std::uint64_t value) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.release.sys.global.u64 [%0], %1;" : : "l"(word), "l"(value) : "memory");
#else
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
#endif
}

/// A move as the walk through elements wants it.
struct MoveArguments {
  RONDO_ON_DEVICE MoveArguments(const BlockArrays& arrays, const BlockMove& move)
      : sources(arrays.places + move.first_place),
        destinations(sources + move.source_count),
        source_count(move.source_count),
        destination_count(move.destination_count),
        count(move.count),
        head(move.head),
        divisor(move.divisor),
        access(move.access) {}

  void* const* sources;
  void* const* destinations;
  int source_count;
  int destination_count;
  std::size_t count;
  std::size_t head;
  int divisor;
  Access access;
};

/// A thread's share of what a slice has of a move.
template <class T, Op op>
RONDO_ON_DEVICE void move_share(const ProgramArguments& arguments, const MoveArguments& move,
                                std::uint32_t slice, std::size_t thread, std::size_t threads) {
  const std::size_t piece = arguments.piece_bytes / sizeof(T);
  for (std::size_t begin = slice * piece; begin < move.count; begin += arguments.slices * piece) {
    const std::size_t end = begin + piece < move.count ? begin + piece : move.count;
    reduce_part<T, op>(move, begin, end, thread, threads);
  }
}

enum class Progress : std::uint8_t {
  moved,
  waiting,
  over,  ///< the program has been carried out, or stopped
};

/// How far a block has come.
struct BlockState {
  std::uint32_t step = 0;
  std::uint32_t looks = 0;
};

/// The word is far away: it is looked at first, and then once in so many rounds.
constexpr std::uint32_t rounds_between_looks = 64;

/// `Block` are the threads of a block, which go through this side by side:
///   * all(count, condition): whether it holds for all numbers below `count`, of which each thread
///     has some; all threads have come, and what one has acquired, all have.
///   * each(work): work(thread, threads) by each thread; then as after all().
template <class T, Op op, class Block>
RONDO_ON_DEVICE Progress advance(const ProgramArguments& arguments, std::uint32_t slice,
                                 BlockState& state, const Block& block) {
  if (state.step == arguments.counts.steps) return Progress::over;
  const bool is_to_look = state.looks++ % rounds_between_looks == 0;
  const auto goes_on = [&](std::size_t) { return !is_stopped(arguments.stop); };
  if (is_to_look && !block.all(1, goes_on)) {
    state.step = arguments.counts.steps;
    return Progress::over;
  }
  const BlockArrays arrays(arguments.memory, arguments.counts);
  const BlockStep step = arrays.steps[state.step];
  const BlockStep next = arrays.steps[state.step + 1];
  const std::size_t first = std::size_t{slice} * arguments.ranks;  // of the words of a rank
  const auto has_come = [&](std::size_t number) {
    const BlockNote wait = arrays.waits[step.wait + number];
    const std::uint64_t* const word = arguments.words[arguments.rank] + first + wait.peer;
    return load_acquire(word) >= arguments.before + wait.steps;
  };
  if (!block.all(next.wait - step.wait, has_come)) return Progress::waiting;
  block.each([&](std::size_t thread, std::size_t threads) {
    for (std::uint32_t i = step.move; i < next.move; ++i) {
      const MoveArguments move(arrays, arrays.moves[i]);
      move_share<T, op>(arguments, move, slice, thread, threads);
    }
  });
  block.each([&](std::size_t thread, std::size_t threads) {
    for (std::size_t i = step.tell + thread; i < next.tell; i += threads) {
      const BlockNote tell = arrays.tells[i];
      store_release(arguments.words[tell.peer] + first + arguments.rank,
                    arguments.before + tell.steps);
    }
  });
  ++state.step;
  return Progress::moved;
}

}  // namespace rondo
