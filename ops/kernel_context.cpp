#include "ops/kernel_context.h"

namespace fettle::ops {

const ir::Tensor& KernelContext::input(size_t i) const {
  const RuntimeValue& v = value(i);
  if (!v.is_tensor()) {
    fail(ErrorCode::kBadInput, "input {} must be a tensor, found a {}", i,
         v.kind == RuntimeValue::Kind::kSequence ? "sequence" : "non-tensor value");
  }
  return v.tensor;
}

const RuntimeValue& KernelContext::value(size_t i) const {
  if (!has(i)) fail(ErrorCode::kBadInput, "required input {} is missing", i);
  return *inputs_[i];
}

ir::Tensor& KernelContext::output(size_t i, ir::DataType type, ir::Dims dims) {
  FETTLE_ASSERT(i < outputs_.size());
  outputs_[i] = RuntimeValue(ir::Tensor(type, std::move(dims)));
  return outputs_[i].tensor;
}

void KernelContext::set_output(size_t i, RuntimeValue value) {
  FETTLE_ASSERT(i < outputs_.size());
  outputs_[i] = std::move(value);
}

int64_t normalized_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    fail(ErrorCode::kBadInput, "axis {} is out of range for a tensor of rank {}", axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

ir::Dims broadcast_dims(const ir::Dims& a, const ir::Dims& b) {
  const ir::Dims& longer = a.size() >= b.size() ? a : b;
  const ir::Dims& shorter = a.size() >= b.size() ? b : a;
  ir::Dims out = longer;
  const size_t shift = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t& d = out[i + shift];
    if (d == shorter[i] || shorter[i] == 1) continue;
    if (d != 1) {
      fail(ErrorCode::kBadInput, "shapes {} and {} cannot be broadcast together",
           ir::to_string(a), ir::to_string(b));
    }
    d = shorter[i];
  }
  return out;
}

std::vector<int64_t> row_major_strides(const ir::Dims& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) {
    // Wraps for shapes without elements, whose other extents may be anything.
    strides[i - 1] = static_cast<int64_t>(static_cast<uint64_t>(strides[i]) *
                                          static_cast<uint64_t>(dims[i]));
  }
  return strides;
}

std::vector<int64_t> broadcast_strides(const ir::Dims& from, const ir::Dims& to) {
  FETTLE_ASSERT(from.size() <= to.size());
  const std::vector<int64_t> own = row_major_strides(from);
  std::vector<int64_t> strides(to.size(), 0);
  const size_t shift = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == to[i + shift]) {
      strides[i + shift] = from[i] == 1 ? 0 : own[i];
    } else if (from[i] != 1) {
      fail(ErrorCode::kBadInput, "shape {} cannot be broadcast to {}", ir::to_string(from),
           ir::to_string(to));
    }
  }
  return strides;
}

}  // namespace fettle::ops
