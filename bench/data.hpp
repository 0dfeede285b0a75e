#pragma once

// Data for which the right result is known.
//
// Exact data: each element is a function of (seed, rank, index), built so that every order of
// summation gives the same bits. Floats are small whole numbers times one power of two per
// element, so that no partial sum is rounded; products mix one full mantissa with powers of two.
// Where a type is too narrow for contributions of all ranks, only some ranks contribute to an
// element, and which ones changes from element to element. No contribution is neutral and none
// depends on another, so a lost, doubled or moved one shows; in minima, maxima, bitwise and logical
// operations not at every element, and not if it is doubled where nothing is lost.
//
// Random data: floats with full mantissas. The result is known as a number in a wider type, and
// its distance is measured in units in the last place.

#include <cstddef>
#include <cstdint>

#include "rondo/types.hpp"

namespace rondo::bench {

struct Pattern {
  DType dtype = DType::f32;
  Op op = Op::sum;
  bool reduces = true;  ///< else elements are arbitrary bits, which only move
  bool random = false;
  int ranks = 1;
  std::uint64_t seed = 0;
  int reduced = 0;  ///< a result is over the ranks 0…reduced - 1; 0: over all
};

/// What `rank` contributes: elements [first, first + count) of its send buffer.
void fill_input(const Pattern& pattern, int rank, std::size_t first, void* data, std::size_t count);

/// What comparing found.
struct Findings {
  std::uint64_t wrong = 0;  ///< elements
  double max_ulp = 0;       ///< largest distance; random floats only

  Findings& operator+=(const Findings& other);
};

/// Elements of `data` that are not what `rank` contributed at [first, first + count).
Findings compare_with_input(const Pattern& pattern, int rank, std::size_t first, const void* data,
                            std::size_t count);

/// Elements of `data` that are not the reduction over the ranks of [first, first + count).
/// Exact: other bits. Random floats: further off than rounding after every addition explains.
Findings compare_with_reduction(const Pattern& pattern, std::size_t first, const void* data,
                                std::size_t count);

/// A hash of bytes, to compare the bits of ranks and runs.
std::uint64_t fingerprint(const void* data, std::size_t bytes);

}  // namespace rondo::bench
