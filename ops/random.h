// Random numbers that are the same on every run and every machine: the stream is a function of the
// seed and the position (SplitMix64), never of time. ONNX fixes no generator, so the numbers differ
// from those of other runtimes.
#pragma once

#include <cmath>
#include <cstdint>

#include "ops/kernel_context.h"

namespace fettle::ops {

class RandomStream {
 public:
  explicit RandomStream(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  // Standard normal, by Box and Muller's transform.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

 private:
  uint64_t state_;
};

// The stream of a node: of its `seed` attribute when it has one, else of its name.
RandomStream stream_of(const ir::Node& node);
// Dropout with training_mode: output 0 is scaled by 1 / (1 - ratio) where output 1 is true.
void dropout_in_training(KernelContext& ctx);
// Sets every element of a numeric or bool tensor to one. Throws kUnsupported for other types.
void fill_with_one(ir::Tensor& tensor);

}  // namespace fettle::ops
