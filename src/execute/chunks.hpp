#pragma once

// Buffers that come and go in chunks while their program runs: what a step reads is there before it
// starts, and a chunk of the result is taken away as soon as no step writes it any more. Whoever
// copies the chunks does so in the order in which this rank's program wants them. That order is
// each rank's own affair: no other one sees it.
//
// In place, too: a valid schedule writes an element of `out` only after it has read what `in` has
// there, for which the whole chunk had to come. What no step reads never comes.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "execute/handover.hpp"
#include "execute/sized_program.hpp"

namespace rondo {

/// A buffer, cut into chunks of one length, of which some are numbered, from 1, in some order.
class Chunks {
 public:
  struct Extent {
    std::size_t offset = 0;  ///< bytes
    std::size_t bytes = 0;
  };

  /// In the order in which they lie. An empty buffer is one empty chunk.
  Chunks(std::size_t bytes, std::size_t chunk_bytes);

  std::uint32_t size() const { return static_cast<std::uint32_t>(places_.size()); }
  Extent extent(std::uint32_t number) const;
  std::uint32_t place(std::uint32_t number) const { return places_[number - 1]; }

  /// The places, from 0, that some bytes lie in: first and one past the last.
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  Range places_of(const Location& location, std::size_t element_bytes) const;
  /// How many must have come until all of those are there.
  std::uint32_t needed(Range places) const;

  /// The places that are numbered, one or more.
  void set_order(std::vector<std::uint32_t> places);

 private:
  std::size_t bytes_;
  std::size_t chunk_bytes_;
  std::vector<std::uint32_t> places_;   // by number
  std::vector<std::uint32_t> numbers_;  // by place
};

/// For a rank's program: its input in the order in which it is first read, and its result in the
/// order in which it is final, as far as the rank can know without its peers.
class ChunkOrder {
 public:
  struct Bytes {
    std::size_t in = 0;
    std::size_t out = 0;
  };
  ChunkOrder(const SizedProgram& sized, Bytes buffers, Bytes chunks);

  const Chunks& in() const { return in_; }
  const Chunks& out() const { return out_; }
  /// How often a run writes into a place of the result.
  const std::vector<std::uint32_t>& writes() const { return writes_; }

 private:
  Chunks in_;
  Chunks out_;
  std::vector<std::uint32_t> writes_;
};

/// How far the chunks of one run have come.
class Crossing {
 public:
  /// Both must outlive the run.
  void start(const SizedProgram& sized, const ChunkOrder& order, Handover& handover);

  /// Whether all is there that a part of a step's tile reads. Throws the handover's Error.
  bool may_read(const Step& step, std::uint32_t part, std::size_t tile);
  /// It has been carried out.
  void has_written(const Step& step, std::uint32_t part, std::size_t tile);
  bool has_all_input() const { return given_ == order_->in().size(); }

 private:
  void take_final();

  const SizedProgram* sized_ = nullptr;
  const ChunkOrder* order_ = nullptr;
  Handover* handover_ = nullptr;
  std::uint32_t given_ = 0;
  std::uint32_t taken_ = 0;
  std::vector<std::uint32_t> writes_left_;  // by place
};

}  // namespace rondo
