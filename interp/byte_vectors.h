// Vectors of sixteen lanes, whatever the width of the registers.
#pragma once

#include <cstdint>

// The vectors are passed between inlined functions only. GCC 12 takes the undefined operands of its
// own AVX-512 intrinsics for uninitialized variables.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace fettle::interp {

using Int = int32_t __attribute__((vector_size(64)));
using Float = float __attribute__((vector_size(64)));
using Bytes = uint8_t __attribute__((vector_size(16)));
using SignedBytes = int8_t __attribute__((vector_size(16)));

}  // namespace fettle::interp
