// The operators of com.microsoft that optimizers fuse others into: activations, FusedMatMul,
// FusedConv, and the table of these and of the fused normalizations.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/convolution.h"
#include "ops/correlation.h"
#include "ops/element_width.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/matmul_shape.h"
#include "ops/matrix_product.h"
#include "ops/real_elements.h"
#include "ops/skip_normalization.h"
#include "ops/strided_copy.h"
#include "ops/window.h"

namespace fettle::ops {
namespace {

// --- Activations ------------------------------------------------------------------------------

struct Gelu {
  double operator()(double x) const {
    return 0.5 * x * (1.0 + std::erf(x * 0.70710678118654752440));
  }
};

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
struct FastGelu {
  double operator()(double x) const {
    return 0.5 * x * (1.0 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
  }
};

void quick_gelu(KernelContext& ctx) {
  const double alpha = ctx.node().attr_float("alpha", 1.702f);
  map_reals<FloatTypes>(ctx, [alpha](double x) { return x / (1.0 + std::exp(-alpha * x)); });
}

void check_bias(const ir::Dims& x, const ir::Dims& bias) {
  if (bias.size() == 1 && !x.empty() && x.back() == bias[0]) return;
  fail(ErrorCode::kBadInput, "bias of shape {} does not fit the last axis of {}",
       ir::to_string(bias), ir::to_string(x));
}

// f of the sum of X and an optional bias over its last axis.
template <typename F>
void biased_activation(KernelContext& ctx) {
  if (!ctx.has(1)) return real_kernel<FloatTypes, F>(ctx);
  require_same_element(ctx, 0, 1);
  const ir::Tensor& x = ctx.input(0);
  const ir::Tensor& bias = ctx.input(1);
  check_bias(x.dims(), bias.dims());
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const auto in = x.data<T>();
    const auto add = bias.data<T>();
    auto out = ctx.output(0, x.type(), x.dims()).template mutable_data<T>();
    for (size_t i = 0; i < in.size(); ++i) {
      out[i] =
          narrow<T>(F{}(static_cast<double>(in[i]) + static_cast<double>(add[i % add.size()])));
    }
  });
}

void bias_gelu(KernelContext& ctx) {
  if (!ctx.has(1)) fail(ErrorCode::kBadInput, "operand bias is missing");
  biased_activation<Gelu>(ctx);
}

void infer_biased(InferContext& ctx) {
  if (ctx.has(1)) require_same_element(ctx, 0, 1);
  infer_like_input(ctx);
  if (!ctx.has(1) || ctx.shape(0) == nullptr || ctx.shape(1) == nullptr) return;
  const auto x = ir::known_dims(*ctx.shape(0));
  const auto bias = ir::known_dims(*ctx.shape(1));
  if (x && bias) check_bias(*x, *bias);
}

// --- FusedMatMul ------------------------------------------------------------------------------

// Which stored axis each axis of a factor is. Batch transposition moves the first axis behind the
// batch axes. Vectors are never transposed.
std::vector<size_t> factor_axes(const ir::Node& node, size_t rank, const char* transpose,
                                const char* transpose_batch) {
  std::vector<size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), size_t{0});
  const bool batch = node.attr_int(transpose_batch, 0) != 0;
  if (batch && rank < 3) {
    fail(ErrorCode::kBadInput, "{} needs an operand of rank 3 or more; found rank {}",
         transpose_batch, rank);
  }
  if (batch) std::rotate(axes.begin(), axes.begin() + 1, axes.end() - 1);
  if (rank >= 2 && node.attr_int(transpose, 0) != 0) std::swap(axes[rank - 2], axes[rank - 1]);
  return axes;
}

std::vector<size_t> factor_axes(const ir::Node& node, size_t operand, size_t rank) {
  return operand == 0 ? factor_axes(node, rank, "transA", "transBatchA")
                      : factor_axes(node, rank, "transB", "transBatchB");
}

template <typename Extents>
Extents picked(const Extents& extents, const std::vector<size_t>& axes) {
  Extents out;
  for (const size_t a : axes) out.push_back(extents[a]);
  return out;
}

// The operand with its axes in the order of the product.
ir::Tensor factor(const KernelContext& ctx, size_t operand) {
  const ir::Tensor& x = ctx.input(operand);
  const std::vector<size_t> axes = factor_axes(ctx.node(), operand, x.rank());
  if (std::is_sorted(axes.begin(), axes.end())) return x;
  const ir::Dims dims = picked(x.dims(), axes);
  ir::Tensor out(x.type(), dims);
  if (out.size() == 0) return out;
  copy_box(x, {0, picked(row_major_strides(x.dims()), axes)}, out, {0, row_major_strides(dims)},
           dims);
  return out;
}

void fused_matmul(KernelContext& ctx) {
  require_same_type(ctx.input(0), ctx.input(1), "B");
  if (!is_real(ctx.input(0).type())) {
    fail(ErrorCode::kBadInput, "expected a floating type, found {}",
         ir::data_type_name(ctx.input(0).type()));
  }
  const ir::Tensor a = factor(ctx, 0);
  const ir::Tensor b = factor(ctx, 1);
  const double alpha = ctx.node().attr_float("alpha", 1.0f);
  const MatMulShape s(a.dims(), b.dims());
  ir::Tensor& y = ctx.output(0, a.type(), s.output);
  if (y.size() == 0) return;
  const int64_t size = s.m * s.n;
  ir::Tensor scratch = scratch_doubles(size);
  const auto product = scratch.mutable_data<double>();
  for (size_t i = 0; i < s.a_matrix.size(); ++i) {
    multiply({plain_loader(a), s.a_matrix[i] * s.m * s.k, s.m, s.k},
             {plain_loader(b), s.b_matrix[i] * s.k * s.n, s.k, s.n}, product.data());
    for (double& v : product) v *= alpha;
    store_doubles(product.data(), size, y, static_cast<int64_t>(i) * size);
  }
}

void infer_fused_matmul(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  const ir::Shape* a = ctx.shape(0);
  const ir::Shape* b = ctx.shape(1);
  if (a == nullptr || b == nullptr) return ctx.set(0, ctx.element(0));
  const ir::Shape left = picked(*a, factor_axes(ctx.node(), 0, a->size()));
  const ir::Shape right = picked(*b, factor_axes(ctx.node(), 1, b->size()));
  ctx.set(0, ctx.element(0), matmul_output_shape(&left, &right));
}

int64_t fused_matmul_macs(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                          const std::vector<ir::Dims>& outputs) {
  if (inputs.empty() || inputs[0].empty() || outputs.empty()) return 0;
  return matmul_macs(picked(inputs[0], factor_axes(node, 0, inputs[0].size())), outputs[0]);
}

// --- FusedConv --------------------------------------------------------------------------------

struct Activation {
  std::string_view name;
  size_t parameters;
  double (*apply)(double x, const float* p);
};

constexpr Activation kActivations[] = {
    {"Relu", 0, [](double x, const float*) { return std::max(x, 0.0); }},
    {"Tanh", 0, [](double x, const float*) { return std::tanh(x); }},
    {"Sigmoid", 0, [](double x, const float*) { return 1.0 / (1.0 + std::exp(-x)); }},
    {"LeakyRelu", 1, [](double x, const float* p) { return x < 0 ? p[0] * x : x; }},
    {"Clip", 2,
     [](double x, const float* p) { return std::min<double>(std::max<double>(x, p[0]), p[1]); }},
    {"HardSigmoid", 2,
     [](double x, const float* p) { return std::clamp(p[0] * x + p[1], 0.0, 1.0); }},
    {"HardSwish", 0,
     [](double x, const float*) { return x * std::clamp(x / 6.0 + 0.5, 0.0, 1.0); }},
};

// The activation of the node; null when it has none.
const Activation* activation_of(const ir::Node& node, const std::vector<float>& parameters) {
  if (!node.has_attribute("activation")) return nullptr;
  const std::string name = node.attr_string("activation", "");
  const auto found = std::find_if(std::begin(kActivations), std::end(kActivations),
                                  [&](const Activation& a) { return a.name == name; });
  if (found == std::end(kActivations)) {
    fail(ErrorCode::kUnsupported, "activation '{}' is not known", name);
  }
  // HardSwish may state the numbers that it is made of.
  if (parameters.size() < found->parameters) {
    fail(ErrorCode::kBadInput, "activation {}: expected {} activation_params, found {}", name,
         found->parameters, parameters.size());
  }
  return found;
}

// Adds operand `operand` to a map and applies the activation.
void check_addend(const KernelContext& ctx, size_t operand, const ir::Dims& dims,
                  const char* what) {
  if (!ctx.has(operand)) return;
  require_same_type(ctx.input(0), ctx.input(operand), what);
  if (ctx.input(operand).dims() == dims) return;
  fail(ErrorCode::kBadInput, "{}: expected shape {}, found {}", what, ir::to_string(dims),
       ir::to_string(ctx.input(operand).dims()));
}

void fused_conv(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  const ir::Tensor& w = ctx.input(1);
  require_same_type(x, w, "weights");
  if (!is_real(x.type())) {
    fail(ErrorCode::kBadInput, "expected a floating type, found {}", ir::data_type_name(x.type()));
  }
  const std::vector<float> parameters = ctx.node().attr_floats("activation_params");
  const Activation* activation = activation_of(ctx.node(), parameters);
  const Window window = conv_window(ctx.node(), x.dims(), w.dims());
  const ir::Dims dims = conv_output_dims(window, x.dims(), w.dims());
  const int64_t channels = dims[1];
  check_addend(ctx, 2, {channels}, "bias");
  check_addend(ctx, 3, dims, "Z");
  const ir::Tensor* bias = ctx.optional(2);
  const ir::Tensor* sum = ctx.optional(3);
  ir::Tensor& y = ctx.output(0, x.type(), dims);
  ir::Tensor row_scratch = scratch_doubles(ir::element_count(window.output));
  const auto row = row_scratch.mutable_data<double>();
  convolve(window, x.dims(), w.dims(), plain_loader(x), plain_loader(w),
           [&](int64_t n, int64_t m, std::span<const double> map) {
             const auto size = static_cast<int64_t>(map.size());
             const int64_t begin = (n * channels + m) * size;
             const double b = bias != nullptr ? ir::element_as_double(*bias, m) : 0.0;
             std::fill(row.begin(), row.end(), 0.0);
             if (sum != nullptr) load_doubles(*sum, begin, size, row.data());
             for (size_t i = 0; i < map.size(); ++i) {
               row[i] += map[i] + b;
               if (activation != nullptr) row[i] = activation->apply(row[i], parameters.data());
             }
             store_doubles(row.data(), size, y, begin);
           });
}

void infer_fused_conv(InferContext& ctx) {
  infer_convolution(ctx, 0, 1, ctx.element(0));
}

int64_t fused_conv_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                        const std::vector<ir::Dims>& outputs) {
  return convolution_macs(inputs, outputs, 1);
}

constexpr const char* kMicrosoft = "com.microsoft";

constexpr OpDef kRows[] = {
    {kMicrosoft, "Gelu", 1, infer_like_input, real_kernel<FloatTypes, Gelu>, kElementwise},
    {kMicrosoft, "QuickGelu", 1, infer_like_input, quick_gelu, kElementwise},
    {kMicrosoft, "FastGelu", 1, infer_biased, biased_activation<FastGelu>, kElementwise},
    {kMicrosoft, "BiasGelu", 1, infer_biased, bias_gelu, kElementwise},
    {kMicrosoft, "FusedMatMul", 1, infer_fused_matmul, fused_matmul, kNoFacts, 0,
     fused_matmul_macs},
    {kMicrosoft, "FusedConv", 1, infer_fused_conv, fused_conv, kNoFacts, 0, fused_conv_macs},
    {kMicrosoft, "SkipLayerNormalization", 1, infer_skip_layer_normalization,
     skip_layer_normalization},
    {kMicrosoft, "SkipSimplifiedLayerNormalization", 1, infer_skip_layer_normalization,
     skip_simplified_layer_normalization},
    {kMicrosoft, "EmbedLayerNormalization", 1, infer_embed_layer_normalization,
     embed_layer_normalization},
};

}  // namespace

std::span<const OpDef> fused_ops() {
  return kRows;
}

}  // namespace fettle::ops
