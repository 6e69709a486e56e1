// Functions whose loops are compiled for several instruction sets, chosen when the program starts.
// The build forbids contraction to fused multiply-add, so that all versions give the same bits.
#pragma once

#include "ir/sanitizer.h"

#if defined(__x86_64__) && defined(__linux__) && !defined(FETTLE_ADDRESS_SANITIZER)
#define FETTLE_VECTORIZED __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define FETTLE_VECTORIZED
#endif
