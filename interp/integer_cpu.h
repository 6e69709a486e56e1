// Whether 8-bit primitives of oneDNN are exact on this CPU.
#pragma once

#include <dnnl.hpp>

namespace fettle::interp {

// Without VNNI, sums of two uint8 * int8 products saturate in 16 bits.
inline bool exact_byte_products() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return false;
  }
}

}  // namespace fettle::interp
