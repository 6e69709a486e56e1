#include "ops/quantized_operands.h"

#include "ir/error.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// One element of any shape of one element, or a vector of `channels`.
void check_length(const ir::Tensor& tensor, int64_t channels, std::string_view name) {
  const bool single = tensor.size() == 1;
  const bool vector = tensor.rank() == 1 && tensor.size() == channels;
  if (!single && !vector) {
    fail(ErrorCode::kBadInput, "{}: expected one element or a vector of {}, found shape {}", name,
         channels, ir::to_string(tensor.dims()));
  }
}

}  // namespace

ZeroPoints zero_points(const ir::Tensor* tensor, ir::DataType type, int64_t channels,
                       std::string_view name) {
  if (type != ir::DataType::kUint8 && type != ir::DataType::kInt8) {
    fail(ErrorCode::kBadInput, "expected uint8 or int8 for the operand of {}, found {}", name,
         ir::data_type_name(type));
  }
  if (tensor == nullptr) return {0};
  if (tensor->type() != type) {
    fail(ErrorCode::kBadInput, "{}: expected {} as its operand, found {}", name,
         ir::data_type_name(type), ir::data_type_name(tensor->type()));
  }
  check_length(*tensor, channels, name);
  ZeroPoints out;
  for (int64_t i = 0; i < tensor->size(); ++i) {
    out.push_back(static_cast<int32_t>(ir::element_as_int(*tensor, i)));
  }
  return out;
}

std::vector<float> scales(const ir::Tensor& tensor, int64_t channels, std::string_view name) {
  if (!is_real(tensor.type())) {
    fail(ErrorCode::kBadInput, "{}: expected a floating type, found {}", name,
         ir::data_type_name(tensor.type()));
  }
  check_length(tensor, channels, name);
  std::vector<float> out;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    out.push_back(static_cast<float>(ir::element_as_double(tensor, i)));
  }
  return out;
}

LoadOperand shifted_loader(const ir::Tensor& tensor, const ZeroPoints& zero_points,
                           int64_t channel_size) {
  return [&tensor, &zero_points, channel_size](int64_t begin, int64_t count, double* out) {
    load_doubles(tensor, begin, count, out);
    if (zero_points.size() == 1) {
      for (int64_t i = 0; i < count; ++i) out[i] -= zero_points[0];
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      out[i] -= zero_points[static_cast<size_t>((begin + i) / channel_size)];
    }
  };
}

}  // namespace fettle::ops
