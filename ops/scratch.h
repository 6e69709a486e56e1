// Working memory of kernels whose size comes from a model.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/buffer.h"
#include "ir/error.h"

namespace fettle::ops {

// `count` value-initialized elements. Throws kLimit when they exceed the memory limit.
template <typename T>
std::vector<T> scratch(int64_t count) {
  int64_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(sizeof(T)), &bytes)) {
    fail(ErrorCode::kLimit, "working memory for {} elements exceeds the addressable size", count);
  }
  ir::require_memory(static_cast<size_t>(bytes));
  return std::vector<T>(static_cast<size_t>(count));
}

}  // namespace fettle::ops
