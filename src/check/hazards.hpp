#pragma once

// Order inside one rank. Messages between ranks order nothing here: a program must be right however
// late its messages come, so lanes and waits alone decide what happens before what.

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// Proves by vector clocks that any two steps which touch one segment, of which one writes, are
/// ordered; that all sends on one (peer, channel) stand in one lane, and so do all recvs; that the
/// sends of a publication carry the same bytes, to different peers; and that scratch is read as
/// what was written to it. `in` and `out` count as the same memory: what is ordered in place is
/// ordered out of place. Keep the object for many programs: it keeps its memory.
class HazardCheck {
 public:
  /// The program has passed check_structure().
  Result<> run(const Program& program);

 private:
  struct Access {
    std::uint32_t lane = 0;
    std::uint32_t count = 0;  // steps that this lane has completed after the access; 0: none yet
  };
  struct Cell {
    Access write;
    Access read;                      // the latest since the write …
    std::vector<Access> other_reads;  // … and those of other lanes
    std::uint32_t about = 0;
    std::uint32_t version = 0;  // counts the writes of the program; 0: none yet
  };
  struct Publication {
    Access first;               // of its sends that were visited; none: count 0
    std::uint32_t version = 0;  // the latest write of what it sent
  };

  void reset(const Program& program);
  bool may_start(const Step& step) const;
  Result<> visit(std::uint32_t lane, const Step& step);
  void enter(std::uint32_t lane, const Step& step);
  bool before(Access access) const {
    return access.count == 0 || clock_[access.lane] >= access.count;
  }
  Cell& cell(Buffer buffer, std::uint32_t segment);
  Result<> check_overlap(const Step& step) const;
  Result<> check_link(const Step& step);
  Result<> check_publication(const Step& step);
  Result<> read(const Slice& slice, const Step& step);
  Result<> write(const Slice& slice, const Step& step);
  Error conflict(std::string_view what, const Access& other) const;
  Error here(std::string_view text) const;
  std::size_t index_of(Access access) const;

  const Program* program_ = nullptr;
  std::uint32_t lanes_ = 0;
  Access now_;
  std::vector<std::uint32_t> done_;    // steps visited, per lane
  std::vector<std::uint32_t> clock_;   // steps of each lane known to have completed before this one
  std::vector<std::uint32_t> clocks_;  // of all steps: lanes_ words each, the step itself included
  std::vector<Cell> vector_cells_;
  std::vector<Cell> scratch_cells_;
  std::unordered_map<std::uint64_t, Access> links_;
  std::vector<Publication> publications_;              // by number
  std::unordered_map<std::uint64_t, Access> readers_;  // of publications: by number and peer
  std::uint32_t writes_ = 0;
};

}  // namespace rondo
