#pragma once

// A program for so many elements: what only the sizes of a run decide, worked out once for all
// calls that are alike.

#include <cstddef>
#include <memory>
#include <vector>

#include "execute/reduction.hpp"
#include "rondo/schedule.hpp"
#include "schedule/layout.hpp"

namespace rondo {

/// Results of so many bytes have left the second cache when somebody looks at them.
inline constexpr std::size_t least_streamed = 256 << 10;

/// Blocks of different lengths, and where they lie. The lengths of what this rank gives and of what
/// it gets differ in alltoall only, where the size of a step is that of the side it is for: of a
/// send what is given, of a recv what is got.
struct UnevenBlocks {
  Layout in;
  Layout out;
  std::vector<std::size_t> in_displacements = {};  ///< elements, by block; none: side by side
  std::vector<std::size_t> out_displacements = {};
  /// Messages travel segment by segment, since a run of them may not lie side by side. All ranks
  /// must do so, or none.
  bool by_segment = false;
};

/// How much of what a program is carried out on.
struct Amount {
  std::size_t count = 0;  ///< elements a block, see Layout
  DType dtype = DType::u8;
  Op op = Op::sum;
  std::size_t tile_bytes = 0;  ///< bytes of a segment moved at once; 0: whole segments
  std::shared_ptr<const UnevenBlocks> uneven = nullptr;  ///< instead of `count`
};

/// Where elements lie, whatever the addresses of the buffers are.
struct Location {
  Buffer buffer = Buffer::in;
  std::size_t offset = 0;  ///< bytes
  std::size_t count = 0;   ///< elements
};

class SizedProgram {
 public:
  /// The program must outlive it.
  SizedProgram(const Program& program, Amount amount);

  const Program& program() const { return program_; }
  const Amount& amount() const { return amount_; }
  /// Lengths of what is given, and of what is got.
  const Layout& in() const { return amount_.uneven ? amount_.uneven->in : even_; }
  const Layout& out() const { return amount_.uneven ? amount_.uneven->out : even_; }
  const Reduction& reduction() const { return reduction_; }
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  std::size_t tiles() const { return tiles_; }
  std::size_t window_tiles() const { return window_tiles_; }  ///< see schedule/window.hpp
  /// Results are stored past the cache, where nobody needs them soon.
  bool is_streamed() const { return is_streamed_; }
  /// The same of what a step makes, which no other one reads.
  bool is_streamed(const Step& step) const {
    return is_streamed_ && !is_read_again_[number_of(step)];
  }
  /// A recv whose sum may be made where the next step, a copy, takes it, if that one may begin:
  /// see schedule/direct_sums.hpp.
  bool makes_direct_sum(const Step& recv) const {
    return !makes_direct_sum_.empty() && makes_direct_sum_[number_of(recv)];
  }
  /// How many sends a publication has; 1 for a send in none.
  std::uint32_t readers_of(std::uint32_t publication) const { return readers_[publication]; }
  std::size_t publications() const { return readers_.size(); }  ///< with none, number 0

  /// In how many parts a step's message travels: whole, or in two where its run goes round the end
  /// of the vector; cut into tiles, segment by segment, since the same tile of two segments does
  /// not lie side by side.
  std::uint32_t parts(const Step& step) const {
    if (is_short()) return 1;
    return is_whole_ ? count_runs(step) : step.count;
  }
  /// The tile of what a part of a message moves.
  Location source_part(const Step& step, std::uint32_t part, std::size_t tile) const {
    return is_short() ? locations_of(step)[0] : locate_part(step, step.source(), part, tile);
  }
  Location destination_part(const Step& step, std::uint32_t part, std::size_t tile) const {
    return is_short() ? locations_of(step)[1] : locate_part(step, step.destination(), part, tile);
  }
  /// The tile of one of the segments that a step copies or sums up.
  Location source(const Step& step, std::uint32_t segment, std::size_t tile) const {
    return is_short() ? locations_of(step)[2 * segment]
                      : locate(step, step.source(), segment, tile);
  }
  Location destination(const Step& step, std::uint32_t segment, std::size_t tile) const {
    return is_short() ? locations_of(step)[2 * segment + 1]
                      : locate(step, step.destination(), segment, tile);
  }
  /// One segment of a slice of a step of any kind, untiled.
  Location segment(const Step& step, Slice slice, std::uint32_t index) const {
    return locate(step, slice, index, 0);
  }

 private:
  /// So few steps, each on so few segments, that all locations are worked out in advance: small
  /// messages take less time than that.
  bool is_short() const { return !first_location_.empty(); }
  const Location* locations_of(const Step& step) const {
    return locations_.data() + first_location_[number_of(step)];
  }
  std::size_t number_of(const Step& step) const {
    return static_cast<std::size_t>(&step - program_.steps.data());
  }
  std::uint32_t count_runs(const Step& step) const;
  Location locate_part(const Step& step, Slice slice, std::uint32_t part, std::size_t tile) const;
  Location locate(const Step& step, Slice slice, std::uint32_t skip, std::size_t tile) const;
  const Layout& layout_of(const Step& step) const;
  std::size_t begin_of(Buffer buffer, std::size_t segment) const;
  void find_locations();

  const Program& program_;
  Amount amount_;
  Layout even_;
  Reduction reduction_;
  std::size_t longest_ = 0;
  std::size_t mirror_elements_ = 0;
  std::size_t scratch_bytes_ = 0;
  std::size_t tile_elements_ = 0;
  std::size_t tiles_ = 1;
  std::size_t window_tiles_ = 1;
  std::vector<std::uint32_t> readers_ = {1};  // by publication
  bool is_streamed_ = false;
  std::vector<bool> is_read_again_;     // what a step makes, by step; where results are streamed
  bool is_whole_ = true;                // a run of segments travels as one message
  std::vector<bool> makes_direct_sum_;  // by step; empty where none does
  // Of a short program: for each step its sources and destinations by turns.
  std::vector<Location> locations_;
  std::vector<std::uint32_t> first_location_;
};

}  // namespace rondo
