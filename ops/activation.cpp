// Activation functions. All but Relu and PRelu are computed in double and rounded once.
#include <algorithm>
#include <cmath>

#include "ops/clip.h"
#include "ops/elementwise.h"
#include "ops/families.h"

namespace fettle::ops {
namespace {

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}
// log(1 + exp(x)) without overflow.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

struct Relu {
  template <typename T>
  T operator()(T x) const {
    return x < T{0} ? T{0} : x;
  }
};
struct Sigmoid {
  double operator()(double x) const { return sigmoid(x); }
};
struct Tanh {
  double operator()(double x) const { return std::tanh(x); }
};
struct Softplus {
  double operator()(double x) const { return std::isnan(x) ? x : softplus(x); }
};
struct Softsign {
  double operator()(double x) const { return x / (1.0 + std::abs(x)); }
};
struct Mish {
  double operator()(double x) const { return x * std::tanh(softplus(x)); }
};
// x * HardSigmoid(x) with alpha = 1/6, beta = 0.5.
struct HardSwish {
  double operator()(double x) const { return x * std::clamp(x / 6.0 + 0.5, 0.0, 1.0); }
};

double attribute(const KernelContext& ctx, std::string_view name, float fallback) {
  return ctx.node().attr_float(name, fallback);
}

void leaky_relu(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 0.01f);
  map_reals<FloatTypes>(ctx, [alpha](double x) { return x < 0 ? alpha * x : x; });
}

void elu(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 1.0f);
  map_reals<FloatTypes>(ctx, [alpha](double x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

void scaled_elu(KernelContext& ctx, float default_alpha, float default_gamma) {
  const double alpha = attribute(ctx, "alpha", default_alpha);
  const double gamma = attribute(ctx, "gamma", default_gamma);
  map_reals<FloatTypes>(ctx, [=](double x) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); });
}

void selu_1(KernelContext& ctx) {
  scaled_elu(ctx, 1.6732f, 1.0507f);
}
void selu(KernelContext& ctx) {
  scaled_elu(ctx, 1.67326319217681884765625f, 1.05070102214813232421875f);
}

void celu(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 1.0f);
  if (alpha == 0) fail(ErrorCode::kBadInput, "attribute alpha must not be 0");
  map_reals<FloatTypes>(ctx, [alpha](double x) {
    return std::max(x, 0.0) + std::min(0.0, alpha * std::expm1(x / alpha));
  });
}

void gelu(KernelContext& ctx) {
  const std::string approximate = ctx.node().attr_string("approximate", "none");
  if (approximate == "none") {
    map_reals<FloatTypes>(
        ctx, [](double x) { return 0.5 * x * (1.0 + std::erf(x * 0.70710678118654752440)); });
  } else if (approximate == "tanh") {
    constexpr double kRoot = 0.79788456080286535588;  // sqrt(2 / pi)
    map_reals<FloatTypes>(ctx, [](double x) {
      return 0.5 * x * (1.0 + std::tanh(kRoot * (x + 0.044715 * x * x * x)));
    });
  } else {
    fail(ErrorCode::kBadInput, "attribute approximate must be 'none' or 'tanh'; found '{}'",
         approximate);
  }
}

void hard_sigmoid(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 0.2f);
  const double beta = attribute(ctx, "beta", 0.5f);
  map_reals<FloatTypes>(ctx, [=](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); });
}

void swish(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 1.0f);
  map_reals<FloatTypes>(ctx, [alpha](double x) { return x * sigmoid(alpha * x); });
}

void check_equal_shapes(const ir::Dims& a, const ir::Dims& b) {
  if (a == b) return;
  fail(ErrorCode::kBadInput, "both inputs must have one shape; found {} and {}", ir::to_string(a),
       ir::to_string(b));
}

void infer_swiglu(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  infer_like_input(ctx);
  if (ctx.shape(0) == nullptr || ctx.shape(1) == nullptr) return;
  const auto a = ir::known_dims(*ctx.shape(0));
  const auto b = ir::known_dims(*ctx.shape(1));
  if (a && b) check_equal_shapes(*a, *b);
}

// Y = Swish_alpha(A) * B, without broadcasting.
void swiglu(KernelContext& ctx) {
  require_same_element(ctx, 0, 1);
  const ir::Tensor& a = ctx.input(0);
  const ir::Tensor& b = ctx.input(1);
  check_equal_shapes(a.dims(), b.dims());
  const double alpha = attribute(ctx, "alpha", 1.0f);
  dispatch(FloatTypes{}, a.type(), [&]<typename T>(Tag<T>) {
    const auto gate = a.data<T>();
    const auto value = b.data<T>();
    auto out = ctx.output(0, a.type(), a.dims()).template mutable_data<T>();
    for (size_t i = 0; i < out.size(); ++i) {
      const double x = gate[i];
      out[i] = narrow<T>(x * sigmoid(alpha * x) * static_cast<double>(value[i]));
    }
  });
}

void thresholded_relu(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 1.0f);
  map_reals<FloatTypes>(ctx, [alpha](double x) { return x > alpha ? x : 0.0; });
}

void shrink(KernelContext& ctx) {
  const double lambda = attribute(ctx, "lambd", 0.5f);
  const double bias = attribute(ctx, "bias", 0.0f);
  map_reals<NumericTypes>(ctx, [=](double x) {
    return x < -lambda ? x + bias : x > lambda ? x - bias : 0.0;
  });
}

struct LeakBySlope {
  template <typename T>
  T operator()(T x, T slope) const {
    return x < T{0} ? static_cast<T>(x * slope) : x;
  }
};

// Versions 1 and 6: the slope is one number or one per channel (axis 1).
ir::Dims channel_slope_dims(const ir::Dims& x, const ir::Dims& slope) {
  const int64_t count = ir::element_count(slope);
  if (count == 1) return {};
  if (x.size() < 2 || slope.size() != 1 || count != x[1]) {
    fail(ErrorCode::kBadInput, "slope must be one number or one per channel of {}; found shape {}",
         ir::to_string(x), ir::to_string(slope));
  }
  ir::Dims dims(x.size() - 1, 1);
  dims[0] = count;
  return dims;
}

void prelu_1(KernelContext& ctx) {
  binary_as<FloatTypes, LeakBySlope>(ctx,
                                     channel_slope_dims(ctx.input(0).dims(), ctx.input(1).dims()));
}

void check_unidirectional(const ir::Dims& x, const ir::Dims& slope) {
  if (broadcast_dims(x, slope) == x) return;
  fail(ErrorCode::kBadInput, "slope of shape {} does not broadcast to {}", ir::to_string(slope),
       ir::to_string(x));
}

void prelu(KernelContext& ctx) {
  const ir::Dims& slope = ctx.input(1).dims();
  check_unidirectional(ctx.input(0).dims(), slope);
  using Types = decltype(FloatTypes{} + TypeList<int64_t, int32_t, uint64_t, uint32_t>{});
  binary_as<Types, LeakBySlope>(ctx, slope);
}

void infer_prelu(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  infer_like_input(ctx);
  if (ctx.shape(0) == nullptr || ctx.shape(1) == nullptr) return;
  const auto x = ir::known_dims(*ctx.shape(0));
  const auto slope = ir::known_dims(*ctx.shape(1));
  if (x && slope) check_unidirectional(*x, *slope);
}

template <typename F>
constexpr OpDef float_row(std::string_view name, int since) {
  return {"", name, since, infer_like_input, real_kernel<FloatTypes, F>, kElementwise};
}

constexpr OpDef row(std::string_view name, int since, Kernel kernel) {
  return {"", name, since, infer_like_input, kernel, kElementwise};
}

constexpr OpDef kRows[] = {
    row("Relu", 1, native_kernel<NumericTypes, Relu>),
    row("LeakyRelu", 1, leaky_relu),
    {"", "PRelu", 1, infer_like_input, prelu_1, kElementwise},
    {"", "PRelu", 7, infer_prelu, prelu, kElementwise},
    row("Elu", 1, elu),
    row("Selu", 1, selu_1),  // other defaults than version 6
    row("Selu", 6, selu),
    row("Celu", 12, celu),
    row("Gelu", 20, gelu),
    float_row<Mish>("Mish", 18),
    float_row<Sigmoid>("Sigmoid", 1),
    row("HardSigmoid", 1, hard_sigmoid),
    float_row<HardSwish>("HardSwish", 14),
    row("Swish", 24, swish),
    {"", "SwiGLU", 28, infer_swiglu, swiglu, kElementwise},
    float_row<Softplus>("Softplus", 1),
    float_row<Softsign>("Softsign", 1),
    float_row<Tanh>("Tanh", 1),
    row("ThresholdedRelu", 10, thresholded_relu),
    row("Shrink", 9, shrink),
    {"", "Clip", 1, infer_like_input, clip_by_attributes, kElementwise},
    {"", "Clip", 11, infer_clip, clip_by_inputs, kElementwise},
};

}  // namespace

std::span<const OpDef> activation_ops() {
  return kRows;
}

}  // namespace fettle::ops
