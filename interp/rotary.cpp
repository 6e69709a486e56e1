#include "interp/rotary.h"

#include <algorithm>

#include "interp/literal_kernel.h"
#include "interp/parallel.h"
#include "interp/simd.h"
#include "ops/rotary_embedding.h"

namespace fettle::interp {
namespace {

// Pairs x[i], x[i + n] for i < n turned by their angles; y is not x.
FETTLE_VECTORIZED
void turn_halves(const float* __restrict x, const float* __restrict cosine,
                 const float* __restrict sine, float* __restrict y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    y[i] = cosine[i] * x[i] - sine[i] * x[i + n];
    y[i + n] = sine[i] * x[i] + cosine[i] * x[i + n];
  }
}

// Pairs x[2 i], x[2 i + 1] for i < n.
FETTLE_VECTORIZED
void turn_neighbors(const float* __restrict x, const float* __restrict cosine,
                    const float* __restrict sine, float* __restrict y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    y[2 * i] = cosine[i] * x[2 * i] - sine[i] * x[2 * i + 1];
    y[2 * i + 1] = sine[i] * x[2 * i] + cosine[i] * x[2 * i + 1];
  }
}

void rotate_floats(const ops::Heads& x, const ops::AngleCaches& caches, const ops::AngleRow& row,
                   bool interleaved, ir::Tensor& y) {
  const ops::HeadLayout& at = x.at;
  if (at.empty()) return;
  std::vector<int64_t> rows;
  for (int64_t b = 0; b < at.batch; ++b) {
    for (int64_t p = 0; p < at.positions; ++p) {
      rows.push_back(ops::checked_row(row(b, p), caches) * caches.pairs);
    }
  }
  const float* from = x.tensor->data<float>().data();
  const float* cosines = caches.cosines.data<float>().data();
  const float* sines = caches.sines.data<float>().data();
  float* to = y.mutable_data<float>().data();
  const int64_t turned = 2 * caches.pairs;
  for_each_row(at.batch * at.positions, at.heads * at.size * 2, [&](int64_t token) {
    const int64_t angles = rows[static_cast<size_t>(token)];
    for (int64_t h = 0; h < at.heads; ++h) {
      const int64_t place = at.offset(token / at.positions, h, token % at.positions);
      (interleaved ? turn_neighbors : turn_halves)(from + place, cosines + angles, sines + angles,
                                                   to + place, caches.pairs);
      std::copy_n(from + place + turned, at.size - turned, to + place + turned);
    }
  });
}

using Operator = void (*)(ops::KernelContext& context, ops::Rotate rotate);

class Rotary : public AcceleratedKernel {
 public:
  Rotary(const NodeFacts& facts, Operator compute)
      : node_(*facts.node), opset_(facts.opset), compute_(compute) {}

  bool run(Call& call) override {
    return run_literally(node_, opset_, call, [&](ops::KernelContext& context) {
      compute_(context, rotate_floats);
    });
  }

 private:
  const ir::Node& node_;
  int64_t opset_;
  Operator compute_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_rotary(const NodeFacts& facts) {
  constexpr Operator kCompute = ops::rotary_embedding;
  return std::make_unique<Rotary>(facts, kCompute);
}

std::unique_ptr<AcceleratedKernel> accelerate_contrib_rotary(const NodeFacts& facts) {
  constexpr Operator kCompute = ops::contrib_rotary_embedding;
  return std::make_unique<Rotary>(facts, kCompute);
}

}  // namespace fettle::interp
