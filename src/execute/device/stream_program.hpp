#pragma once

// A schedule as work for the streams of its ranks, where each of them can read and write the memory
// of all others: nothing is sent, somebody copies it, or sums it up where it is.
//
// A step may start when its waits hold: that peer's stream has carried out `steps` of its own. So a
// stream needs counters that its peers write, and nobody on the way.
//
// It is made from the programs of all ranks, in any order that keeps their rules:
//   * A recv is carried out by the receiver, or, where nothing keeps them apart, by the step that
//     made what is sent: that one writes to all who get it.
//   * What is copied into scratch and read once is read where it is instead. If that would be
//     overwritten before, it is copied first.
//   * A step waits for whoever wrote what it reads, and for whoever wrote or read what it writes.
//     The order in which the steps are found is one in which all of them can be carried out, and
//     each waits for earlier ones only: so there is no deadlock.
//
// All ranks start together, and none of them leaves before all are done: that is for the caller.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "execute/sized_program.hpp"
#include "rondo/error.hpp"
#include "rondo/schedule.hpp"

namespace rondo {

/// Somewhere in the memory of a rank.
struct Operand {
  int rank = 0;
  Buffer buffer = Buffer::in;
  std::size_t offset = 0;  ///< bytes
  friend bool operator==(const Operand&, const Operand&) = default;
};

/// destinations[d] = sources[0] ⊕ sources[1] ⊕ …, of one source a copy. A destination is one of the
/// sources, or overlaps none.
struct Move {
  std::vector<Operand> sources = {};
  std::vector<Operand> destinations = {};
  std::size_t count = 0;  ///< elements
  int divisor = 1;
  bool is_copy() const { return sources.size() == 1; }
};

struct StreamStep {
  struct Await {
    int peer = 0;
    std::uint32_t steps = 0;
  };
  std::vector<Await> waits;
  std::vector<Move> moves;  ///< several copies from one place to one, or one move of any kind
  std::vector<int> tells;   ///< peers that wait for it
};

struct StreamProgram {
  static constexpr std::size_t most_places = 128;  ///< sources, destinations, copies of a step

  std::vector<StreamStep> steps;
  std::size_t scratch_bytes = 0;  ///< of the rank that uses most
  std::uint32_t most_steps = 0;   ///< of any rank
  std::size_t most_parts = 0;     ///< all that is listed in it; of any rank
};

/// Of all ranks; their scratch_bytes and most_steps are alike.
Result<std::vector<StreamProgram>> make_stream_programs(const Plan& plan, const Amount& amount,
                                                        bool in_place);
/// Of one of them. `in_place`: `in` and `out` may be the same memory, at some rank. Not for uneven
/// blocks. Errors: those of make_program().
Result<StreamProgram> make_stream_program(const Plan& plan, const Amount& amount, int rank,
                                          bool in_place);

}  // namespace rondo
