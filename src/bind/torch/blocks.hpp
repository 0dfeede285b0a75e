#pragma once

// Blocks of tensors one after the other, as rondo takes those of all ranks.

#include <vector>

#include "bind/torch/reduction.hpp"

namespace rondo_torch {

/// Elements of each.
std::vector<std::size_t> counts_of(const std::vector<at::Tensor>& tensors);
/// A copy of all of them, flat.
at::Tensor joined(const std::vector<at::Tensor>& tensors);
/// Flat, for all of them.
at::Tensor room_for(const std::vector<at::Tensor>& tensors);
/// Copies what joined() or room_for() gave back to them.
void divide(const at::Tensor& flat, const std::vector<at::Tensor>& tensors);

/// `output` has room for the blocks of all ranks, of counts[r] elements where they are given, else
/// all alike. Both are contiguous, here and below.
void all_gather(const Run& run, const at::Tensor& input, const at::Tensor& output,
                const std::vector<std::size_t>& counts = {});
/// Blocks of as many elements, one after the other.
void all_to_all(const Run& run, const at::Tensor& input,
                const std::vector<std::size_t>& input_counts, const at::Tensor& output,
                const std::vector<std::size_t>& output_counts);

}  // namespace rondo_torch
