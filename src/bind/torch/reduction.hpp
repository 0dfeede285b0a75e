#pragma once

// PyTorch's tensors and reductions in rondo's words.

#include <functional>

#include "bind/torch/torch_version.hpp"
#include "rondo/rondo.h"

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

/// Carries a collective out, or gives it to a stream. Throws where that fails.
using Run = std::function<void(const rondo_call& call)>;
/// What an operation does with its tensors, by as many collectives as it takes.
using Body = std::function<void(const Run& run)>;

/// `receive` has the type; `count` is that of `send`, of `receive` or of a block, as in the
/// function of this collective.
rondo_call call_of(rondo_collective collective, const void* send, const Elements& receive,
                   std::size_t count);

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

  void allreduce(const Run& run, const at::Tensor& buffer) const;
  /// `buffer` has the result at the root only, and is not touched elsewhere.
  void reduce(const Run& run, const at::Tensor& buffer, int root, bool is_root) const;
  /// Rank r gets block r, of counts[r] elements of the tensor, in `output`.
  void reduce_scatter(const Run& run, const at::Tensor& input, const at::Tensor& output,
                      std::vector<std::size_t> counts) const;

 private:
  c10d::ReduceOp asked_;
  rondo_op op_ = RONDO_SUM;
};

}  // namespace rondo_torch
