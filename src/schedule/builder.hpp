#pragma once

// The verbs in which generators are written.
//
// Every verb appends one step to a lane and derives its waits: a step waits for the last write of
// what it reads, and for the last write and all reads of what it writes, unless lane order or
// earlier waits already imply that. In-place aliases count as the same segment, so that a program
// is right for both. It also derives what a step is about: from a slice of `in`, `out` or the
// mirror, or from what was last written to the scratch it reads. Sends of the same slice to
// different peers, with no write to it in between, become a publication. A generator says only who
// talks to whom about what.

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

inline Slice in(std::uint32_t segment, std::uint32_t count = 1) {
  return {Buffer::in, segment, count};
}
inline Slice out(std::uint32_t segment, std::uint32_t count = 1) {
  return {Buffer::out, segment, count};
}
inline Slice scratch(std::uint32_t segment, std::uint32_t count = 1) {
  return {Buffer::scratch, segment, count};
}

class ProgramBuilder {
 public:
  /// Completes the destination: it holds its final value after this step (`avg` divides here).
  enum class Final : bool { no, yes };

  ProgramBuilder(const Plan& plan, int rank, Shape shape);

  const Plan& plan() const { return program_.plan; }
  int rank() const { return program_.rank; }
  int ranks() const { return program_.plan.ranks; }

  /// The first lane without steps.
  int new_lane() const { return static_cast<int>(lanes_.size()); }
  /// `count` more segments of scratch.
  Slice new_scratch(std::uint32_t count = 1);

  /// A result that was copied from `in` to its place in `out` is sent from `in`.
  void send(int lane, int peer, int channel, Slice source);
  void recv(int lane, int peer, int channel, Slice destination);
  /// The same into scratch outside of the mirror, which takes the size of `like`, a slice of `in`,
  /// `out` or the mirror.
  void recv(int lane, int peer, int channel, Slice destination, Slice like);
  /// destination = incoming ⊕ own
  void recv_reduce(int lane, int peer, int channel, Slice own, Slice destination,
                   Final final = Final::no);
  void copy(int lane, Slice source, Slice destination);
  /// destination = source[0] ⊕ source[1] ⊕ …
  void reduce(int lane, Slice source, Slice destination, Final final = Final::no);

  /// The program; every lane up to the highest one used has a step.
  Program finish() &&;

 private:
  using Clock = std::span<const std::uint32_t>;  // steps of each lane known to have completed
  struct ClockPlace {
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  struct Access {
    int lane = -1;
    std::uint32_t count = 0;
    friend bool operator==(const Access&, const Access&) = default;
  };
  struct Cell {
    Access last_write;
    Access last_read = {};                 // since the last write …
    std::vector<Access> other_reads = {};  // … and those of other lanes
    std::uint32_t about = 0;               // what was last written, for scratch
    bool is_input = false;                 // `out` has got a copy of `in`, and both still have it
    std::uint32_t version = 0;             // the number of that write
    Access last_send = {};                 // of a slice that begins here …
    std::uint32_t sent_version = 0;        // … after so many writes of the program
  };

  void append(int lane, Step step);
  std::uint32_t about(Slice slice);
  Slice input_of(Slice slice);
  Cell& cell(Buffer buffer, std::uint32_t segment);
  void find_dependencies(int lane, const Step& step);
  void prune(int lane);
  Clock clock_at(Access access) const {
    const ClockPlace place = clocks_[access.lane][access.count - 1];
    return {clock_counts_.data() + place.begin, place.size};
  }
  Clock clock_of(int lane) const {
    const auto steps = static_cast<std::uint32_t>(clocks_[lane].size());
    return steps == 0 ? Clock{} : clock_at({lane, steps});
  }
  void advance_clock(int lane);
  void record(int lane, const Step& step);
  void publish(int lane);
  bool is_unwritten_since(const Step& send, std::uint32_t writes);

  Program program_;
  std::vector<std::vector<Step>> lanes_;
  std::vector<std::vector<ClockPlace>> clocks_;  // per lane, after each step
  std::vector<std::uint32_t> clock_counts_;      // of all of them
  std::vector<Access> needed_;                   // by the step at hand
  std::vector<Access> unpruned_;
  std::vector<Cell> vector_cells_;  // `in` and `out`, by index in the vector
  std::vector<Cell> scratch_cells_;
  std::uint32_t writes_ = 0;
  std::uint32_t publications_ = 0;
  std::unordered_set<std::uint64_t> readers_;  // of publications
};

/// A lane that comes into being with its first step: for lanes that not all ranks need.
class LateLane {
 public:
  explicit LateLane(const ProgramBuilder& build) : build_(build) {}
  operator int() {
    if (index_ < 0) index_ = build_.new_lane();
    return index_;
  }

 private:
  const ProgramBuilder& build_;
  int index_ = -1;
};

}  // namespace rondo
