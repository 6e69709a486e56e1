#include "ops/non_max_suppression.h"

#include <algorithm>
#include <vector>

namespace fettle::ops {
namespace {

struct Box {
  float x_min, y_min, x_max, y_max;
};

Box corner_box(const float* b) {  // [y1, x1, y2, x2], any two opposite corners
  return {std::min(b[1], b[3]), std::min(b[0], b[2]), std::max(b[1], b[3]), std::max(b[0], b[2])};
}

Box center_box(const float* b) {  // [x, y, width, height]
  const float half_width = b[2] / 2;
  const float half_height = b[3] / 2;
  return {b[0] - half_width, b[1] - half_height, b[0] + half_width, b[1] + half_height};
}

float area(const Box& b) {
  return (b.x_max - b.x_min) * (b.y_max - b.y_min);
}

bool overlaps(const Box& a, const Box& b, float threshold) {
  const Box common{std::max(a.x_min, b.x_min), std::max(a.y_min, b.y_min),
                   std::min(a.x_max, b.x_max), std::min(a.y_max, b.y_max)};
  if (common.x_min > common.x_max || common.y_min > common.y_max) return false;
  const float intersection = area(common);
  if (intersection <= 0) return false;
  const float all = area(a) + area(b) - intersection;
  if (area(a) <= 0 || area(b) <= 0 || all <= 0) return false;
  return intersection / all > threshold;
}

struct Settings {
  bool centered = false;
  int64_t most = 0;  // boxes per batch and class
  float iou_threshold = 0;
  bool has_score_threshold = false;
  float score_threshold = 0;
};

// The number in optional operand `i`; null when omitted.
template <typename T>
const T* number(const KernelContext& ctx, size_t i) {
  const ir::Tensor* tensor = ctx.optional(i);
  if (tensor == nullptr) return nullptr;
  if (tensor->size() != 1) {
    fail(ErrorCode::kBadInput, "input {} must be one number; found shape {}", i,
         ir::to_string(tensor->dims()));
  }
  return tensor->data<T>().data();
}

Settings settings_of(const KernelContext& ctx) {
  Settings s;
  const int64_t format = ctx.node().attr_int("center_point_box", 0);
  if (format != 0 && format != 1) {
    fail(ErrorCode::kBadInput, "attribute center_point_box must be 0 or 1; found {}", format);
  }
  s.centered = format == 1;
  if (const int64_t* most = number<int64_t>(ctx, 2)) s.most = std::max<int64_t>(*most, 0);
  if (const float* threshold = number<float>(ctx, 3)) s.iou_threshold = *threshold;
  if (!(s.iou_threshold >= 0 && s.iou_threshold <= 1)) {
    fail(ErrorCode::kBadInput, "iou_threshold must lie in [0, 1]; found {}", s.iou_threshold);
  }
  if (const float* threshold = number<float>(ctx, 4)) {
    s.has_score_threshold = true;
    s.score_threshold = *threshold;
  }
  return s;
}

// Indices of the boxes whose score counts, by falling score, then index. NaN never counts.
std::vector<int64_t> candidates(const float* scores, int64_t count, const Settings& s) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < count; ++i) {
    const bool counts =
        s.has_score_threshold ? scores[i] > s.score_threshold : scores[i] == scores[i];
    if (counts) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t i, int64_t j) { return scores[i] > scores[j]; });
  return order;
}

std::vector<int64_t> select(const float* boxes, const float* scores, int64_t count,
                            const Settings& s) {
  std::vector<int64_t> chosen;
  std::vector<Box> kept;
  for (const int64_t i : candidates(scores, count, s)) {
    if (static_cast<int64_t>(chosen.size()) >= s.most) break;
    const Box box = s.centered ? center_box(boxes + 4 * i) : corner_box(boxes + 4 * i);
    const bool dropped = std::any_of(kept.begin(), kept.end(), [&](const Box& other) {
      return overlaps(box, other, s.iou_threshold);
    });
    if (dropped) continue;
    chosen.push_back(i);
    kept.push_back(box);
  }
  return chosen;
}

}  // namespace

void infer_non_max_suppression(InferContext& ctx) {
  for (size_t i = 0; i < 2; ++i) {
    if (ctx.shape(i) != nullptr && ctx.shape(i)->size() != 3) {
      fail(ErrorCode::kBadInput, "input {} must have rank 3; found {}", i,
           ir::to_string(*ctx.shape(i)));
    }
  }
  ctx.set(0, ir::DataType::kInt64, ir::Shape{ir::Dim::unknown(), ir::Dim::of(3)});
}

void non_max_suppression(KernelContext& ctx) {
  const ir::Tensor& boxes = ctx.input(0);
  const ir::Tensor& scores = ctx.input(1);
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes.dim(2) != 4 ||
      boxes.dim(0) != scores.dim(0) || boxes.dim(1) != scores.dim(2)) {
    fail(ErrorCode::kBadInput,
         "expected boxes [batches, n, 4] and scores [batches, classes, n]; found {} and {}",
         ir::to_string(boxes.dims()), ir::to_string(scores.dims()));
  }
  const Settings settings = settings_of(ctx);
  const int64_t count = boxes.dim(1);
  const int64_t classes = scores.dim(1);
  const float* box_data = boxes.data<float>().data();
  const float* score_data = scores.data<float>().data();
  std::vector<int64_t> selected;
  for (int64_t batch = 0; count > 0 && batch < boxes.dim(0); ++batch) {
    for (int64_t c = 0; c < classes; ++c) {
      for (const int64_t i : select(box_data + batch * count * 4,
                                    score_data + (batch * classes + c) * count, count, settings)) {
        selected.insert(selected.end(), {batch, c, i});
      }
    }
  }
  auto out = ctx.output(0, ir::DataType::kInt64, {static_cast<int64_t>(selected.size() / 3), 3})
                 .mutable_data<int64_t>();
  std::copy(selected.begin(), selected.end(), out.begin());
}

}  // namespace fettle::ops
