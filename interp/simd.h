// Functions whose loops are compiled for several instruction sets, chosen when the program starts.
// The build forbids contraction to fused multiply-add, so that all versions give the same bits.
#pragma once

#include "ir/sanitizer.h"

// (Sanitizers are not ready when the choice is made.)
#if defined(__x86_64__) && defined(__linux__) && !defined(FETTLE_ADDRESS_SANITIZER) && \
    !defined(FETTLE_THREAD_SANITIZER)
#define FETTLE_FOR(...) __attribute__((target_clones(__VA_ARGS__)))
#else
#define FETTLE_FOR(...)
#endif
#define FETTLE_VECTORIZED FETTLE_FOR("arch=x86-64-v4", "avx2", "default")

// For lambdas that these functions call: they are compiled for the same sets when they are inlined.
#define FETTLE_INLINED __attribute__((always_inline))
