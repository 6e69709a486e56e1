// Codes of 2, 4 or 8 bits packed into uint8 elements, the first in the lowest bits.
#pragma once

#include <cstdint>

#include "ir/error.h"
#include "ops/checked.h"

namespace fettle::ops {

// The attribute `bits` of an operator; throws kBadInput unless it is 2, 4 or 8.
inline int checked_code_bits(int64_t bits) {
  if (bits != 2 && bits != 4 && bits != 8) {
    fail(ErrorCode::kBadInput, "attribute bits: expected 2, 4 or 8, found {}", bits);
  }
  return static_cast<int>(bits);
}

// The attribute `block_size`; throws kBadInput unless it is a power of two of at least 16.
inline int64_t checked_block_size(int64_t block_size) {
  if (block_size < 16 || (block_size & (block_size - 1)) != 0) {
    fail(ErrorCode::kBadInput, "attribute block_size: expected a power of 2 >= 16, found {}",
         block_size);
  }
  return block_size;
}

// Bytes that `count` codes take.
inline int64_t packed_size(int64_t count, int bits) {
  return ceil_div(count, 8 / bits);
}

// Code `index` of a row that starts at `row`.
inline int32_t packed_code(const uint8_t* row, int64_t index, int bits) {
  const int per_byte = 8 / bits;
  const auto shift = static_cast<int>(index % per_byte) * bits;
  return (row[index / per_byte] >> shift) & ((1 << bits) - 1);
}

// The zero point where none is given: the middle of the codes.
inline int32_t middle_code(int bits) {
  return 1 << (bits - 1);
}

}  // namespace fettle::ops
