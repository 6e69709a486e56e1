// Arithmetic of two operands: Add, Sub, Mul, Div, Mod, Pow. Integers wrap as two's complement.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/integer_contents.h"
#include "ops/power.h"
#include "ops/variadic.h"

namespace fettle::ops {
namespace {

// Unsigned and at least as wide as int, so that arithmetic wraps and never promotes to signed.
template <typename T>
using Wrapping = std::common_type_t<std::make_unsigned_t<T>, unsigned>;

struct Plus {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a + b;
    } else {
      return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    }
  }
};

struct Minus {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a - b;
    } else {
      return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
    }
  }
};

struct Times {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a * b;
    } else {
      return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    }
  }
};

// Integer quotients round toward zero; the lowest integer divided by -1 stays as it is.
struct Quotient {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a / b;
    } else {
      if (b == 0) fail(ErrorCode::kBadInput, "integer division by zero");
      if constexpr (std::is_signed_v<T>) {
        if (b == -1) return Minus{}(T{0}, a);
      }
      return static_cast<T>(a / b);
    }
  }
};

// A - trunc(A / B) * B.
struct TruncatedRemainder {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else {
      if (b == 0) fail(ErrorCode::kBadInput, "integer remainder of a division by zero");
      if constexpr (std::is_signed_v<T>) {
        if (b == -1) return 0;
      }
      return static_cast<T>(a % b);
    }
  }
};

// A - floor(A / B) * B: zero or of the sign of B.
struct FlooredRemainder {
  template <typename T>
  T operator()(T a, T b) const {
    const T r = TruncatedRemainder{}(a, b);
    if constexpr (std::is_floating_point_v<T>) {
      if (r == 0) return std::copysign(r, b);
    }
    if constexpr (std::is_signed_v<T>) {
      return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
    } else {
      return r;
    }
  }
};

template <typename FloorTypes>
void mod(KernelContext& ctx) {
  const int64_t fmod = ctx.node().attr_int("fmod", 0);
  if (fmod == 1) return binary_kernel<NumericTypes, TruncatedRemainder>(ctx);
  if (fmod == 0) return binary_kernel<FloorTypes, FlooredRemainder>(ctx);
  fail(ErrorCode::kBadInput, "attribute fmod must be 0 or 1; found {}", fmod);
}

void infer_add(InferContext& ctx) {
  infer_broadcast(ctx);
  combine_ints(ctx, int_add);
}

void infer_sub(InferContext& ctx) {
  infer_broadcast(ctx);
  combine_ints(ctx, int_sub);
}

void infer_mul(InferContext& ctx) {
  infer_broadcast(ctx);
  combine_ints(ctx, int_mul);
}

// Symbolic quotients are taken to be of non-negative sizes, where truncation is flooring.
void infer_div(InferContext& ctx) {
  infer_broadcast(ctx);
  combine_ints(ctx, [](const ir::Dim& a, const ir::Dim& b) {
    const auto divisor = int_value(b);
    if (divisor && *divisor == 0) return ir::Dim::unknown();
    if (!int_value(a) || !divisor) return int_floor_div(a, b);
    return combine_numbers(
        a, b, [](int64_t x, int64_t y) { return std::optional<int64_t>(Quotient{}(x, y)); });
  });
}

void infer_mod(InferContext& ctx) {
  infer_broadcast(ctx);
  const bool truncated = ctx.node().attr_int("fmod", 0) == 1;
  combine_ints(ctx, [truncated](const ir::Dim& a, const ir::Dim& b) {
    return combine_numbers(a, b, [truncated](int64_t x, int64_t y) -> std::optional<int64_t> {
      if (y == 0) return std::nullopt;
      return truncated ? TruncatedRemainder{}(x, y) : FlooredRemainder{}(x, y);
    });
  });
}

template <typename F>
constexpr OpDef row(std::string_view name, InferRule infer) {
  return {"", name, 7, infer, binary_kernel<NumericTypes, F>, kElementwise};
}

// Versions 1 and 6: broadcasting by the attributes `broadcast` and `axis`.
template <typename F>
constexpr OpDef legacy_row(std::string_view name) {
  return {"", name, 1, infer_legacy_broadcast, legacy_binary_kernel<NumericTypes, F>, kElementwise};
}

constexpr OpDef kRows[] = {
    legacy_row<Plus>("Add"),
    row<Plus>("Add", infer_add),
    legacy_row<Minus>("Sub"),
    row<Minus>("Sub", infer_sub),
    legacy_row<Times>("Mul"),
    row<Times>("Mul", infer_mul),
    legacy_row<Quotient>("Div"),
    row<Quotient>("Div", infer_div),
    {"", "Mod", 10, infer_mod, mod<IntegerTypes>, kElementwise},
    {"", "Mod", 28, infer_mod, mod<NumericTypes>, kElementwise},
    {"", "Pow", 1, infer_legacy_broadcast, legacy_power, kElementwise},
    {"", "Pow", 7, infer_power, power, kElementwise},
    {"", "Max", 1, infer_variadic_max, variadic_max, kElementwise},
    {"", "Min", 1, infer_variadic_min, variadic_min, kElementwise},
    {"", "Sum", 1, infer_variadic_sum, variadic_sum, kElementwise},
    {"", "Mean", 1, infer_variadic_sum, variadic_mean, kElementwise},
};

}  // namespace

std::span<const OpDef> arithmetic_ops() {
  return kRows;
}

}  // namespace fettle::ops
