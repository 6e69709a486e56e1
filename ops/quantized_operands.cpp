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

void check_lines(const ir::Tensor& tensor, const ir::Dims& matrix, MatrixLines lines,
                 std::string_view name) {
  if (tensor.size() == 1) return;
  const bool by_row = lines == MatrixLines::kRows;
  int64_t count = 1;  // a vector on the left is one row, on the right one column
  if (matrix.size() > 1) count = by_row ? matrix[matrix.size() - 2] : matrix.back();
  ir::Dims each = matrix;
  if (each.size() > 1) each[each.size() - (by_row ? 1 : 2)] = 1;
  if (tensor.dims() == ir::Dims{count} || (each.size() > 1 && tensor.dims() == each)) return;
  fail(ErrorCode::kBadInput, "{}: expected one element, shape [{}] or {}, found {}", name, count,
       ir::to_string(each), ir::to_string(tensor.dims()));
}

void check_8_bit(ir::DataType type, std::string_view name) {
  if (type == ir::DataType::kUint8 || type == ir::DataType::kInt8) return;
  fail(ErrorCode::kBadInput, "expected uint8 or int8 for the operand of {}, found {}", name,
       ir::data_type_name(type));
}

ZeroPoints zero_point_values(const ir::Tensor& tensor, ir::DataType type, std::string_view name) {
  if (tensor.type() != type) {
    fail(ErrorCode::kBadInput, "{}: expected {} as its operand, found {}", name,
         ir::data_type_name(type), ir::data_type_name(tensor.type()));
  }
  ZeroPoints out;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    out.push_back(static_cast<int32_t>(ir::element_as_int(tensor, i)));
  }
  return out;
}

std::vector<float> scale_values(const ir::Tensor& tensor, std::string_view name) {
  if (!is_real(tensor.type())) {
    fail(ErrorCode::kBadInput, "{}: expected a floating type, found {}", name,
         ir::data_type_name(tensor.type()));
  }
  std::vector<float> out;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    out.push_back(static_cast<float>(ir::element_as_double(tensor, i)));
  }
  return out;
}

}  // namespace

ZeroPoints zero_points(const ir::Tensor* tensor, ir::DataType type, int64_t channels,
                       std::string_view name) {
  check_8_bit(type, name);
  if (tensor == nullptr) return {0};
  check_length(*tensor, channels, name);
  return zero_point_values(*tensor, type, name);
}

std::vector<float> scales(const ir::Tensor& tensor, int64_t channels, std::string_view name) {
  check_length(tensor, channels, name);
  return scale_values(tensor, name);
}

TensorQuantization tensor_quantization(const KernelContext& context, size_t scale,
                                       ir::DataType type) {
  return {scales(context.input(scale), 1, "scale").at(0),
          zero_points(context.optional(scale + 1), type, 1, "zero point").at(0)};
}

ZeroPoints line_zero_points(const ir::Tensor* tensor, const ir::Tensor& matrix, MatrixLines lines,
                            std::string_view name) {
  check_8_bit(matrix.type(), name);
  if (tensor == nullptr) return {0};
  check_lines(*tensor, matrix.dims(), lines, name);
  return zero_point_values(*tensor, matrix.type(), name);
}

std::vector<float> line_scales(const ir::Tensor& tensor, const ir::Dims& matrix, MatrixLines lines,
                               std::string_view name) {
  check_lines(tensor, matrix, lines, name);
  return scale_values(tensor, name);
}

LoadOperand row_shifted_loader(const ir::Tensor& matrix, const ZeroPoints& zero_points,
                               int64_t columns) {
  return [&matrix, &zero_points, columns](int64_t begin, int64_t count, double* out) {
    load_doubles(matrix, begin, count, out);
    const auto lines = static_cast<int64_t>(zero_points.size());
    for (int64_t i = 0; i < count; ++i) {
      out[i] -= lines == 1 ? zero_points[0]
                           : zero_points[static_cast<size_t>((begin + i) / columns % lines)];
    }
  };
}

LoadOperand column_shifted_loader(const ir::Tensor& matrix, const ZeroPoints& zero_points,
                                  int64_t rows, int64_t columns) {
  return [&matrix, &zero_points, rows, columns](int64_t begin, int64_t count, double* out) {
    load_doubles(matrix, begin, count, out);
    const auto lines = static_cast<int64_t>(zero_points.size());
    for (int64_t i = 0; i < count; ++i) {
      const int64_t element = begin + i;
      const int64_t line = element / (rows * columns) * columns + element % columns;
      out[i] -= lines == 1 ? zero_points[0] : zero_points[static_cast<size_t>(line % lines)];
    }
  };
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
