// Elementwise functions of one operand: arithmetic, rounding, exponential and trigonometric.
#include <cmath>

#include "ops/dims.h"
#include "ops/elementwise.h"
#include "ops/families.h"

namespace fettle::ops {
namespace {

// Two's complement negation; the lowest integer stays as it is.
template <typename T>
T negated(T x) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));
  } else {
    return -x;
  }
}

struct Negate {
  template <typename T>
  T operator()(T x) const {
    return negated(x);
  }
};

struct Absolute {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::abs(x);
    } else if constexpr (std::is_signed_v<T>) {
      return x < 0 ? negated(x) : x;
    } else {
      return x;
    }
  }
};

// -1, 0 or 1; NaN stays NaN.
struct Sign {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x)) return x;
    }
    return static_cast<T>((x > T{0} ? 1 : 0) - (x < T{0} ? 1 : 0));
  }
};

struct SquareRoot {
  template <typename T>
  T operator()(T x) const {
    return std::sqrt(x);
  }
};

struct Reciprocal {
  template <typename T>
  T operator()(T x) const {
    return T{1} / x;
  }
};

struct Floor {
  template <typename T>
  T operator()(T x) const {
    return std::floor(x);
  }
};

struct Ceil {
  template <typename T>
  T operator()(T x) const {
    return std::ceil(x);
  }
};

// Halves go to the even neighbor (the default rounding mode of the C library).
struct Round {
  template <typename T>
  T operator()(T x) const {
    return std::nearbyint(x);
  }
};

struct Exp {
  double operator()(double x) const { return std::exp(x); }
};
struct Log {
  double operator()(double x) const { return std::log(x); }
};
struct Erf {
  double operator()(double x) const { return std::erf(x); }
};
struct Sin {
  double operator()(double x) const { return std::sin(x); }
};
struct Cos {
  double operator()(double x) const { return std::cos(x); }
};
struct Tan {
  double operator()(double x) const { return std::tan(x); }
};
struct Asin {
  double operator()(double x) const { return std::asin(x); }
};
struct Acos {
  double operator()(double x) const { return std::acos(x); }
};
struct Atan {
  double operator()(double x) const { return std::atan(x); }
};
struct Sinh {
  double operator()(double x) const { return std::sinh(x); }
};
struct Cosh {
  double operator()(double x) const { return std::cosh(x); }
};
struct Asinh {
  double operator()(double x) const { return std::asinh(x); }
};
struct Acosh {
  double operator()(double x) const { return std::acosh(x); }
};
struct Atanh {
  double operator()(double x) const { return std::atanh(x); }
};

// Also negates known integer contents.
void infer_neg(InferContext& ctx) {
  infer_like_input(ctx);
  if (!ir::is_signed_integer(ctx.element(0))) return;
  auto ints = ctx.ints(0);
  if (!ints) return;
  for (ir::Dim& d : *ints) d = int_sub(int_of(0), d);
  ctx.set_ints(0, std::move(*ints));
}

using Negatable = decltype(FloatTypes{} + SignedTypes{});

template <typename F>
constexpr OpDef float_row(std::string_view name, int since) {
  return {"", name, since, infer_like_input, real_kernel<FloatTypes, F>, kElementwise};
}

template <typename Types, typename F>
constexpr OpDef native_row(std::string_view name, int since) {
  return {"", name, since, infer_like_input, native_kernel<Types, F>, kElementwise};
}

constexpr OpDef kRows[] = {
    native_row<NumericTypes, Absolute>("Abs", 1),
    {"", "Neg", 1, infer_neg, native_kernel<Negatable, Negate>, kElementwise},
    native_row<NumericTypes, Sign>("Sign", 9),
    native_row<FloatTypes, SquareRoot>("Sqrt", 1),
    native_row<FloatTypes, Reciprocal>("Reciprocal", 1),
    native_row<FloatTypes, Floor>("Floor", 1),
    native_row<FloatTypes, Ceil>("Ceil", 1),
    native_row<FloatTypes, Round>("Round", 11),
    float_row<Exp>("Exp", 1),
    float_row<Log>("Log", 1),
    // Version 9 admits integers: the result is truncated.
    {"", "Erf", 9, infer_like_input, real_kernel<NumericTypes, Erf>, kElementwise},
    float_row<Sin>("Sin", 7),
    float_row<Cos>("Cos", 7),
    float_row<Tan>("Tan", 7),
    float_row<Asin>("Asin", 7),
    float_row<Acos>("Acos", 7),
    float_row<Atan>("Atan", 7),
    float_row<Sinh>("Sinh", 9),
    float_row<Cosh>("Cosh", 9),
    float_row<Asinh>("Asinh", 9),
    float_row<Acosh>("Acosh", 9),
    float_row<Atanh>("Atanh", 9),
};

}  // namespace

std::span<const OpDef> unary_ops() {
  return kRows;
}

}  // namespace fettle::ops
