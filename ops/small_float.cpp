#include "ops/small_float.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"

namespace fettle::ops {
namespace {

struct Format {
  int mantissa_bits;
  int bias;
  unsigned greatest;  // code of the greatest finite value
  unsigned infinity;  // code of what overflows without saturation
  unsigned nan;
  bool signed_zero;  // false: the code of -0 is NaN
};

Format format_of(ir::DataType type) {
  switch (type) {
    case ir::DataType::kFloat8E4M3FN:
      return {3, 7, 0x7e, 0x7f, 0x7f, true};
    case ir::DataType::kFloat8E4M3FNUZ:
      return {3, 8, 0x7f, 0x80, 0x80, false};
    case ir::DataType::kFloat8E5M2:
      return {2, 15, 0x7b, 0x7c, 0x7f, true};
    case ir::DataType::kFloat8E5M2FNUZ:
      return {2, 16, 0x7f, 0x80, 0x80, false};
    default:
      FETTLE_ASSERT(!"a float8 type with a mantissa");
      return {};
  }
}

// Code of |value| without sign, rounded half to even, at most `greatest` + 1. The value is finite.
unsigned magnitude_code(double magnitude, int mantissa_bits, int bias, unsigned greatest) {
  if (magnitude == 0) return 0;
  const int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  if (exponent > 64) return greatest + 1;
  // The significand in units of the last place; 2^mantissa_bits and more for normal numbers.
  const double units = std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent));
  const int code = ((exponent + bias - 1) << mantissa_bits) + static_cast<int>(units);
  return std::min(static_cast<unsigned>(code), greatest + 1);
}

}  // namespace

uint8_t encode_float8(ir::DataType type, double value, bool saturate) {
  const Format f = format_of(type);
  const unsigned sign = std::signbit(value) ? 0x80u : 0u;
  if (std::isnan(value)) return static_cast<uint8_t>(f.signed_zero ? sign | f.nan : f.nan);
  const unsigned code = std::isinf(value)
                            ? f.greatest + 1
                            : magnitude_code(std::abs(value), f.mantissa_bits, f.bias, f.greatest);
  if (code > f.greatest) return static_cast<uint8_t>(sign | (saturate ? f.greatest : f.infinity));
  if (code == 0 && !f.signed_zero) return 0;
  return static_cast<uint8_t>(sign | code);
}

uint8_t encode_float8_e8m0(double value, bool saturate, E8m0Rounding rounding) {
  constexpr uint8_t kNan = 255;
  constexpr int kBias = 127;
  if (std::isnan(value) || value < 0) return kNan;
  if (value == 0) return saturate ? 0 : kNan;
  if (std::isinf(value)) return saturate ? 254 : kNan;
  const int exponent = std::ilogb(value);
  const double fraction = std::ldexp(value, -exponent);  // [1, 2)
  const bool up = (rounding == E8m0Rounding::kUp && fraction > 1.0) ||
                  (rounding == E8m0Rounding::kNearest && fraction >= 1.5);
  const int code = exponent + kBias + (up ? 1 : 0);
  if (code >= 0 && code <= 254) return static_cast<uint8_t>(code);
  if (!saturate) return kNan;
  return code < 0 ? 0 : 254;
}

uint8_t encode_float4_e2m1(double value) {
  constexpr unsigned kSign = 8;
  constexpr unsigned kGreatest = 7;
  if (std::isnan(value)) return kSign;
  const unsigned sign = std::signbit(value) ? kSign : 0u;
  if (std::isinf(value)) return static_cast<uint8_t>(sign | kGreatest);
  return static_cast<uint8_t>(
      sign | std::min(magnitude_code(std::abs(value), 1, 1, kGreatest), kGreatest));
}

}  // namespace fettle::ops
