// Random numbers that are the same on every run and every machine: the stream is a function of the
// seed and the position, never of time. ONNX fixes no generator; this is the one that the
// expectations of its conformance cases come from, numpy's RandomState (Mersenne Twister).
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <utility>

#include "ops/kernel_context.h"

namespace fettle::ops {

class RandomStream {
 public:
  explicit RandomStream(uint32_t seed) : bits_(seed) {}

  // In [0, 1), from 53 bits of two draws.
  double uniform() {
    const uint64_t high = bits_() >> 5;
    const uint64_t low = bits_() >> 6;
    return static_cast<double>((high << 26) + low) * 0x1p-53;
  }
  // Standard normal, by Marsaglia's polar method, which makes two at a time.
  double normal() {
    if (spare_) return *std::exchange(spare_, std::nullopt);
    double x = 0;
    double y = 0;
    double square = 0;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * std::log(square) / square);
    spare_ = factor * x;
    return factor * y;
  }

 private:
  std::mt19937 bits_;
  std::optional<double> spare_;
};

// The stream of a node: of its `seed` attribute when it has one, else of its name.
RandomStream stream_of(const ir::Node& node);
// Dropout with training_mode: output 0 is scaled by 1 / (1 - ratio) where output 1 is true.
void dropout_in_training(KernelContext& ctx);
// Sets every element of a numeric or bool tensor to one. Throws kUnsupported for other types.
void fill_with_one(ir::Tensor& tensor);

}  // namespace fettle::ops
