#include "interp/movement_kernel.h"

#include <algorithm>
#include <cstring>

namespace fettle::interp {

namespace {

constexpr size_t kMostBytes = 1024;  // of an operand whose contents are remembered

}  // namespace

std::optional<std::vector<int64_t>> small_ints(const ir::Tensor* tensor) {
  if (tensor == nullptr || tensor->rank() > 1 || tensor->size() > 64) return std::nullopt;
  const auto count = static_cast<size_t>(tensor->size());
  std::vector<int64_t> values(count);
  if (tensor->type() == ir::DataType::kInt64) {
    if (count > 0) std::memcpy(values.data(), tensor->bytes(), count * sizeof(int64_t));
  } else if (tensor->type() == ir::DataType::kInt32) {
    std::copy_n(tensor->data<int32_t>().data(), count, values.data());
  } else {
    return std::nullopt;
  }
  return values;
}

std::optional<size_t> axis_within(int64_t axis, size_t rank) {
  const auto count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count) return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

std::optional<std::vector<size_t>> distinct_axes_within(const std::vector<int64_t>& axes,
                                                        size_t rank) {
  std::vector<size_t> result;
  for (const int64_t given : axes) {
    const auto axis = axis_within(given, rank);
    if (!axis || std::find(result.begin(), result.end(), *axis) != result.end()) {
      return std::nullopt;
    }
    result.push_back(*axis);
  }
  return result;
}

ir::Tensor view_of(const ir::Tensor& tensor, ir::Dims dims, size_t byte_offset) {
  const auto own = static_cast<size_t>(tensor.bytes() - tensor.buffer()->data());
  return ir::Tensor(tensor.type(), std::move(dims), tensor.buffer(), own + byte_offset);
}

std::optional<ir::Dims> broadcast_of(const ir::Dims& a, const ir::Dims& b) {
  ir::Dims out = a.size() >= b.size() ? a : b;
  const ir::Dims& other = a.size() >= b.size() ? b : a;
  const size_t lead = out.size() - other.size();
  for (size_t k = 0; k < other.size(); ++k) {
    int64_t& d = out[lead + k];
    if (d == other[k] || other[k] == 1) continue;
    if (d != 1) return std::nullopt;
    d = other[k];
  }
  return out;
}

int64_t extents_between(const ir::Dims& dims, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t k = begin; k < end; ++k) product *= dims[k];
  return product;
}

bool MovementKernel::unchanged(Call& call) const {
  for (size_t i = 0; i < operands_.size(); ++i) {
    const Operand& held = operands_[i];
    if (i < shapes_) {
      if (call.type(i) != held.type) return false;
      if (held.type != ir::DataType::kUndefined && *call.dims(i) != held.dims) return false;
    } else if (by_contents(call, i)) {
      const ir::Tensor* tensor = call.tensor(i);
      if (tensor == nullptr || tensor->type() != held.type || tensor->dims() != held.dims ||
          (!held.contents.empty() &&
           std::memcmp(tensor->bytes(), held.contents.data(), held.contents.size()) != 0)) {
        return false;
      }
    }
  }
  return true;
}

bool MovementKernel::remember(Call& call) {
  operands_.resize(call.input_count());
  for (size_t i = 0; i < operands_.size(); ++i) {
    Operand& held = operands_[i];
    held = {};
    if (i < shapes_) {
      held.type = call.type(i);
      if (held.type != ir::DataType::kUndefined) held.dims = *call.dims(i);
    } else if (by_contents(call, i)) {
      const ir::Tensor* tensor = call.tensor(i);
      if (tensor == nullptr || tensor->type() == ir::DataType::kString ||
          tensor->byte_size() > kMostBytes) {
        return false;
      }
      held.type = tensor->type();
      held.dims = tensor->dims();
      if (tensor->size() > 0) {
        held.contents.assign(tensor->bytes(), tensor->bytes() + tensor->byte_size());
      }
    }
  }
  return true;
}

bool MovementKernel::run(Call& call) {
  if (!prepared_ || !unchanged(call)) {
    prepared_ = false;
    if (!prepare(call) || !remember(call)) return false;
    prepared_ = true;
  }
  return execute(call);
}

}  // namespace fettle::interp
