// What a Resize or Upsample node asks for, from its attributes and operands.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"
#include "ops/resample.h"

namespace fettle::ops {

struct ResizePlan {
  ResampleOptions options;
  double extrapolation = 0;
  std::vector<AxisScale> axes;  // those that change; ascending in no particular order
  ir::Dims output;
};

// Operands as far as known; null when omitted. An empty tensor counts as omitted.
struct ResizeOperands {
  const ir::Tensor* roi = nullptr;
  const ir::Tensor* scales = nullptr;
  std::optional<std::vector<int64_t>> sizes;
};

// Resize of opset 11 and later; `x` are the input's dimensions. Throws kBadInput for unknown modes,
// scales that are not positive, wrong lengths, and empty axes that should grow.
ResizePlan plan_resize(const ir::Node& node, const ir::Dims& x, const ResizeOperands& operands);
// Upsample and Resize of opset 10: asymmetric coordinates, one scale per axis.
ResizePlan plan_upsample(const ir::Node& node, const ir::Dims& x, const std::vector<float>& scales,
                         NearestMode nearest);
// The axes an attribute `axes` names, all `rank` when it is absent.
std::vector<int64_t> resize_axes(const ir::Node& node, size_t rank);
// floor(extent * scale) in float32. Throws kBadInput unless 0 < scale and the result is an extent.
int64_t scaled_extent(int64_t extent, float scale);

}  // namespace fettle::ops
