#include "ops/clip.h"

#include <limits>

#include "ops/dims.h"
#include "ops/elementwise.h"

namespace fettle::ops {
namespace {

// Highest finite value of T in the type it is computed in; the lowest one is its negation for
// floating types.
template <typename T>
constexpr Work<T> highest() {
  if constexpr (std::is_same_v<T, ir::Float16>) {
    return 65504.0f;
  } else if constexpr (std::is_same_v<T, ir::Bfloat16>) {
    return 0x1.fep127f;
  } else {
    return std::numeric_limits<T>::max();
  }
}

template <typename T>
constexpr Work<T> lowest() {
  if constexpr (kIsFloating<T>) {
    return -highest<T>();
  } else {
    return std::numeric_limits<T>::min();
  }
}

template <typename T>
void clip(KernelContext& ctx, Work<T> low, Work<T> high) {
  map_elements<T, Work<T>>(ctx, ctx.input(0), [=](Work<T> x) {
    const Work<T> above = x < low ? low : x;
    return above > high ? high : above;
  });
}

// The bound in operand `i`, or `fallback` when it is omitted.
template <typename T>
Work<T> bound(const KernelContext& ctx, size_t i, Work<T> fallback) {
  const ir::Tensor* tensor = ctx.optional(i);
  if (tensor == nullptr) return fallback;
  if (tensor->size() != 1 || tensor->rank() > 1) {
    fail(ErrorCode::kBadInput, "input {} must be a scalar; found shape {}", i,
         ir::to_string(tensor->dims()));
  }
  return static_cast<Work<T>>(tensor->data<T>()[0]);
}

}  // namespace

void clip_by_attributes(KernelContext& ctx) {
  const float low = ctx.node().attr_float("min", std::numeric_limits<float>::lowest());
  const float high = ctx.node().attr_float("max", std::numeric_limits<float>::max());
  dispatch(FloatTypes{}, ctx.input(0).type(), [&]<typename T>(Tag<T>) { clip<T>(ctx, low, high); });
}

void clip_by_inputs(KernelContext& ctx) {
  dispatch(NumericTypes{}, ctx.input(0).type(), [&]<typename T>(Tag<T>) {
    clip<T>(ctx, bound<T>(ctx, 1, lowest<T>()), bound<T>(ctx, 2, highest<T>()));
  });
}

void infer_clip(InferContext& ctx) {
  infer_like_input(ctx);
  for (size_t i = 1; i <= 2; ++i) {
    if (!ctx.has(i)) continue;
    require_same_element(ctx, 0, i);
    if (ctx.shape(i) != nullptr && ctx.shape(i)->size() > 1) {
      fail(ErrorCode::kBadInput, "input {} must be a scalar; found shape {}", i,
           ir::to_string(*ctx.shape(i)));
    }
  }
}

}  // namespace fettle::ops
