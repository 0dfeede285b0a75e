#pragma once

// Carries out one rank's program over a transport: a polled state machine that owns no thread, no
// clock and no socket, so that the same code runs in production and in the simulated network.
//
// Tiling: a step on n elements is carried out in `tiles` pieces, one after the other. A lane goes
// through a window of tiles (schedule/window.hpp) step by step, then through the next window. A
// wait {lane, count} of tile t holds when that lane has completed tile t of its step count-1, and
// says nothing of other tiles.
//
// A message of several segments is one transfer untiled, two where its run goes round the end of
// the vector, and one transfer for each segment tiled, or where blocks may lie apart.
//
// What is proved of the untiled program holds for the tiled one, since all ranks tile alike:
//   Order: a tile of a segment meets only the same tile of others in memory, and steps that are
//     ordered untiled, by lanes and waits, are so tile by tile.
//   Matching: all sends on one (peer, channel) stand in one lane, and so do all recvs, so both
//     sides go through the same pairs (message, tile) in the same order. In two lanes, tile 0 of
//     the second message could overtake tile 1 of the first: a wait does not forbid that.
//   Progress: take any order of completion of the untiled steps, replace each step by its tiles of
//     a window, and put windows one after the other; that is a tiled run that comes to its end, and
//     with matching fixed, so does every run.
//
// What a recv sums up and the next send of some lane passes on is written to the transport's memory
// at the same time, where the transport has room for it (a send with Transfer::borrow). What it
// sums up for a copy alone is made where the copy takes it, if that may be done by then.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "execute/chunks.hpp"
#include "execute/sized_program.hpp"
#include "rondo/transport.hpp"

namespace rondo {

class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Prepares a run from `in` to `out`, null where the rank has none. The program and both buffers
  /// must outlive it. The caller has called transport.begin() with the program's links. With a
  /// `crossing`, which has been started, the buffers come and go in chunks.
  void start(const SizedProgram& sized, const std::byte* in, std::byte* out, Transport& transport,
             Crossing* crossing = nullptr);

  /// Advances all lanes as far as they go without waiting. True when the program is complete.
  /// The caller polls the transport in between. Throws the crossing's Error.
  bool advance();

  /// Peers whose message some lane is waiting for, or who don't take ours: sorted, unique.
  std::vector<int> waiting_for() const;

  /// Messages completed since start(): moves on whenever the run does.
  std::uint64_t progress() const { return completed_; }

 private:
  struct Lane {
    std::span<const Step> steps;
    std::size_t step = 0;
    std::size_t tile = 0;
    std::size_t window = 0;  // its first tile
    std::uint32_t part = 0;  // of the tile: messages done
    bool in_flight = false;
    Lane* passes_on_by = nullptr;  // a lane whose send takes what this recv sums up
    bool is_direct = false;        // that goes where the next step would copy it
    Transfer transfer;

    bool is_done() const { return step == steps.size(); }
    /// The transport has not got any further yet.
    bool is_stuck() const {
      return in_flight && transfer.state.load(std::memory_order_relaxed) == Transfer::State::posted;
    }
  };

  struct Piece {
    std::byte* data = nullptr;
    std::size_t count = 0;  // elements
  };

  bool advance_lane(Lane& lane);
  bool complete_part(Lane& lane, const Step& step);
  bool may_start(const Lane& lane, const Lane* without = nullptr) const;
  bool has_message(const Lane& lane, const Step& step) const;
  void post(Lane& lane, const Step& step);
  void set_publication(const Lane& lane, const Step& step, Transfer& transfer) const;
  bool accumulate(Lane& lane, const Step& step, bool is_rest);
  Lane* successor_of(const Lane& lane, const Step& step);
  Lane* borrow_room(const Lane& lane, const Step& step);
  bool may_sum_directly(Lane& lane, const Step& step) const;
  void reduce_twice(std::byte* destination, std::byte* passed_on, bool past_cache,
                    std::array<const std::byte*, 2> sources, std::size_t bytes, int divisor) const;
  void copy(const Step& step, std::size_t tile);
  void fold(const Step& step, std::size_t tile);
  Piece own_part(const Lane& lane, const Step& step) const;
  Piece at(const Location& location) const;
  int divisor(const Step& step) const;
  Store store_of(const Step& step) const;

  // Where the run takes place.
  struct Operands {
    std::array<std::byte*, 3> buffers = {};  // by Buffer
    std::size_t element = 1;                 // bytes
  };

  const SizedProgram* sized_ = nullptr;
  const Program* program_ = nullptr;
  Transport* transport_ = nullptr;
  Crossing* crossing_ = nullptr;
  Operands operands_;
  std::size_t lane_count_ = 0;
  std::uint64_t completed_ = 0;
  std::unique_ptr<Lane[]> lanes_;  // of which the program may use fewer
  std::size_t lane_capacity_ = 0;
  std::unique_ptr<std::byte[]> scratch_;
  std::size_t scratch_bytes_ = 0;
  std::vector<const void*> sources_;  // of a fold
};

}  // namespace rondo
