#include "interp/byte_kernel.h"

#include <dnnl.hpp>

namespace fettle::interp {
namespace {

const ByteKernels& choose() {
#if defined(__x86_64__)
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return kByteKernelsAvx512Vnni;
    case dnnl::cpu_isa::avx2_vnni:
      return kByteKernelsAvxVnni;
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx512_core:
      return kByteKernelsAvx2;
    default:
      break;
  }
#endif
  return kByteKernelsPortable;
}

}  // namespace

const ByteKernels& byte_kernels() {
  static const ByteKernels& chosen = choose();
  return chosen;
}

}  // namespace fettle::interp
