#include "ops/quantized_contrib.h"

#include "ops/broadcast.h"
#include "ops/matrix_product.h"
#include "ops/quantized_product.h"
#include "ops/real_elements.h"
#include "ops/requantize.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

using ir::DataType;

// A scale or zero point that must be one number.
float one_scale(const KernelContext& context, size_t operand) {
  return scales(context.input(operand), 1, "scale").at(0);
}
int32_t one_zero(const KernelContext& context, size_t operand, DataType type) {
  return zero_points(context.optional(operand), type, 1, "zero point").at(0);
}

// C = saturate(round_half_even(f(a - a_zero, b - b_zero) + c_zero)) of operands (A, scale, zero, B,
// scale, zero, C's scale, C's zero). The zero point is added before rounding, as ONNX Runtime does:
// an odd one turns ties the other way.
template <typename F>
void qlinear_elementwise(KernelContext& context, F f) {
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(3);
  const DataType type = a.type();
  const int32_t a_zero = one_zero(context, 2, type);
  const int32_t b_zero = one_zero(context, 5, type);
  const float shift = static_cast<float>(one_zero(context, 7, type));
  if (b.type() != type) {
    fail(ErrorCode::kBadInput, "expected operands of one type, found {} and {}",
         ir::data_type_name(type), ir::data_type_name(b.type()));
  }
  const QuantRange range = quant_range(type);
  const ir::Dims dims = broadcast_dims(a.dims(), b.dims());
  ir::Tensor& c = context.output(0, type, dims);
  dispatch(TypeList<uint8_t, int8_t>{}, type, [&]<typename T>(Tag<T>) {
    broadcast_binary(
        dims, a.dims(), a.data<T>().data(), b.dims(), b.data<T>().data(),
        c.mutable_data<T>().data(), [&](T x, T y) {
          return static_cast<T>(round_and_saturate(f(x - a_zero, y - b_zero) + shift, 0, range));
        });
  });
}

// Bias of a product in elements of `type`: one per column; empty when omitted.
std::vector<float> column_bias(const KernelContext& context, size_t operand, int64_t columns,
                               DataType type) {
  const ir::Tensor* bias = context.optional(operand);
  if (bias == nullptr) return {};
  if (bias->dims() != ir::Dims{columns} || bias->type() != type) {
    fail(ErrorCode::kBadInput, "bias: expected {} [{}], found {} {}", ir::data_type_name(type),
         columns, ir::data_type_name(bias->type()), ir::to_string(bias->dims()));
  }
  return scales(*bias, columns, "bias");
}

// Output 0 of `type` = (a - a_zero)(b - b_zero) * (a_scale * b_scale) + bias, in float32.
void float_product(KernelContext& context, DataType type, const ir::Tensor& a, float a_scale,
                   int32_t a_zero, const ir::Tensor& b, const std::vector<float>& b_scale,
                   const ZeroPoints& b_zero, size_t bias_operand) {
  const MatMulShape s(a.dims(), b.dims());
  ir::Tensor& y = context.output(0, type, s.output);
  const std::vector<float> bias = column_bias(context, bias_operand, s.n, type);
  std::vector<double> results = scratch<double>(s.n);
  int64_t next = 0;
  quantized_matmul(
      a, {a_zero}, b, b_zero, s, [&](int64_t i, int64_t, std::span<const double> sums) {
        const int64_t matrix = s.b_matrix[static_cast<size_t>(i)];
        for (int64_t c = 0; c < s.n; ++c) {
          const auto line = static_cast<size_t>(matrix * s.n + c);
          const float factor = a_scale * b_scale[line % b_scale.size()];
          const auto sum = static_cast<float>(wrapped_int32(sums[static_cast<size_t>(c)]));
          const auto column = static_cast<size_t>(c);
          results[column] = sum * factor + (bias.empty() ? 0.0f : bias[column]);
        }
        store_doubles(results.data(), s.n, y, next);
        next += s.n;
      });
}

struct QGemmShape {
  bool trans_a;
  bool trans_b;
  int64_t m;
  int64_t n;
  int64_t k;
};

QGemmShape qgemm_shape(const ir::Node& node, const ir::Dims& a, const ir::Dims& b) {
  const bool ta = node.attr_int("transA", 0) != 0;
  const bool tb = node.attr_int("transB", 0) != 0;
  if (a.size() != 2 || b.size() != 2 || a[ta ? 0 : 1] != b[tb ? 1 : 0]) {
    fail(ErrorCode::kBadInput, "shapes {} and {} cannot be multiplied (transA {}, transB {})",
         ir::to_string(a), ir::to_string(b), ta, tb);
  }
  return {ta, tb, a[ta ? 1 : 0], b[tb ? 0 : 1], a[ta ? 0 : 1]};
}

}  // namespace

void infer_qlinear_elementwise(InferContext& context) {
  const ir::Shape* a = context.shape(0);
  const ir::Shape* b = context.shape(3);
  if (a == nullptr || b == nullptr) return context.set(0, context.element(0));
  context.set(0, context.element(0), broadcast_shapes(*a, *b));
}

void qlinear_add(KernelContext& context) {
  const float a_scale = one_scale(context, 1);
  const float b_scale = one_scale(context, 4);
  const float c_scale = one_scale(context, 6);
  qlinear_elementwise(context, [=](int32_t a, int32_t b) {
    return (static_cast<float>(a) * a_scale + static_cast<float>(b) * b_scale) / c_scale;
  });
}

void qlinear_mul(KernelContext& context) {
  const float factor =
      requantize_multiplier(one_scale(context, 1), one_scale(context, 4), one_scale(context, 6));
  qlinear_elementwise(context,
                      [=](int32_t a, int32_t b) { return static_cast<float>(a * b) * factor; });
}

void infer_qgemm(InferContext& context) {
  ir::Shape out(2);
  const ir::Shape* a = context.shape(0);
  const ir::Shape* b = context.shape(3);
  if (a != nullptr && a->size() == 2) out[0] = (*a)[context.node().attr_int("transA", 0) ? 1 : 0];
  if (b != nullptr && b->size() == 2) out[1] = (*b)[context.node().attr_int("transB", 0) ? 0 : 1];
  const DataType quantized = context.has(8) ? context.element(8) : context.element(0);
  context.set(0, context.has(7) ? quantized : DataType::kFloat, std::move(out));
}

void qgemm(KernelContext& context) {
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(3);
  const QGemmShape s = qgemm_shape(context.node(), a.dims(), b.dims());
  const float alpha = context.node().attr_float("alpha", 1.0f);
  const float a_scale = alpha * one_scale(context, 1);
  const ZeroPoints a_zero = {one_zero(context, 2, a.type())};
  const std::vector<float> b_scale = scales(context.input(4), s.n, "b_scale");
  const ZeroPoints b_zero = zero_points(context.optional(5), b.type(), s.n, "b_zero_point");
  const ir::Tensor* c = context.optional(6);
  if (c != nullptr && (c->type() != DataType::kInt32 || c->rank() > 2)) {
    fail(ErrorCode::kBadInput, "C: expected int32 of rank <= 2, found {} {}",
         ir::data_type_name(c->type()), ir::to_string(c->dims()));
  }
  const auto c_strides =
      c != nullptr ? broadcast_strides(c->dims(), {s.m, s.n}) : std::vector<int64_t>{0, 0};
  const bool quantized = context.has(7);
  const DataType type = !quantized       ? DataType::kFloat
                        : context.has(8) ? context.input(8).type()
                                         : a.type();
  const float y_scale = quantized ? one_scale(context, 7) : 1.0f;
  const int32_t y_zero = quantized ? one_zero(context, 8, type) : 0;
  const QuantRange range = quantized ? quant_range(type) : QuantRange{};
  ir::Tensor& y = context.output(0, type, {s.m, s.n});
  ir::Tensor scratch = scratch_doubles(y.size());
  double* sums = scratch.mutable_data<double>().data();
  multiply(
      {shifted_loader(a, a_zero, 1), 0, s.m, s.k, s.trans_a},
      {s.trans_b ? row_shifted_loader(b, b_zero, s.k) : column_shifted_loader(b, b_zero, s.k, s.n),
       0, s.k, s.n, s.trans_b},
      sums);
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t column = i % s.n;
    const double bias =
        c != nullptr ? ir::element_as_double(*c, i / s.n * c_strides[0] + column * c_strides[1])
                     : 0.0;
    const int32_t sum = wrapped_int32(sums[i] + bias);
    const float w_scale = b_scale[static_cast<size_t>(column) % b_scale.size()];
    if (quantized) {
      const float factor = requantize_multiplier(a_scale, w_scale, y_scale);
      reinterpret_cast<uint8_t*>(y.mutable_bytes())[i] =
          static_cast<uint8_t>(requantize_one(sum, factor, y_zero, range));
    } else {
      y.mutable_data<float>()[static_cast<size_t>(i)] =
          static_cast<float>(sum) * (a_scale * w_scale);
    }
  }
}

void infer_matmul_integer_to_float(InferContext& context) {
  infer_matmul(context, 0, 1, context.element(2));
}

void matmul_integer_to_float(KernelContext& context) {
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(1);
  const auto b_scale = line_scales(context.input(3), b.dims(), MatrixLines::kColumns, "b_scale");
  const auto b_zero =
      line_zero_points(context.optional(5), b, MatrixLines::kColumns, "b_zero_point");
  const DataType type = context.input(2).type();
  if (type != DataType::kFloat && type != DataType::kFloat16) {
    fail(ErrorCode::kBadInput, "a_scale: expected float32 or float16, found {}",
         ir::data_type_name(type));
  }
  float_product(context, type, a, one_scale(context, 2), one_zero(context, 4, a.type()), b, b_scale,
                b_zero, 6);
}

void infer_dynamic_quantize_matmul(InferContext& context) {
  infer_matmul(context, 0, 1, DataType::kFloat);
}

void dynamic_quantize_matmul(KernelContext& context) {
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(1);
  const auto values = a.data<float>();
  const DynamicQuantization q = dynamic_quantization(values);
  ir::Tensor codes(DataType::kUint8, a.dims());
  const auto to = codes.mutable_data<uint8_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    to[i] = static_cast<uint8_t>(quantize_one(values[i], q.scale, q.zero_point, {0, 255}));
  }
  const auto b_scale = line_scales(context.input(2), b.dims(), MatrixLines::kColumns, "b_scale");
  const auto b_zero =
      line_zero_points(context.optional(3), b, MatrixLines::kColumns, "b_zero_point");
  float_product(context, DataType::kFloat, codes, q.scale, q.zero_point, b, b_scale, b_zero, 4);
}

}  // namespace fettle::ops
