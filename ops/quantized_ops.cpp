// QLinearConv and QLinearMatMul, and the rows of com.microsoft's quantized operators: exact integer
// sums as an int32 accumulator holds them, then requantize_one() of ops/requantize.h.
#include "ops/channels_last.h"
#include "ops/convolution.h"
#include "ops/correlation.h"
#include "ops/families.h"
#include "ops/quantized_contrib.h"
#include "ops/quantized_product.h"
#include "ops/requantize.h"

namespace fettle::ops {
namespace {

void store_code(ir::Tensor& y, int64_t index, int32_t code) {
  reinterpret_cast<uint8_t*>(y.mutable_bytes())[index] = static_cast<uint8_t>(code);
}

// The convolution of x [N, C, spatial...] with the other operands of QLinearConv.
ir::Tensor convolved(const KernelContext& context, const ir::Tensor& x) {
  const ir::Tensor& w = context.input(3);
  const Window window = conv_window(context.node(), x.dims(), w.dims());
  const int64_t maps = w.dim(0);
  const float x_scale = scales(context.input(1), 1, "x_scale").at(0);
  const ZeroPoints x_zero = zero_points(context.optional(2), x.type(), 1, "x_zero_point");
  const std::vector<float> w_scale = scales(context.input(4), maps, "w_scale");
  const ZeroPoints w_zero = zero_points(context.optional(5), w.type(), maps, "w_zero_point");
  const float y_scale = scales(context.input(6), 1, "y_scale").at(0);
  const ir::DataType type = context.has(7) ? context.input(7).type() : x.type();
  const int32_t y_zero = zero_points(context.optional(7), type, 1, "y_zero_point").at(0);
  const ir::Tensor* bias = context.optional(8);
  if (bias != nullptr && (bias->type() != ir::DataType::kInt32 || bias->dims() != ir::Dims{maps})) {
    fail(ErrorCode::kBadInput, "B: expected int32 of shape [{}], found {} {}", maps,
         ir::data_type_name(bias->type()), ir::to_string(bias->dims()));
  }
  ir::Tensor y(type, conv_output_dims(window, x.dims(), w.dims()));
  auto* out = reinterpret_cast<uint8_t*>(y.mutable_bytes());
  const QuantRange range = quant_range(type);
  convolve(window, x.dims(), w.dims(), shifted_loader(x, x_zero, x.size()),
           shifted_loader(w, w_zero, maps == 0 ? 0 : w.size() / maps),
           [&](int64_t n, int64_t m, std::span<const double> map) {
             const float factor = requantize_multiplier(
                 x_scale, w_scale[w_scale.size() == 1 ? 0 : static_cast<size_t>(m)], y_scale);
             const double b = bias != nullptr ? ir::element_as_double(*bias, m) : 0.0;
             uint8_t* to = out + (n * maps + m) * static_cast<int64_t>(map.size());
             for (const double sum : map) {
               *to++ = static_cast<uint8_t>(
                   requantize_one(wrapped_int32(sum + b), factor, y_zero, range));
             }
           });
  return y;
}

void qlinear_conv(KernelContext& context) {
  context.set_output(0, convolved(context, context.input(0)));
}

// The weights are [M, C/group, kernel...] for either layout of X and Y.
void contrib_qlinear_conv(KernelContext& context) {
  if (!has_channels_last(context.node())) return qlinear_conv(context);
  context.set_output(
      0, channels_moved_back(convolved(context, channels_moved_forward(context.input(0)))));
}

void qlinear_matmul(KernelContext& context) {
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(3);
  const MatMulShape s(a.dims(), b.dims());
  const auto a_scale = line_scales(context.input(1), a.dims(), MatrixLines::kRows, "a_scale");
  const auto a_zero = line_zero_points(context.optional(2), a, MatrixLines::kRows, "a_zero_point");
  const auto b_scale = line_scales(context.input(4), b.dims(), MatrixLines::kColumns, "b_scale");
  const auto b_zero =
      line_zero_points(context.optional(5), b, MatrixLines::kColumns, "b_zero_point");
  const ir::DataType type = context.has(7) ? context.input(7).type() : a.type();
  ir::Tensor& y = context.output(0, type, s.output);
  const auto y_scale = line_scales(context.input(6), y.dims(), MatrixLines::kRows, "y_scale");
  const auto y_zero = line_zero_points(context.optional(7), y, MatrixLines::kRows, "y_zero_point");
  const QuantRange range = quant_range(type);
  const auto at = [](const auto& values, int64_t line) {
    return values[static_cast<size_t>(line) % values.size()];
  };
  int64_t next = 0;
  quantized_matmul(
      a, a_zero, b, b_zero, s, [&](int64_t i, int64_t row, std::span<const double> sums) {
        const auto matrix = static_cast<size_t>(i);
        const float row_scale = at(a_scale, s.a_matrix[matrix] * s.m + row);
        const float out_scale = at(y_scale, i * s.m + row);
        const int32_t zero = at(y_zero, i * s.m + row);
        for (int64_t c = 0; c < s.n; ++c) {
          const float factor = requantize_multiplier(
              row_scale, at(b_scale, s.b_matrix[matrix] * s.n + c), out_scale);
          store_code(
              y, next++,
              requantize_one(wrapped_int32(sums[static_cast<size_t>(c)]), factor, zero, range));
        }
      });
}

ir::DataType output_element(const InferContext& context) {
  return context.has(7) ? context.element(7) : context.element(0);
}

void infer_qlinear_conv(InferContext& context) {
  infer_convolution(context, 0, 3, output_element(context));
}

void infer_contrib_qlinear_conv(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (!has_channels_last(context.node()) || x == nullptr) return infer_qlinear_conv(context);
  ValueFacts moved = context.facts(0);
  moved.type.shape = channels_moved_forward(*x);
  std::vector<const ValueFacts*> facts(context.input_count(), nullptr);
  for (size_t i = 0; i < facts.size(); ++i) {
    if (context.has(i)) facts[i] = i == 0 ? &moved : &context.facts(i);
  }
  InferContext conv(context.node(), context.opset(), std::move(facts), {});
  infer_qlinear_conv(conv);
  const ir::Type& y = conv.outputs().at(0).type;
  if (!y.shape) return context.set(0, y.element);
  context.set(0, y.element, channels_moved_back(*y.shape));
}

void infer_qlinear_matmul(InferContext& context) {
  infer_matmul(context, 0, 3, output_element(context));
}

int64_t conv_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                  const std::vector<ir::Dims>& outputs) {
  return convolution_macs(inputs, outputs, 3);
}

int64_t product_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                     const std::vector<ir::Dims>& outputs) {
  return inputs.empty() || outputs.empty() ? 0 : matmul_macs(inputs[0], outputs[0]);
}

int64_t qgemm_macs(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                   const std::vector<ir::Dims>& outputs) {
  if (inputs.empty() || inputs[0].size() != 2 || outputs.empty()) return 0;
  return matmul_macs({inputs[0][node.attr_int("transA", 0) != 0 ? 0 : 1]}, outputs[0]);
}

constexpr std::string_view kMicrosoft = "com.microsoft";

}  // namespace

std::span<const OpDef> quantized_ops() {
  static constexpr OpDef kRows[] = {
      {.domain = "",
       .name = "QLinearConv",
       .since_version = 10,
       .infer = infer_qlinear_conv,
       .kernel = qlinear_conv,
       .macs = conv_macs},
      {.domain = "",
       .name = "QLinearMatMul",
       .since_version = 10,
       .infer = infer_qlinear_matmul,
       .kernel = qlinear_matmul,
       .macs = product_macs},
      {.domain = kMicrosoft,
       .name = "DynamicQuantizeMatMul",
       .since_version = 1,
       .infer = infer_dynamic_quantize_matmul,
       .kernel = dynamic_quantize_matmul,
       .macs = product_macs},
      {.domain = kMicrosoft,
       .name = "MatMulIntegerToFloat",
       .since_version = 1,
       .infer = infer_matmul_integer_to_float,
       .kernel = matmul_integer_to_float,
       .macs = product_macs},
      {.domain = kMicrosoft,
       .name = "QGemm",
       .since_version = 1,
       .infer = infer_qgemm,
       .kernel = qgemm,
       .macs = qgemm_macs},
      {.domain = kMicrosoft,
       .name = "QLinearAdd",
       .since_version = 1,
       .infer = infer_qlinear_elementwise,
       .kernel = qlinear_add,
       .facts = kElementwise},
      {.domain = kMicrosoft,
       .name = "QLinearMul",
       .since_version = 1,
       .infer = infer_qlinear_elementwise,
       .kernel = qlinear_mul,
       .facts = kElementwise},
      {.domain = kMicrosoft,
       .name = "DynamicQuantizeLSTM",
       .since_version = 1,
       .infer = infer_dynamic_quantize_lstm,
       .kernel = dynamic_quantize_lstm,
       .shape_inputs = 1u << 4,
       .macs = dynamic_quantize_lstm_macs},
      {.domain = kMicrosoft,
       .name = "GatherBlockQuantized",
       .since_version = 1,
       .infer = infer_gather_block_quantized,
       .kernel = gather_block_quantized},
      {.domain = kMicrosoft,
       .name = "MatMulNBits",
       .since_version = 1,
       .infer = infer_matmul_nbits,
       .kernel = matmul_nbits,
       .macs = product_macs},
      {.domain = kMicrosoft,
       .name = "QLinearAveragePool",
       .since_version = 1,
       .infer = infer_qlinear_average_pool,
       .kernel = qlinear_average_pool},
      {.domain = kMicrosoft,
       .name = "QLinearConcat",
       .since_version = 1,
       .infer = infer_qlinear_concat,
       .kernel = qlinear_concat},
      {.domain = kMicrosoft,
       .name = "QLinearConv",
       .since_version = 1,
       .infer = infer_contrib_qlinear_conv,
       .kernel = contrib_qlinear_conv,
       .macs = conv_macs},
      {.domain = kMicrosoft,
       .name = "QLinearGlobalAveragePool",
       .since_version = 1,
       .infer = infer_qlinear_global_average_pool,
       .kernel = qlinear_global_average_pool},
      {.domain = kMicrosoft,
       .name = "QLinearLeakyRelu",
       .since_version = 1,
       .infer = infer_qlinear_same,
       .kernel = qlinear_leaky_relu,
       .facts = kElementwise},
      {.domain = kMicrosoft,
       .name = "QLinearSigmoid",
       .since_version = 1,
       .infer = infer_qlinear_same,
       .kernel = qlinear_sigmoid,
       .facts = kElementwise},
      {.domain = kMicrosoft,
       .name = "QLinearSoftmax",
       .since_version = 1,
       .infer = infer_qlinear_same,
       .kernel = qlinear_softmax},
      {.domain = kMicrosoft,
       .name = "QLinearWhere",
       .since_version = 1,
       .infer = infer_qlinear_where,
       .kernel = qlinear_where,
       .facts = kElementwise},
  };
  return kRows;
}

}  // namespace fettle::ops
