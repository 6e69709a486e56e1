// The element-wise functions of float32 that kernels and fused chains share, as loops over rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "interp/accelerated.h"

namespace fettle::interp {

struct Parameters {
  float a = 0.0f;
  float b = 0.0f;
  float c = 0.0f;
};

// y[i] = f(x[i]); y may be x.
using UnaryLoop = void (*)(const float* x, float* y, int64_t n, const Parameters& p);

struct UnaryFunction {
  UnaryLoop loop = nullptr;
  Parameters parameters;
  int64_t cost = 1;         // simple operations per element
  bool keeps_zero = false;  // f(0) = 0, so that padding stays zero

  void apply(const float* x, float* y, int64_t n) const { loop(x, y, n, parameters); }
};

// The function that a node of the default domain computes on its operand 0; nothing when it is none
// of the table or depends on operands that are not constant.
std::optional<UnaryFunction> unary_function(const NodeFacts& facts);

// x * f(x) as one function, which gives the same bits; nothing where there is none.
std::optional<UnaryFunction> times_operand(const UnaryFunction& f);

// y[i] = f(a[i * a_step], b[i * b_step]); steps are 0 or 1, y may be an operand with step 1.
using BinaryLoop = void (*)(const float* a, int64_t a_step, const float* b, int64_t b_step,
                            float* y, int64_t n);

struct BinaryFunction {
  std::string_view op;
  BinaryLoop loop;
  int64_t cost;
  bool keeps_zero;  // f(0, v) = 0 for any finite v: padding of operand a stays zero
  bool sums_zero;   // f(0, 0) = 0
  bool variadic;    // takes any number of operands, from the first on
};

// Null when the operator is not in the table.
const BinaryFunction* binary_function(std::string_view op);

}  // namespace fettle::interp
