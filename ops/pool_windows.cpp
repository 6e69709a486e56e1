#include "ops/pool_windows.h"

#include <algorithm>

#include "ops/checked.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

PoolWindows::PoolWindows(const Window& w)
    : rank_(w.rank()),
      outputs_(ir::element_count(w.output)),
      output_(w.output),
      in_strides_(row_major_strides(w.input)),
      ranges_(w.rank()) {
  for (size_t a = 0; a < rank_; ++a) {
    const int64_t dilation = w.dilations[a];
    // Beyond the input only the first tap counts, so the product cannot overflow where it is used.
    steps_.push_back(dilation < w.input[a] ? dilation * in_strides_[a] : 0);
    for (int64_t o = 0; o < w.output[a]; ++o) {
      const int64_t start = o * w.strides[a] - w.pads_begin[a];
      const int64_t skipped = start < 0 ? ceil_div(-start, dilation) : 0;
      const auto taps_before = [&](int64_t end) {
        return end <= start ? 0 : std::min(w.kernel[a], ceil_div(end - start, dilation));
      };
      Range range;
      range.first = start + skipped * dilation;
      range.inside = std::max<int64_t>(taps_before(w.input[a]) - skipped, 0);
      range.padded = taps_before(w.input[a] + w.pads_end[a]);
      ranges_[a].push_back(range);
    }
  }
}

}  // namespace fettle::ops
