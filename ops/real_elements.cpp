#include "ops/real_elements.h"

#include "ir/error.h"
#include "ops/dispatch.h"

namespace fettle::ops {
namespace {

template <typename T>
void load(const ir::Tensor& tensor, int64_t begin, int64_t count, double* out) {
  const T* in = tensor.data<T>().data() + begin;
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<double>(in[i]);
}

template <typename T>
void store(const double* values, int64_t count, ir::Tensor& tensor, int64_t begin) {
  T* out = tensor.mutable_data<T>().data() + begin;
  for (int64_t i = 0; i < count; ++i) out[i] = narrow<T>(values[i]);
}

}  // namespace

bool is_real(ir::DataType type) {
  using enum ir::DataType;
  return type == kFloat || type == kDouble || type == kFloat16 || type == kBfloat16;
}

void load_doubles(const ir::Tensor& tensor, int64_t begin, int64_t count, double* out) {
  FETTLE_ASSERT(begin >= 0 && count >= 0 && begin + count <= tensor.size());
  switch (tensor.type()) {
    case ir::DataType::kFloat:
      return load<float>(tensor, begin, count, out);
    case ir::DataType::kDouble:
      return load<double>(tensor, begin, count, out);
    case ir::DataType::kUint8:
      return load<uint8_t>(tensor, begin, count, out);
    case ir::DataType::kInt8:
      return load<int8_t>(tensor, begin, count, out);
    case ir::DataType::kInt32:
      return load<int32_t>(tensor, begin, count, out);
    default:
      for (int64_t i = 0; i < count; ++i) out[i] = ir::element_as_double(tensor, begin + i);
  }
}

void store_doubles(const double* values, int64_t count, ir::Tensor& tensor, int64_t begin) {
  FETTLE_ASSERT(begin >= 0 && count >= 0 && begin + count <= tensor.size());
  switch (tensor.type()) {
    case ir::DataType::kFloat:
      return store<float>(values, count, tensor, begin);
    case ir::DataType::kDouble:
      return store<double>(values, count, tensor, begin);
    case ir::DataType::kFloat16:
      return store<ir::Float16>(values, count, tensor, begin);
    case ir::DataType::kBfloat16:
      return store<ir::Bfloat16>(values, count, tensor, begin);
    default:
      fail(ErrorCode::kBadInput, "expected a floating-point type, found {}",
           ir::data_type_name(tensor.type()));
  }
}

void store_double(double value, ir::Tensor& tensor, int64_t index) {
  store_doubles(&value, 1, tensor, index);
}

ir::Tensor as_doubles(const ir::Tensor& tensor) {
  if (tensor.type() == ir::DataType::kDouble) return tensor;
  ir::Tensor out(ir::DataType::kDouble, tensor.dims());
  load_doubles(tensor, 0, tensor.size(), out.mutable_data<double>().data());
  return out;
}

ir::Tensor scratch_doubles(int64_t count) {
  return ir::Tensor(ir::DataType::kDouble, {count});
}

}  // namespace fettle::ops
