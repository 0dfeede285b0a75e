#pragma once

// Sizes: how they are written, which ones a run goes through, and how much a call of a size moves.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/types.hpp"

namespace rondo::bench {

/// "64", "4K", "1.5M", "2G": bytes, with binary suffixes in either case.
std::optional<std::size_t> parse_size(std::string_view text);

/// From min to max, times `factor`, or plus `step` where that is not 0.
std::vector<std::size_t> sweep(std::size_t min, std::size_t max, std::size_t factor,
                               std::size_t step);

/// What is measured: a collective, or where there is none, "sendrecv": every rank sends to the next
/// one and receives from the one before, in one exchange.
using Subject = std::optional<Collective>;

std::string_view name_of(Subject subject);
/// Nothing where the text names neither.
std::optional<Subject> parse_subject(std::string_view text);
/// "allreduce, …, sendrecv".
std::string subject_names();

/// One kind of call that is measured.
struct Case {
  Subject collective = Collective::allreduce;
  DType dtype = DType::f32;
  Op op = Op::sum;
  int root = 0;
  int ranks = 1;
  std::size_t count = 0;  ///< elements, as the call takes them: per rank for allgather …
  bool in_place = false;

  bool reduces() const;
  bool has_root() const;
  bool has_blocks() const;  ///< whether one side holds a block for each rank
  std::size_t send_elements() const;
  std::size_t receive_elements() const;
  /// The size that the table shows: of the longer buffer.
  std::size_t bytes() const;
};

/// The count for a requested size. With a block for each rank: per rank, rounded down to 16
/// bytes as in nccl-tests, so that the size can be smaller than the requested one.
std::size_t count_for(Subject collective, DType dtype, int ranks, std::size_t bytes);

/// What algorithm bandwidth is multiplied by for the traffic that each link must carry, so that
/// figures for different numbers of ranks can be compared.
double bus_factor(Subject collective, int ranks);

}  // namespace rondo::bench
