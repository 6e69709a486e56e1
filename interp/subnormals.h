// Arithmetic on subnormal numbers (below 1.2e-38 in float32) can cost a hundred times as much as
// any other; weights of channels that training has switched off and their products are full of
// them.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fettle::interp {

// How this thread treats subnormals, and the means to make another thread do the same.
#if defined(__x86_64__)
inline unsigned float_mode() {
  return _mm_getcsr();
}
inline void set_float_mode(unsigned mode) {
  _mm_setcsr(mode);
}
inline constexpr unsigned kFlush = 0x8040;  // results and operands
#elif defined(__aarch64__)
inline unsigned long float_mode() {
  unsigned long mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void set_float_mode(unsigned long mode) {
  asm volatile("msr fpcr, %0" : : "r"(mode));
}
inline constexpr unsigned long kFlush = 1ul << 24;
#else
inline unsigned float_mode() {
  return 0;
}
inline void set_float_mode(unsigned) {}
inline constexpr unsigned kFlush = 0;
#endif

// While it lives this thread, and those that share its loops (interp/team.h), take subnormals
// for zero. For kernels that sum products: there they are far below the rounding error.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(float_mode()) { set_float_mode(before_ | kFlush); }
  ~FlushSubnormals() { set_float_mode(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  decltype(float_mode()) before_;
};

}  // namespace fettle::interp
