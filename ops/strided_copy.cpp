#include "ops/strided_copy.h"

#include <algorithm>

#include "ops/element_width.h"

namespace fettle::ops {
namespace {

struct Axis {
  int64_t extent;
  int64_t in;
  int64_t out;
};

constexpr int64_t kTile = 16;

// Axes in the given order without those of extent 1, neighbors merged where both sides allow it.
std::vector<Axis> merged_axes(const Layout& from, const Layout& to, const ir::Dims& extent) {
  std::vector<Axis> axes;
  for (size_t k = 0; k < extent.size(); ++k) {
    if (extent[k] == 1) continue;
    const Axis next{extent[k], from.strides[k], to.strides[k]};
    if (!axes.empty() && axes.back().in == next.in * next.extent &&
        axes.back().out == next.out * next.extent) {
      axes.back() = Axis{axes.back().extent * next.extent, next.in, next.out};
    } else {
      axes.push_back(next);
    }
  }
  return axes;
}

template <typename T>
void copy_run(const T* in, T* out, const Axis& axis) {
  if (axis.in == 1 && axis.out == 1) {
    std::copy_n(in, axis.extent, out);
  } else if (axis.in == 0 && axis.out == 1) {
    std::fill_n(out, axis.extent, *in);
  } else {
    for (int64_t i = 0; i < axis.extent; ++i) out[i * axis.out] = in[i * axis.in];
  }
}

template <typename T>
void copy_tiles(const T* in, T* out, const Axis& rows, const Axis& columns) {
  for (int64_t r0 = 0; r0 < rows.extent; r0 += kTile) {
    const int64_t r1 = std::min(rows.extent, r0 + kTile);
    for (int64_t c0 = 0; c0 < columns.extent; c0 += kTile) {
      const int64_t c1 = std::min(columns.extent, c0 + kTile);
      for (int64_t r = r0; r < r1; ++r) {
        const T* source = in + r * rows.in;
        T* target = out + r * rows.out;
        for (int64_t c = c0; c < c1; ++c) target[c * columns.out] = source[c * columns.in];
      }
    }
  }
}

template <typename T>
void copy_axes(const T* in, T* out, std::vector<Axis> axes) {
  if (axes.empty()) {
    *out = *in;
    return;
  }
  const Axis inner = axes.back();
  axes.pop_back();
  // A transposition: an outer axis is contiguous in the input, the inner one in the output.
  Axis rows{1, 0, 0};
  if (inner.in != 1 && inner.in != 0) {
    const auto contiguous =
        std::find_if(axes.begin(), axes.end(), [](const Axis& a) { return a.in == 1; });
    if (contiguous != axes.end()) {
      rows = *contiguous;
      axes.erase(contiguous);
    }
  }
  std::vector<int64_t> index(axes.size(), 0);
  for (;;) {
    if (rows.extent > 1) {
      copy_tiles(in, out, rows, inner);
    } else {
      copy_run(in, out, inner);
    }
    size_t k = axes.size();
    while (k > 0) {
      --k;
      in += axes[k].in;
      out += axes[k].out;
      if (++index[k] < axes[k].extent) break;
      in -= axes[k].in * axes[k].extent;
      out -= axes[k].out * axes[k].extent;
      index[k] = 0;
      if (k == 0) return;
    }
    if (axes.empty()) return;
  }
}

}  // namespace

void copy_box(const ir::Tensor& in, const Layout& from, ir::Tensor& out, const Layout& to,
              const ir::Dims& extent) {
  FETTLE_ASSERT(in.type() == out.type());
  FETTLE_ASSERT(from.strides.size() == extent.size() && to.strides.size() == extent.size());
  if (std::find(extent.begin(), extent.end(), 0) != extent.end()) return;
  with_element(in.type(), [&]<typename T>(ElementTag<T>) {
    copy_axes(elements<T>(in) + from.offset, mutable_elements<T>(out) + to.offset,
              merged_axes(from, to, extent));
  });
}

}  // namespace fettle::ops
