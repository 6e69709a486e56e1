// Elementwise iteration over operands of different shapes by numpy's broadcasting rule.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/dispatch.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Walks an output of shape `to` in row-major order as runs along which every one of N operands
// either advances by one element or stays. Axes are merged where all operands allow it, so that
// equal shapes and scalar operands give a single run.
template <size_t N>
class BroadcastLoop {
 public:
  using Offsets = std::array<int64_t, N>;

  // Throws kBadInput when an operand's shape does not broadcast to `to`.
  BroadcastLoop(const ir::Dims& to, const std::array<const ir::Dims*, N>& operands) {
    std::array<std::vector<int64_t>, N> strides;
    for (size_t n = 0; n < N; ++n) {
      if (operands[n]->size() > to.size()) {
        fail(ErrorCode::kBadInput, "shape {} cannot be broadcast to {}",
             ir::to_string(*operands[n]), ir::to_string(to));
      }
      strides[n] = broadcast_strides(*operands[n], to);
    }
    empty_ = ir::element_count(to) == 0;
    if (empty_) return;  // its extents may be too large to multiply
    for (size_t axis = to.size(); axis-- > 0;) {
      if (to[axis] == 1) continue;
      Axis next{to[axis], {}};
      for (size_t n = 0; n < N; ++n) next.strides[n] = strides[n][axis];
      if (!axes_.empty() && mergeable(next, axes_.back())) {
        axes_.back().extent *= next.extent;
      } else {
        axes_.push_back(next);
      }
    }
    if (axes_.empty()) axes_.push_back(Axis{1, {}});
  }

  // Calls run(out_offset, count, offsets, steps) for each run; steps[n] is 0 or 1.
  template <typename Run>
  void for_each_run(Run&& run) const {
    if (empty_) return;
    const Axis& inner = axes_.front();
    std::vector<int64_t> index(axes_.size(), 0);
    Offsets offsets{};
    for (int64_t out = 0;; out += inner.extent) {
      run(out, inner.extent, offsets, inner.strides);
      size_t axis = 1;
      for (; axis < axes_.size(); ++axis) {
        for (size_t n = 0; n < N; ++n) offsets[n] += axes_[axis].strides[n];
        if (++index[axis] < axes_[axis].extent) break;
        for (size_t n = 0; n < N; ++n) {
          offsets[n] -= axes_[axis].strides[n] * axes_[axis].extent;
        }
        index[axis] = 0;
      }
      if (axis == axes_.size()) return;
    }
  }

 private:
  struct Axis {
    int64_t extent;
    Offsets strides;
  };

  static bool mergeable(const Axis& outer, const Axis& inner) {
    for (size_t n = 0; n < N; ++n) {
      if (outer.strides[n] != inner.strides[n] * inner.extent) return false;
    }
    return true;
  }

  std::vector<Axis> axes_;  // innermost first
  bool empty_ = false;
};

// out[i] = f(a[i], b[i]) over shape `to`; f takes and returns elements (or values convertible to
// them). `out` may be the same memory as an operand of shape `to`.
template <typename A, typename B, typename Out, typename F>
void broadcast_binary(const ir::Dims& to, const ir::Dims& a_dims, const A* a,
                      const ir::Dims& b_dims, const B* b, Out* out, F f) {
  const BroadcastLoop<2> loop(to, {&a_dims, &b_dims});
  loop.for_each_run([&](int64_t at, int64_t count, const auto& offsets, const auto& steps) {
    const A* x = a + offsets[0];
    const B* y = b + offsets[1];
    Out* z = out + at;
    if (steps[0] == 1 && steps[1] == 1) {
      for (int64_t i = 0; i < count; ++i) z[i] = f(x[i], y[i]);
    } else if (steps[0] == 1) {
      const B right = *y;
      for (int64_t i = 0; i < count; ++i) z[i] = f(x[i], right);
    } else if (steps[1] == 1) {
      const A left = *x;
      for (int64_t i = 0; i < count; ++i) z[i] = f(left, y[i]);
    } else {
      const Out same = f(*x, *y);
      for (int64_t i = 0; i < count; ++i) z[i] = same;
    }
  });
}

// The same for three operands, without special cases for operands that stay.
template <typename A, typename B, typename C, typename Out, typename F>
void broadcast_ternary(const ir::Dims& to, const ir::Dims& a_dims, const A* a,
                       const ir::Dims& b_dims, const B* b, const ir::Dims& c_dims, const C* c,
                       Out* out, F f) {
  const BroadcastLoop<3> loop(to, {&a_dims, &b_dims, &c_dims});
  loop.for_each_run([&](int64_t at, int64_t count, const auto& offsets, const auto& steps) {
    const A* x = a + offsets[0];
    const B* y = b + offsets[1];
    const C* z = c + offsets[2];
    for (int64_t i = 0; i < count; ++i) {
      out[at + i] = f(x[i * steps[0]], y[i * steps[1]], z[i * steps[2]]);
    }
  });
}

}  // namespace fettle::ops
