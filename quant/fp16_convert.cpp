#include "quant/fp16_convert.h"

#include <cmath>

#include "ir/float16.h"
#include "quant/params.h"

namespace fettle::quant {

Fp16Loss measure_fp16_loss(const ir::Tensor& tensor) {
  constexpr float kSmallestNormal = 0x1p-14f;
  Fp16Loss loss;
  for (const float x : tensor.data<float>()) {
    ++loss.elements;
    const float magnitude = std::fabs(x);
    if (magnitude == 0 || !std::isfinite(x)) continue;
    const ir::Float16 half(x);
    if (magnitude > kLargestFp16) {
      ++loss.beyond_range;
    } else if (static_cast<float>(half) == 0) {
      ++loss.to_zero;
    } else if (magnitude < kSmallestNormal) {
      ++loss.subnormal;
    }
  }
  return loss;
}

ir::Tensor to_fp16(const ir::Tensor& tensor) {
  ir::Tensor out(ir::DataType::kFloat16, tensor.dims());
  const auto from = tensor.data<float>();
  const auto to = out.mutable_data<ir::Float16>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = ir::Float16(from[i]);
  return spill_if_large(std::move(out));
}

}  // namespace fettle::quant
