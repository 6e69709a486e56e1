// Conv, ConvTranspose and ConvInteger over any number of spatial axes.
#include <algorithm>

#include "ops/convolution.h"
#include "ops/correlation.h"
#include "ops/families.h"
#include "ops/matrix_product.h"
#include "ops/quantized_operands.h"
#include "ops/real_elements.h"
#include "ops/window.h"

namespace fettle::ops {

int64_t saturating_product(const ir::Dims& factors) {
  int64_t product = 1;
  bool overflow = false;
  for (const int64_t f : factors) {
    if (f == 0) return 0;
    overflow |= __builtin_mul_overflow(product, f, &product);
  }
  return overflow ? INT64_MAX : product;
}

int64_t convolution_macs(const std::vector<ir::Dims>& inputs, const std::vector<ir::Dims>& outputs,
                         size_t w) {
  if (inputs.size() <= w || inputs[w].size() < 2 || outputs.empty()) return 0;
  ir::Dims factors = outputs[0];
  factors.insert(factors.end(), inputs[w].begin() + 1, inputs[w].end());
  return saturating_product(factors);
}

namespace {

// The specification of the window when the kernel's extents are known, from the weights or, where
// their shape is unknown, from kernel_shape.
std::optional<WindowSpec> known_spec(const InferContext& context, const ir::Shape* w,
                                     size_t spatial_rank) {
  ir::Dims kernel = context.node().attr_ints("kernel_shape");
  if (w != nullptr) {
    const auto dims = ir::known_dims(ir::Shape(w->begin() + 2, w->end()));
    if (dims) kernel = *dims;
  }
  if (kernel.size() != spatial_rank) return std::nullopt;
  return conv_spec(context.node(), kernel);
}

using OutputDim = ir::Dim (*)(const WindowSpec&, size_t, const ir::Dim&);

void infer_windows(InferContext& context, size_t x_index, size_t w_index, ir::DataType element,
                   bool transposed) {
  const ir::Shape* x = context.shape(x_index);
  const ir::Shape* w = context.shape(w_index);
  if (x == nullptr) return context.set(0, element);
  if (x->size() < 3 || (w != nullptr && w->size() != x->size())) {
    fail(ErrorCode::kBadInput, "expected input and weights of equal rank >= 3, found {} and {}",
         ir::to_string(*x), w != nullptr ? ir::to_string(*w) : "unknown");
  }
  const size_t rank = x->size() - 2;
  const auto spec = known_spec(context, w, rank);
  ir::Shape out = {(*x)[0], ir::Dim::unknown()};
  if (w != nullptr) {
    out[1] = transposed
                 ? dim_mul((*w)[1],
                           ir::Dim::of(std::max<int64_t>(context.node().attr_int("group", 1), 1)))
                 : (*w)[0];
  }
  const OutputDim output_dim = transposed ? transposed_output_dim : window_output_dim;
  for (size_t a = 0; a < rank; ++a) {
    out.push_back(spec ? output_dim(*spec, a, (*x)[a + 2]) : ir::Dim::unknown());
  }
  context.set(0, element, std::move(out));
}

void infer_conv(InferContext& context) {
  infer_convolution(context, 0, 1, context.element(0));
}
void infer_conv_transpose(InferContext& context) {
  infer_windows(context, 0, 1, context.element(0), true);
}
void infer_conv_integer(InferContext& context) {
  infer_convolution(context, 0, 1, ir::DataType::kInt32);
}

int64_t conv_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                  const std::vector<ir::Dims>& outputs) {
  return convolution_macs(inputs, outputs, 1);
}

// Every input element meets every weight of its channel once.
int64_t conv_transpose_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                            const std::vector<ir::Dims>&) {
  if (inputs.size() < 2 || inputs[1].empty()) return 0;
  ir::Dims factors = inputs[0];
  factors.insert(factors.end(), inputs[1].begin() + 1, inputs[1].end());
  return saturating_product(factors);
}

void check_real_operands(const ir::Tensor& x, const ir::Tensor& w, const ir::Tensor* bias,
                         int64_t channels) {
  if (!is_real(x.type()) || w.type() != x.type()) {
    fail(ErrorCode::kBadInput, "expected input and weights of one floating type, found {} and {}",
         ir::data_type_name(x.type()), ir::data_type_name(w.type()));
  }
  if (bias != nullptr && (bias->type() != x.type() || bias->dims() != ir::Dims{channels})) {
    fail(ErrorCode::kBadInput, "bias: expected {} of shape [{}], found {} of shape {}",
         ir::data_type_name(x.type()), channels, ir::data_type_name(bias->type()),
         ir::to_string(bias->dims()));
  }
}

using Convolve = void (*)(const Window&, const ir::Dims&, const ir::Dims&, const LoadOperand&,
                          const LoadOperand&, const StoreMap&);

void run_real(KernelContext& context, const Window& window, ir::Dims output, Convolve run) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& w = context.input(1);
  const ir::Tensor* bias = context.optional(2);
  const int64_t channels = output[1];
  check_real_operands(x, w, bias, channels);
  ir::Tensor& y = context.output(0, x.type(), std::move(output));
  ir::Tensor row = scratch_doubles(ir::element_count(window.output));
  const std::span<double> biased = row.mutable_data<double>();
  run(window, x.dims(), w.dims(), plain_loader(x), plain_loader(w),
      [&](int64_t n, int64_t m, std::span<const double> map) {
        const double b = bias != nullptr ? ir::element_as_double(*bias, m) : 0.0;
        for (size_t i = 0; i < map.size(); ++i) biased[i] = map[i] + b;
        const auto size = static_cast<int64_t>(map.size());
        store_doubles(biased.data(), size, y, (n * channels + m) * size);
      });
}

void conv(KernelContext& context) {
  const ir::Dims& x = context.input(0).dims();
  const ir::Dims& w = context.input(1).dims();
  const Window window = conv_window(context.node(), x, w);
  run_real(context, window, conv_output_dims(window, x, w), convolve);
}

void conv_transpose(KernelContext& context) {
  const ir::Dims& x = context.input(0).dims();
  const ir::Dims& w = context.input(1).dims();
  const Window window = conv_transpose_window(context.node(), x, w);
  run_real(context, window, conv_transpose_output_dims(window, x, w), convolve_transposed);
}

void conv_integer(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& w = context.input(1);
  const Window window = conv_window(context.node(), x.dims(), w.dims());
  const ZeroPoints x_zero = zero_points(context.optional(2), x.type(), 1, "x_zero_point");
  const ZeroPoints w_zero = zero_points(context.optional(3), w.type(), w.dim(0), "w_zero_point");
  ir::Tensor& y =
      context.output(0, ir::DataType::kInt32, conv_output_dims(window, x.dims(), w.dims()));
  const std::span<int32_t> out = y.mutable_data<int32_t>();
  convolve(window, x.dims(), w.dims(), shifted_loader(x, x_zero, x.size()),
           shifted_loader(w, w_zero, w.dim(0) == 0 ? 0 : w.size() / w.dim(0)),
           [&](int64_t n, int64_t m, std::span<const double> map) {
             const auto size = static_cast<int64_t>(map.size());
             int32_t* to = out.data() + (n * w.dim(0) + m) * size;
             for (int64_t i = 0; i < size; ++i) to[i] = wrapped_int32(map[static_cast<size_t>(i)]);
           });
}

}  // namespace

void infer_convolution(InferContext& context, size_t x, size_t w, ir::DataType element) {
  infer_windows(context, x, w, element, false);
}

std::span<const OpDef> convolution_ops() {
  static constexpr OpDef kRows[] = {
      {.domain = "",
       .name = "Conv",
       .since_version = 1,
       .infer = infer_conv,
       .kernel = conv,
       .macs = conv_macs},
      {.domain = "",
       .name = "ConvTranspose",
       .since_version = 1,
       .infer = infer_conv_transpose,
       .kernel = conv_transpose,
       .macs = conv_transpose_macs},
      {.domain = "",
       .name = "ConvInteger",
       .since_version = 10,
       .infer = infer_conv_integer,
       .kernel = conv_integer,
       .macs = conv_macs},
  };
  return kRows;
}

}  // namespace fettle::ops
