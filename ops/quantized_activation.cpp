// QLinearSigmoid, QLinearLeakyRelu and QLinearSoftmax of com.microsoft.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/axis_view.h"
#include "ops/code_map.h"
#include "ops/element_width.h"
#include "ops/quantized_contrib.h"

namespace fettle::ops {
namespace {

using ir::DataType;

// Operands: X, its scale and zero point, Y's scale and zero point.
constexpr size_t kXScale = 1;
constexpr size_t kYScale = 3;

template <typename F>
void map_codes(KernelContext& context, F f) {
  const ir::Tensor& x = context.input(0);
  const TensorQuantization from = tensor_quantization(context, kXScale, x.type());
  const TensorQuantization to = tensor_quantization(context, kYScale, x.type());
  context.set_output(0, mapped(x, code_map(x.type(), from, to, f)));
}

// The first opset whose Softmax works on one axis instead of on all from that axis on.
constexpr int64_t kSingleAxisOpset = 13;

AxisView softmax_lines(const ir::Node& node, const ir::Dims& dims) {
  if (!node.has_attribute("opset")) {
    fail(ErrorCode::kBadInput, "expected the attribute 'opset', found none");
  }
  const bool single = node.attr_int("opset", 0) >= kSingleAxisOpset;
  const int64_t axis =
      normalized_axis(node.attr_int("axis", -1), static_cast<int64_t>(dims.size()));
  if (single) return view_along(dims, axis);
  const auto at = dims.begin() + axis;
  return {ir::element_count(ir::Dims(dims.begin(), at)),
          ir::element_count(ir::Dims(at, dims.end())), 1};
}

// exp(x_scale * -d) for the distance d = 0..255 of a code from the greatest of its line.
std::vector<double> exponentials(float x_scale) {
  std::vector<double> table(256);
  for (size_t d = 0; d < table.size(); ++d) {
    table[d] = std::exp(-static_cast<double>(d) * static_cast<double>(x_scale));
  }
  return table;
}

}  // namespace

void infer_qlinear_same(InferContext& context) {
  context.set_same(0, 0);
}

void qlinear_sigmoid(KernelContext& context) {
  map_codes(context, [](float x) {
    return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x))));
  });
}

void qlinear_leaky_relu(KernelContext& context) {
  const float alpha = context.node().attr_float("alpha", 0.01f);
  map_codes(context, [alpha](float x) { return x >= 0.0f ? x : alpha * x; });
}

// As in ONNX Runtime the probabilities are counted in steps of 1 / floor(1 / y_scale).
void qlinear_softmax(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const DataType type = x.type();
  const TensorQuantization from = tensor_quantization(context, kXScale, type);
  const TensorQuantization to = tensor_quantization(context, kYScale, type);
  const AxisView view = softmax_lines(context.node(), x.dims());
  const std::vector<double> table = exponentials(from.scale);
  const double steps = std::floor(1.0f / to.scale);
  const QuantRange range = quant_range(type);
  ir::Tensor& y = context.output(0, type, x.dims());
  if (y.size() == 0) return;
  const auto* in = elements<uint8_t>(x);
  auto* out = mutable_elements<uint8_t>(y);
  // Bytes ordered as the codes they hold.
  const uint8_t flip = ir::is_signed_integer(type) ? 0x80 : 0;
  const auto ordered = [&](int64_t i) { return static_cast<uint8_t>(in[i] ^ flip); };
  for (int64_t line = 0; line < view.outer * view.inner; ++line) {
    const int64_t begin = line / view.inner * view.length * view.inner + line % view.inner;
    const int64_t end = begin + view.length * view.inner;
    uint8_t greatest = 0;
    for (int64_t i = begin; i < end; i += view.inner) greatest = std::max(greatest, ordered(i));
    double sum = 0;
    for (int64_t i = begin; i < end; i += view.inner) sum += table[greatest - ordered(i)];
    for (int64_t i = begin; i < end; i += view.inner) {
      const auto count = static_cast<float>(table[greatest - ordered(i)] * steps / sum);
      out[i] = static_cast<uint8_t>(round_and_saturate(count, to.zero_point, range));
    }
  }
}

}  // namespace fettle::ops
