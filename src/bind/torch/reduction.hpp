#pragma once

// PyTorch's tensors and reductions in rondo's words.

#include "bind/torch/torch_version.hpp"
#include "bind/torch/world.hpp"

namespace rondo_torch {

/// Elements that lie one after the other, as rondo takes them. Types that it does not know are
/// moved as bytes.
struct Elements {
  void* data;
  std::size_t count;
  rondo_dtype dtype;
  std::size_t per_element;  ///< how many of dtype make one of the tensor
};
Elements elements(const at::Tensor& contiguous);

/// A tensor whose elements lie in logical order without gaps: itself, or a copy.
class Flat {
 public:
  enum class Holds { elements, nothing_yet };

  Flat(const at::Tensor& tensor, Holds holds);

  const at::Tensor& tensor() const { return flat_; }
  /// Writes a copy back.
  void store() const;

 private:
  at::Tensor original_;
  at::Tensor flat_;
};

/// A reduction of tensors of one type. Throws for those that no backend could carry out.
class Reduction {
 public:
  Reduction(const c10d::ReduceOp& op, const at::Tensor& like);

  /// What rondo is to reduce instead of `input`, which is contiguous: itself, or a scaled copy.
  at::Tensor prepared(const at::Tensor& input) const;

  void allreduce(rondo_comm* comm, const Member& member, const at::Tensor& buffer) const;
  /// `buffer` has the result at the root only, and is not touched elsewhere.
  void reduce(rondo_comm* comm, const Member& member, const at::Tensor& buffer, int root) const;
  /// Rank r gets block r, of counts[r] elements of the tensor, in `output`.
  void reduce_scatter(rondo_comm* comm, const Member& member, const at::Tensor& input,
                      const at::Tensor& output, std::vector<std::size_t> counts) const;

 private:
  c10d::ReduceOp asked_;
  rondo_op op_ = RONDO_SUM;
};

}  // namespace rondo_torch
