// Sums of sparse tensors.

#include <functional>
#include <numeric>

#include "bind/torch/backend.hpp"
#include "bind/torch/blocks.hpp"

namespace rondo_torch {

namespace {

// Everybody's rows one below the other; rank r has counts[r] of them.
at::Tensor all_gather_rows(const Run& run, const at::Tensor& rows,
                           const std::vector<std::int64_t>& counts) {
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape[0] = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  at::Tensor all = at::empty(shape, rows.options());
  const std::int64_t row =
      std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
  std::vector<std::size_t> lengths;
  for (const std::int64_t count : counts) lengths.push_back(static_cast<std::size_t>(count * row));
  all_gather(run, rows.contiguous(), all, lengths);
  return all;
}

}  // namespace

// The entries of all ranks in one tensor, which adds up those of the same place.
RondoBackend::Work RondoBackend::allreduce_sparse(Tensors& tensors,
                                                  const c10d::AllreduceOptions& options) {
  TORCH_CHECK(
      tensors.size() == 1 && tensors[0].layout() == at::kSparse && tensors[0].device().is_cpu(),
      "rondo allreduce_sparse: requires a single sparse tensor on the CPU");
  TORCH_CHECK(options.reduceOp == c10d::ReduceOp::SUM,
              "rondo allreduce: unsupported reduction operation (only SUM of sparse tensors)");
  const at::Tensor tensor = tensors[0];
  return submit({c10d::OpType::_ALLREDUCE_SPARSE, title("all_reduce"), tensors, tensors,
                 options.timeout, options.asyncOp},
                [this, tensor](const Run& run) {
                  const at::Tensor mine = tensor.coalesce();
                  const at::Tensor count = at::full({1}, mine._nnz(), at::kLong);
                  const at::Tensor counted = at::empty({size_}, at::kLong);
                  all_gather(run, count, counted);
                  const std::vector<std::int64_t> counts(counted.data_ptr<std::int64_t>(),
                                                         counted.data_ptr<std::int64_t>() + size_);
                  const at::Tensor places = all_gather_rows(run, mine._indices().t(), counts).t();
                  const at::Tensor values = all_gather_rows(run, mine._values(), counts);
                  const at::Tensor sum =
                      at::sparse_coo_tensor(places, values, tensor.sizes(), tensor.options());
                  tensor.copy_(sum.coalesce());
                });
}

}  // namespace rondo_torch
