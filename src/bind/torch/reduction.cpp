#include "bind/torch/reduction.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace rondo_torch {

namespace {

std::optional<rondo_dtype> native(at::ScalarType type) {
  switch (type) {
    case at::kChar:
      return RONDO_I8;
    case at::kByte:
      return RONDO_U8;
    case at::kShort:
      return RONDO_I16;
    case at::kUInt16:
      return RONDO_U16;
    case at::kInt:
      return RONDO_I32;
    case at::kUInt32:
      return RONDO_U32;
    case at::kLong:
      return RONDO_I64;
    case at::kUInt64:
      return RONDO_U64;
    case at::kHalf:
      return RONDO_F16;
    case at::kBFloat16:
      return RONDO_BF16;
    case at::kFloat:
      return RONDO_F32;
    case at::kDouble:
      return RONDO_F64;
    case at::kFloat8_e4m3fn:
      return RONDO_F8E4M3;
    case at::kFloat8_e5m2:
      return RONDO_F8E5M2;
    case at::kBool:
      return RONDO_U8;  // 0 or 1
    default:
      return std::nullopt;
  }
}

const char* name(c10d::ReduceOp::RedOpType op) {
  constexpr std::array names = {"SUM",  "AVG", "PRODUCT", "MIN",        "MAX",
                                "BAND", "BOR", "BXOR",    "PREMUL_SUM", "UNUSED"};
  return static_cast<std::size_t>(op) < names.size() ? names[op] : "of an unknown number";
}

std::optional<rondo_op> native(c10d::ReduceOp::RedOpType op) {
  switch (op) {
    case c10d::ReduceOp::SUM:
    case c10d::ReduceOp::PREMUL_SUM:
      return RONDO_SUM;
    case c10d::ReduceOp::AVG:
      return RONDO_AVG;
    case c10d::ReduceOp::PRODUCT:
      return RONDO_PROD;
    case c10d::ReduceOp::MIN:
      return RONDO_MIN;
    case c10d::ReduceOp::MAX:
      return RONDO_MAX;
    case c10d::ReduceOp::BAND:
      return RONDO_BAND;
    case c10d::ReduceOp::BOR:
      return RONDO_BOR;
    case c10d::ReduceOp::BXOR:
      return RONDO_BXOR;
    default:
      return std::nullopt;
  }
}

// Of truth values, which are bytes of 0 and 1.
std::optional<rondo_op> of_bool(c10d::ReduceOp::RedOpType op) {
  switch (op) {
    case c10d::ReduceOp::SUM:
    case c10d::ReduceOp::MAX:
    case c10d::ReduceOp::BOR:
      return RONDO_BOR;
    case c10d::ReduceOp::PRODUCT:
    case c10d::ReduceOp::MIN:
    case c10d::ReduceOp::BAND:
      return RONDO_BAND;
    case c10d::ReduceOp::BXOR:
      return RONDO_BXOR;
    default:
      return std::nullopt;
  }
}

bool has_order(at::ScalarType type) {
  return !at::isComplexType(type);
}

}  // namespace

Elements elements(const at::Tensor& contiguous) {
  const auto count = static_cast<std::size_t>(contiguous.numel());
  void* data = count == 0 ? nullptr : contiguous.data_ptr();
  at::ScalarType type = contiguous.scalar_type();
  std::size_t per_element = 1;
  if (type == at::kComplexFloat || type == at::kComplexDouble) {
    type = c10::toRealValueType(type);
    per_element = 2;
  }
  if (const auto dtype = native(type)) return {data, count * per_element, *dtype, per_element};
  per_element = static_cast<std::size_t>(contiguous.element_size());
  return {data, count * per_element, RONDO_U8, per_element};
}

rondo_call call_of(rondo_collective collective, const void* send, const Elements& receive,
                   std::size_t count) {
  rondo_call call = RONDO_CALL_INIT;
  call.collective = collective;
  call.send = send;
  call.receive = receive.data;
  call.count = count;
  call.dtype = receive.dtype;
  return call;
}

Flat::Flat(const at::Tensor& tensor, Holds holds) : original_(tensor) {
  if (tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg()) {
    flat_ = tensor;
  } else if (holds == Holds::elements) {
    flat_ = tensor.resolve_conj().resolve_neg().clone(at::MemoryFormat::Contiguous);
  } else {
    flat_ = at::empty(tensor.sizes(), tensor.options());
  }
}

void Flat::store() const {
  if (!flat_.is_same(original_)) original_.copy_(flat_);
}

Reduction::Reduction(const c10d::ReduceOp& op, const at::Tensor& like) : asked_(op) {
  const at::ScalarType type = like.scalar_type();
  const auto kind = static_cast<c10d::ReduceOp::RedOpType>(op);
  TORCH_CHECK(native(type) || at::isComplexType(type), "rondo cannot reduce tensors of ", type,
              "; convert them first");
  TORCH_CHECK_VALUE(has_order(type) || kind == c10d::ReduceOp::SUM || kind == c10d::ReduceOp::AVG ||
                        kind == c10d::ReduceOp::PREMUL_SUM,
                    "rondo cannot reduce tensors of ", type, " with ", name(kind));
  const bool is_bitwise =
      kind == c10d::ReduceOp::BAND || kind == c10d::ReduceOp::BOR || kind == c10d::ReduceOp::BXOR;
  TORCH_CHECK_VALUE(!is_bitwise || at::isIntegralType(type, /*includeBool=*/true),
                    "Cannot use ReduceOp.", name(kind), " with non-integral dtype ", type);
  const auto known = type == at::kBool ? of_bool(kind) : native(kind);
  TORCH_CHECK_VALUE(known, "rondo cannot reduce tensors of ", type, " with ", name(kind));
  op_ = *known;
  if (kind == c10d::ReduceOp::PREMUL_SUM) {
    TORCH_CHECK_VALUE(op.supplement_, "PREMUL_SUM has no factor");
  }
}

at::Tensor Reduction::prepared(const at::Tensor& input) const {
  if (asked_ != c10d::ReduceOp::PREMUL_SUM) return input;
  const auto& factor = static_cast<const Factor&>(*asked_.supplement_);
  const at::ScalarType type = input.scalar_type();
  // PyTorch multiplies no 8-bit floats.
  const at::ScalarType wide = at::isFloat8Type(type) ? at::kFloat : type;
  if (factor.tensor_factor.defined()) {
    return input.to(wide).mul(factor.tensor_factor.to(wide).reshape({})).to(type);
  }
  return input.to(wide).mul(factor.double_factor).to(type);
}

void Reduction::allreduce(const Run& run, const at::Tensor& buffer) const {
  const at::Tensor input = prepared(buffer);
  const Elements to = elements(buffer);
  rondo_call call = call_of(RONDO_ALLREDUCE, elements(input).data, to, to.count);
  call.op = op_;
  run(call);
}

void Reduction::reduce(const Run& run, const at::Tensor& buffer, int root, bool is_root) const {
  const at::Tensor input = prepared(buffer);
  Elements to = elements(buffer);
  if (!is_root) to.data = nullptr;
  rondo_call call = call_of(RONDO_REDUCE, elements(input).data, to, to.count);
  call.op = op_;
  call.root = root;
  run(call);
}

void Reduction::reduce_scatter(const Run& run, const at::Tensor& input, const at::Tensor& output,
                               std::vector<std::size_t> counts) const {
  const at::Tensor given = prepared(input);
  const Elements to = elements(output);
  for (std::size_t& count : counts) count *= to.per_element;
  rondo_call call = call_of(RONDO_REDUCE_SCATTER, elements(given).data, to, to.count);
  call.op = op_;
  call.uneven = !std::equal(counts.begin() + 1, counts.end(), counts.begin());
  if (call.uneven != 0) call.send_counts = counts.data();
  run(call);
}

}  // namespace rondo_torch
