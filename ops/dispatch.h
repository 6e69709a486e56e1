// From run-time element types to C++ types, and the arithmetic type and rounding of each.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "ir/data_type.h"
#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::ops {

template <typename... Ts>
struct TypeList {};

template <typename... As, typename... Bs>
constexpr TypeList<As..., Bs...> operator+(TypeList<As...>, TypeList<Bs...>) {
  return {};
}

using FloatTypes = TypeList<float, double, ir::Float16, ir::Bfloat16>;
using SignedTypes = TypeList<int64_t, int32_t, int16_t, int8_t>;
using UnsignedTypes = TypeList<uint64_t, uint32_t, uint16_t, uint8_t>;
using IntegerTypes = decltype(SignedTypes{} + UnsignedTypes{});
using NumericTypes = decltype(FloatTypes{} + IntegerTypes{});
using BoolType = TypeList<bool>;

template <typename T>
struct Tag {
  using type = T;
};

// Calls f(Tag<T>{}) with the member of the list that stores `type`. Throws kBadInput when none
// does. Usage: dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) { ... });
template <typename... Ts, typename F>
void dispatch(TypeList<Ts...>, ir::DataType type, F&& f) {
  const bool found =
      ((type == ir::DataTypeOf<Ts>::value ? (static_cast<void>(f(Tag<Ts>{})), true) : false) ||
       ...);
  if (found) return;
  std::string names;
  ((names += names.empty() ? "" : ", ", names += ir::data_type_name(ir::DataTypeOf<Ts>::value)),
   ...);
  fail(ErrorCode::kBadInput, "expected elements of type {}; found {}", names,
       ir::data_type_name(type));
}

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, ir::Float16> || std::is_same_v<T, ir::Bfloat16>;
template <typename T>
inline constexpr bool kIsFloating = kIsHalf<T> || std::is_floating_point_v<T>;

// The type that elements of type T are computed in where float arithmetic on float16 and bfloat16
// is exact enough to round once: float for those two, T itself otherwise.
template <typename T>
using Work = std::conditional_t<kIsHalf<T>, float, T>;
// The type that sums of T accumulate in: double for floating types; 64-bit unsigned for integers,
// whose overflow then wraps as two's complement after narrow().
template <typename T>
using Accumulator = std::conditional_t<kIsFloating<T>, double, uint64_t>;

// double -> float with the inexact bit kept sticky (round to odd), so that a following rounding to
// at most 22 bits of mantissa equals one rounding from the double.
inline float round_to_odd(double value) {
  const float nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || !std::isfinite(nearest)) return nearest;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if ((bits & 1u) != 0) return nearest;
  const bool grow = std::abs(value) > std::abs(static_cast<double>(nearest));
  return std::bit_cast<float>(grow ? bits + 1 : bits - 1);
}

// A computed value as an element of type T: floating types round once to nearest even; integers
// keep the low bits. A floating value for an integer T must be in range (see truncate_to).
template <typename T, typename V>
T narrow(V value) {
  if constexpr (kIsHalf<T> && std::is_same_v<V, double>) {
    return T(round_to_odd(value));
  } else if constexpr (kIsHalf<T>) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

// A real number as an integer of type T: truncated toward zero, saturated, NaN as 0.
template <typename T>
T truncate_to(double value) {
  static_assert(std::is_integral_v<T>);
  constexpr double kLowest = static_cast<double>(std::numeric_limits<T>::min());
  // 2^bits: exact, and the first value out of range.
  constexpr double kBeyond =
      2.0 * static_cast<double>(uint64_t{1} << (std::numeric_limits<T>::digits - 1));
  if (std::isnan(value)) return 0;
  if (value >= kBeyond) return std::numeric_limits<T>::max();
  if (value <= kLowest) return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

// A computed double as an element of any type: rounded for floating T, truncate_to() for integers.
template <typename T>
T from_double(double value) {
  if constexpr (kIsFloating<T>) {
    return narrow<T>(value);
  } else {
    return truncate_to<T>(value);
  }
}

}  // namespace fettle::ops
