#include "bind/torch/blocks.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace rondo_torch {

namespace {

std::size_t sum(const std::vector<std::size_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

std::vector<std::size_t> times(std::vector<std::size_t> counts, std::size_t factor) {
  for (std::size_t& count : counts) count *= factor;
  return counts;
}

}  // namespace

std::vector<std::size_t> counts_of(const std::vector<at::Tensor>& tensors) {
  std::vector<std::size_t> counts;
  for (const at::Tensor& tensor : tensors) {
    counts.push_back(static_cast<std::size_t>(tensor.numel()));
  }
  return counts;
}

at::Tensor joined(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> rows;
  for (const at::Tensor& tensor : tensors) rows.push_back(tensor.reshape({-1}));
  return at::cat(rows).resolve_conj().resolve_neg();
}

at::Tensor room_for(const std::vector<at::Tensor>& tensors) {
  return at::empty({static_cast<std::int64_t>(sum(counts_of(tensors)))}, tensors[0].options());
}

void divide(const at::Tensor& flat, const std::vector<at::Tensor>& tensors) {
  std::int64_t at = 0;
  for (const at::Tensor& tensor : tensors) {
    tensor.copy_(flat.narrow(0, at, tensor.numel()).view(tensor.sizes()));
    at += tensor.numel();
  }
}

void all_gather(const Run& run, const at::Tensor& input, const at::Tensor& output,
                const std::vector<std::size_t>& counts) {
  const Elements from = elements(input);
  const std::vector<std::size_t> lengths = times(counts, from.per_element);
  rondo_call call = call_of(RONDO_ALLGATHER, from.data, elements(output), from.count);
  if (std::adjacent_find(counts.begin(), counts.end(), std::not_equal_to<>()) != counts.end()) {
    call.uneven = 1;
    call.receive_counts = lengths.data();
  }
  run(call);
}

void all_to_all(const Run& run, const at::Tensor& input,
                const std::vector<std::size_t>& input_counts, const at::Tensor& output,
                const std::vector<std::size_t>& output_counts) {
  const Elements from = elements(input);
  const Elements to = elements(output);
  const auto send = times(input_counts, from.per_element);
  const auto receive = times(output_counts, to.per_element);
  std::vector<std::size_t> send_at(send.size());
  std::vector<std::size_t> receive_at(receive.size());
  std::exclusive_scan(send.begin(), send.end(), send_at.begin(), std::size_t{0});
  std::exclusive_scan(receive.begin(), receive.end(), receive_at.begin(), std::size_t{0});
  rondo_call call = call_of(RONDO_ALLTOALL, from.data, to, 0);
  call.uneven = 1;
  call.send_counts = send.data();
  call.send_displacements = send_at.data();
  call.receive_counts = receive.data();
  call.receive_displacements = receive_at.data();
  run(call);
}

}  // namespace rondo_torch
