// int64 arithmetic on sizes that may come from a hostile file: overflow throws kBadInput.
#pragma once

#include <cstdint>

#include "ir/error.h"

namespace fettle::ops {

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t r = 0;
  if (__builtin_add_overflow(a, b, &r)) fail(ErrorCode::kBadInput, "{} + {} overflows", a, b);
  return r;
}

inline int64_t checked_sub(int64_t a, int64_t b) {
  int64_t r = 0;
  if (__builtin_sub_overflow(a, b, &r)) fail(ErrorCode::kBadInput, "{} - {} overflows", a, b);
  return r;
}

inline int64_t checked_mul(int64_t a, int64_t b) {
  int64_t r = 0;
  if (__builtin_mul_overflow(a, b, &r)) fail(ErrorCode::kBadInput, "{} * {} overflows", a, b);
  return r;
}

// Division of a non-negative number by a positive one, rounded up.
inline int64_t ceil_div(int64_t a, int64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

}  // namespace fettle::ops
