#include "interp/depthwise_window.h"

#include <algorithm>

namespace fettle::interp {

DepthwiseWindow::DepthwiseWindow(const ir::Node& node, const Axes& window, int64_t taps, bool whole)
    : kernel(window), lane_taps(taps) {
  stride = spatial_axes(node.attr_ints("strides"), 0, 1);
  dilation = spatial_axes(node.attr_ints("dilations"), 0, 1);
  rows = kernel[0] * kernel[1];
  if (rows == 1) {
    kind = Kind::kAlong;
    place_along();
    return;
  }
  kind = whole || stride[2] == 1 ? Kind::kWhole : Kind::kClasses;
  step = kind == Kind::kWhole ? stride[2] : 1;
  place_columns(kernel[2]);
  place_groups();
}

void DepthwiseWindow::place_columns(int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    const int64_t at = k * dilation[2];
    const int64_t residue = kind == Kind::kWhole ? 0 : at % stride[2];
    const auto known = std::find(classes.begin(), classes.end(), residue);
    columns.push_back({known - classes.begin(), kind == Kind::kWhole ? at : at / stride[2]});
    if (known == classes.end()) classes.push_back(residue);
    row_margin = std::max(row_margin, columns.back().shift);
  }
}

void DepthwiseWindow::place_along() {
  const int64_t groups = (kernel[2] + lane_taps - 1) / lane_taps;
  place_columns(groups * lane_taps);
  const int64_t advance = lane_taps * dilation[2];
  const bool shared = advance % stride[2] == 0;
  for (int64_t g = 0; g < groups; ++g) {
    lanes.push_back(shared ? Place{0, g * advance / stride[2]} : Place{g, 0});
  }
  sections = lanes.back().index + 1;
  margin = lanes.back().shift;
}

void DepthwiseWindow::place_groups() {
  row_groups = (rows + lane_taps - 1) / lane_taps;
  if (kernel[0] == 1 && dilation[1] == 1) {
    constexpr int64_t kMost = 4;
    together = std::min(kMost, (row_groups * lane_taps - rows) / stride[1] + 1);
    rows += (together - 1) * stride[1];
  }
  for (const Place& column : columns) {
    for (int64_t g = 0; g < row_groups; ++g) {
      lanes.push_back({column.index * row_groups + g, column.shift});
    }
  }
  sections = row_groups * static_cast<int64_t>(classes.size());
  margin = row_margin;
}

int64_t DepthwiseWindow::tap(int64_t row, int64_t lane, int64_t place) const {
  if (kind == Kind::kAlong) {
    const int64_t k = lane * lane_taps + place;
    return k < kernel[2] ? k : -1;
  }
  const int64_t at = lane % row_groups * lane_taps + place - row * stride[1];
  if (at < 0 || at >= kernel[0] * kernel[1]) return -1;
  return at * kernel[2] + lane / row_groups;
}

}  // namespace fettle::interp
