#include "interp/unary.h"

#include <Eigen/Core>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>
#include <unsupported/Eigen/SpecialFunctions>

#include "interp/parallel.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

struct Parameters {
  float a = 0.0f;
  float b = 0.0f;
};

using Apply = void (*)(const float* x, float* y, int64_t n, Parameters p);
using Configure = std::optional<Parameters> (*)(const NodeFacts& facts);

using In = Eigen::Map<const Eigen::ArrayXf>;
using Out = Eigen::Map<Eigen::ArrayXf>;

// y[i] = f(x[i]) with a lambda simple enough for the compiler to vectorize.
template <typename F>
void each(const float* x, float* y, int64_t n, F f) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

// Comparisons are written so that NaN passes through.
void relu(const float* x, float* y, int64_t n, Parameters) {
  each(x, y, n, [](float v) { return v < 0.0f ? 0.0f : v; });
}
void leaky_relu(const float* x, float* y, int64_t n, Parameters p) {
  each(x, y, n, [p](float v) { return v < 0.0f ? p.a * v : v; });
}
void clip(const float* x, float* y, int64_t n, Parameters p) {
  each(x, y, n, [p](float v) {
    const float above = v < p.a ? p.a : v;
    return above > p.b ? p.b : above;
  });
}
void hard_sigmoid(const float* x, float* y, int64_t n, Parameters p) {
  each(x, y, n, [p](float v) {
    const float line = p.a * v + p.b;
    const float above = line < 0.0f ? 0.0f : line;
    return above > 1.0f ? 1.0f : above;
  });
}
void hard_swish(const float* x, float* y, int64_t n, Parameters) {
  each(x, y, n, [](float v) {
    const float line = v * (1.0f / 6.0f) + 0.5f;
    const float above = line < 0.0f ? 0.0f : line;
    return v * (above > 1.0f ? 1.0f : above);
  });
}
void negate(const float* x, float* y, int64_t n, Parameters) {
  each(x, y, n, [](float v) { return -v; });
}
void absolute(const float* x, float* y, int64_t n, Parameters) {
  Out(y, n) = In(x, n).abs();
}
void square_root(const float* x, float* y, int64_t n, Parameters) {
  Out(y, n) = In(x, n).sqrt();
}
void sigmoid(const float* x, float* y, int64_t n, Parameters) {
  sigmoid_row(x, y, n);
}
void hyperbolic_tangent(const float* x, float* y, int64_t n, Parameters) {
  tanh_row(x, y, n);
}
void exponential(const float* x, float* y, int64_t n, Parameters) {
  exp_row(x, y, n);
}
void error_function(const float* x, float* y, int64_t n, Parameters) {
  Out(y, n) = In(x, n).erf();
}

std::optional<Parameters> no_parameters(const NodeFacts&) {
  return Parameters{};
}
std::optional<Parameters> leaky_parameters(const NodeFacts& facts) {
  return Parameters{facts.node->attr_float("alpha", 0.01f), 0.0f};
}
std::optional<Parameters> hard_sigmoid_parameters(const NodeFacts& facts) {
  return Parameters{facts.node->attr_float("alpha", 0.2f), facts.node->attr_float("beta", 0.5f)};
}

// Bounds of Clip when they are known; nothing otherwise.
std::optional<Parameters> clip_parameters(const NodeFacts& facts) {
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

struct Row {
  std::string_view op;
  Apply apply;
  Configure configure;
  int64_t cost;
  bool keeps_zero;  // f(0) = 0 whatever the parameters, so that padding stays zero
};

constexpr std::array kRows{
    Row{"Abs", absolute, no_parameters, 1, true},
    Row{"Clip", clip, clip_parameters, 1, false},
    Row{"Erf", error_function, no_parameters, 16, true},
    Row{"Exp", exponential, no_parameters, 8, false},
    Row{"HardSigmoid", hard_sigmoid, hard_sigmoid_parameters, 1, false},
    Row{"HardSwish", hard_swish, no_parameters, 1, true},
    Row{"LeakyRelu", leaky_relu, leaky_parameters, 1, true},
    Row{"Neg", negate, no_parameters, 1, true},
    Row{"Relu", relu, no_parameters, 1, true},
    Row{"Sigmoid", sigmoid, no_parameters, 8, false},
    Row{"Sqrt", square_root, no_parameters, 2, true},
    Row{"Tanh", hyperbolic_tangent, no_parameters, 8, true},
};

class Unary : public AcceleratedKernel {
 public:
  Unary(const Row& row, Parameters parameters) : row_(row), parameters_(parameters) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat) return false;
    const Blocked* own = call.blocked(0);
    if (own != nullptr && (row_.keeps_zero || !is_padded(own->desc))) {
      std::shared_ptr<ir::Buffer> storage = call.reusable(0);
      if (storage == nullptr) storage = ir::Buffer::allocate(own->desc.get_size());
      apply(own->buffer->data(), *storage, static_cast<int64_t>(own->desc.get_size() / 4));
      call.set(0, Blocked{own->desc, storage, kFloat});
      return true;
    }
    const ir::Tensor& x = *call.tensor(0);
    std::shared_ptr<ir::Buffer> storage = call.reusable(0);
    if (storage == nullptr) storage = ir::Buffer::allocate(x.byte_size());
    apply(x.bytes(), *storage, x.size());
    call.set(0, ir::Tensor(kFloat, x.dims(), storage));
    return true;
  }

 private:
  void apply(const std::byte* from, ir::Buffer& to, int64_t count) const {
    const auto* x = reinterpret_cast<const float*>(from);
    auto* y = reinterpret_cast<float*>(to.mutable_data());
    for_chunks(
        count,
        [&](int64_t begin, int64_t end) {
          row_.apply(x + begin, y + begin, end - begin, parameters_);
        },
        row_.cost);
  }

  const Row& row_;
  Parameters parameters_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_unary(const NodeFacts& facts) {
  for (const Row& row : kRows) {
    if (row.op != facts.node->op_type) continue;
    const std::optional<Parameters> parameters = row.configure(facts);
    return parameters ? std::make_unique<Unary>(row, *parameters) : nullptr;
  }
  return nullptr;
}

}  // namespace fettle::interp
