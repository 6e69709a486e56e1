#include "interp/float_functions.h"

#include <array>
#include <cmath>
#include <limits>

#include "interp/simd.h"
#include "interp/vector_functions.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

template <typename F>
[[gnu::always_inline]] inline void each(const float* x, float* y, int64_t n, F f) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

// Comparisons are written so that NaN passes through.
FETTLE_VECTORIZED void relu(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED { return v < 0.0f ? 0.0f : v; });
}
FETTLE_VECTORIZED void leaky_relu(const float* x, float* y, int64_t n, const Parameters& p) {
  each(x, y, n, [a = p.a](float v) FETTLE_INLINED {
    const float below = a * v;
    return vec::select(v < 0.0f, below, v);
  });
}
FETTLE_VECTORIZED void clip(const float* x, float* y, int64_t n, const Parameters& p) {
  each(x, y, n, [a = p.a, b = p.b](float v) FETTLE_INLINED {
    const float above = v < a ? a : v;
    return above > b ? b : above;
  });
}
FETTLE_VECTORIZED void hard_sigmoid(const float* x, float* y, int64_t n, const Parameters& p) {
  each(x, y, n, [a = p.a, b = p.b](float v) FETTLE_INLINED {
    const float line = a * v + b;
    const float above = line < 0.0f ? 0.0f : line;
    return above > 1.0f ? 1.0f : above;
  });
}
FETTLE_VECTORIZED void hard_swish(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED {
    const float line = v * (1.0f / 6.0f) + 0.5f;
    const float above = line < 0.0f ? 0.0f : line;
    return v * (above > 1.0f ? 1.0f : above);
  });
}
FETTLE_VECTORIZED void thresholded_relu(const float* x, float* y, int64_t n, const Parameters& p) {
  each(x, y, n, [a = p.a](float v) FETTLE_INLINED { return v > a ? v : 0.0f; });
}
FETTLE_VECTORIZED void shrink(const float* x, float* y, int64_t n, const Parameters& p) {
  each(x, y, n, [a = p.a, b = p.b](float v) FETTLE_INLINED {
    const float low = v + b;
    const float high = v - b;
    return vec::select(v < -a, low, vec::select(v > a, high, 0.0f));
  });
}
FETTLE_VECTORIZED void negate(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED { return -v; });
}
FETTLE_VECTORIZED void absolute(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED { return vec::magnitude(v); });
}
FETTLE_VECTORIZED void sign(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED {
    const float one = vec::with_sign(1.0f, v);
    return vec::select(vec::magnitude(v) > 0.0f, one, v != v ? v : 0.0f);
  });
}
FETTLE_VECTORIZED void reciprocal(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED { return 1.0f / v; });
}
FETTLE_VECTORIZED void softsign(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED { return v / (1.0f + vec::magnitude(v)); });
}

FETTLE_VECTORIZED void square_root(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED { return std::sqrt(v); });
}

// Rounding by adding and subtracting 2^23, exact for magnitudes below that; larger ones are whole.
[[gnu::always_inline]] inline float nearest(float v) {
  constexpr float kWhole = 8388608.0f;
  const float size = vec::magnitude(v);
  const float rounded = (size + kWhole) - kWhole;
  return vec::select(size < kWhole, vec::with_sign(rounded, v), v);
}
FETTLE_VECTORIZED void round(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED { return nearest(v); });
}
FETTLE_VECTORIZED void floor(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED {
    const float r = nearest(v);
    const float less = r - 1.0f;
    return vec::select(r > v, less, r);
  });
}
FETTLE_VECTORIZED void ceil(const float* x, float* y, int64_t n, const Parameters&) {
  each(x, y, n, [](float v) FETTLE_INLINED {
    const float r = nearest(v);
    const float more = r + 1.0f;
    return vec::select(r < v, vec::with_sign(more, v), r);
  });
}

template <void (*row)(const float*, float*, int64_t)>
void plain(const float* x, float* y, int64_t n, const Parameters&) {
  row(x, y, n);
}
void swish(const float* x, float* y, int64_t n, const Parameters& p) {
  swish_row(x, y, n, p.a);
}
void elu(const float* x, float* y, int64_t n, const Parameters& p) {
  elu_row(x, y, n, p.a, p.b, p.c);
}

void power(const float* x, float* y, int64_t n, const Parameters& p) {
  binary_function("Pow")->loop(x, 1, &p.a, 0, y, n);
}

using Configured = std::optional<Parameters>;

Configured none(const NodeFacts&) {
  return Parameters{};
}
Configured leaky_parameters(const NodeFacts& facts) {
  return Parameters{facts.node->attr_float("alpha", 0.01f)};
}
Configured alpha_one(const NodeFacts& facts) {
  return Parameters{facts.node->attr_float("alpha", 1.0f)};
}
Configured hard_sigmoid_parameters(const NodeFacts& facts) {
  return Parameters{facts.node->attr_float("alpha", 0.2f), facts.node->attr_float("beta", 0.5f)};
}
Configured shrink_parameters(const NodeFacts& facts) {
  const float lambda = facts.node->attr_float("lambd", 0.5f);
  if (!(lambda >= 0.0f)) return std::nullopt;
  return Parameters{lambda, facts.node->attr_float("bias", 0.0f)};
}
Configured elu_parameters(const NodeFacts& facts) {
  return Parameters{1.0f, facts.node->attr_float("alpha", 1.0f), 1.0f};
}
Configured selu_parameters(const NodeFacts& facts) {
  const bool old = facts.opset < 6;
  return Parameters{1.0f, facts.node->attr_float("alpha", old ? 1.6732f : 1.67326319f),
                    facts.node->attr_float("gamma", old ? 1.0507f : 1.05070102f)};
}
Configured celu_parameters(const NodeFacts& facts) {
  const float alpha = facts.node->attr_float("alpha", 1.0f);
  if (!(alpha > 0.0f)) return std::nullopt;
  return Parameters{1.0f / alpha, alpha, 1.0f};
}
Configured if_exact(const NodeFacts& facts) {
  if (facts.node->attr_string("approximate", "none") != "none") return std::nullopt;
  return Parameters{};
}
Configured if_by_tanh(const NodeFacts& facts) {
  if (facts.node->attr_string("approximate", "none") != "tanh") return std::nullopt;
  return Parameters{};
}

// The exponent of Pow when it is one known number.
Configured power_parameters(const NodeFacts& facts) {
  const ir::Tensor* exponent = facts.constant(1);
  if (facts.opset < 7 || exponent == nullptr || exponent->rank() != 0) return std::nullopt;
  const ir::DataType type = exponent->type();
  if (type != kFloat && type != ir::DataType::kInt32 && type != ir::DataType::kInt64) {
    return std::nullopt;
  }
  return Parameters{static_cast<float>(ir::element_as_double(*exponent, 0))};
}

// Bounds of Clip when they are known; nothing otherwise.
Configured clip_parameters(const NodeFacts& facts) {
  constexpr float kMost = std::numeric_limits<float>::max();  // as the specification says
  if (facts.opset < 11) {
    return Parameters{facts.node->attr_float("min", -kMost), facts.node->attr_float("max", kMost)};
  }
  Parameters p{-kMost, kMost};
  for (size_t i = 1; i <= 2; ++i) {
    if (facts.node->input(i) == nullptr) continue;
    const ir::Tensor* bound = facts.constant(i);
    if (bound == nullptr || bound->type() != kFloat || bound->size() != 1) return std::nullopt;
    (i == 1 ? p.a : p.b) = bound->data<float>()[0];
  }
  return p;
}

struct UnaryRow {
  std::string_view op;
  UnaryLoop loop;
  Configured (*configure)(const NodeFacts& facts);
  int64_t cost;
  bool keeps_zero;
};

// Several rows of one operator are tried in order.
constexpr std::array kUnary{
    UnaryRow{"Abs", absolute, none, 1, true},
    UnaryRow{"Ceil", ceil, none, 1, true},
    UnaryRow{"Celu", elu, celu_parameters, 8, true},
    UnaryRow{"Clip", clip, clip_parameters, 1, false},
    UnaryRow{"Cos", plain<cos_row>, none, 8, false},
    UnaryRow{"Elu", elu, elu_parameters, 8, true},
    UnaryRow{"Erf", plain<erf_row>, none, 8, true},
    UnaryRow{"Exp", plain<exp_row>, none, 8, false},
    UnaryRow{"Floor", floor, none, 1, true},
    UnaryRow{"Gelu", plain<gelu_row>, if_exact, 10, true},
    UnaryRow{"Gelu", plain<gelu_tanh_row>, if_by_tanh, 12, true},
    UnaryRow{"HardSigmoid", hard_sigmoid, hard_sigmoid_parameters, 1, false},
    UnaryRow{"HardSwish", hard_swish, none, 1, true},
    UnaryRow{"LeakyRelu", leaky_relu, leaky_parameters, 1, true},
    UnaryRow{"Log", plain<log_row>, none, 8, false},
    UnaryRow{"Mish", plain<mish_row>, none, 10, true},
    UnaryRow{"Neg", negate, none, 1, true},
    UnaryRow{"Pow", power, power_parameters, 4, false},
    UnaryRow{"Reciprocal", reciprocal, none, 2, false},
    UnaryRow{"Relu", relu, none, 1, true},
    UnaryRow{"Round", round, none, 1, true},
    UnaryRow{"Selu", elu, selu_parameters, 8, true},
    UnaryRow{"Shrink", shrink, shrink_parameters, 1, true},
    UnaryRow{"Sigmoid", plain<sigmoid_row>, none, 8, false},
    UnaryRow{"Sign", sign, none, 1, true},
    UnaryRow{"Sin", plain<sin_row>, none, 8, true},
    UnaryRow{"Softplus", plain<softplus_row>, none, 16, false},
    UnaryRow{"Softsign", softsign, none, 2, true},
    UnaryRow{"Sqrt", square_root, none, 2, true},
    UnaryRow{"Swish", swish, alpha_one, 8, true},
    UnaryRow{"Tanh", plain<tanh_row>, none, 8, true},
    UnaryRow{"ThresholdedRelu", thresholded_relu, alpha_one, 1, true},
};

}  // namespace

std::optional<UnaryFunction> unary_function(const NodeFacts& facts) {
  if (!facts.node->is_default_domain()) return std::nullopt;
  for (const UnaryRow& row : kUnary) {
    if (row.op != facts.node->op_type) continue;
    if (const Configured parameters = row.configure(facts)) {
      return UnaryFunction{row.loop, *parameters, row.cost, row.keeps_zero};
    }
  }
  return std::nullopt;
}

std::optional<UnaryFunction> times_operand(const UnaryFunction& f) {
  if (f.loop != plain<sigmoid_row>) return std::nullopt;
  return UnaryFunction{swish, Parameters{1.0f}, f.cost, true};
}

}  // namespace fettle::interp
