// Slice.
#include <algorithm>
#include <numeric>

#include "ops/axes.h"
#include "ops/dims.h"
#include "ops/movement.h"
#include "ops/slice_range.h"
#include "ops/strided_copy.h"

namespace fettle::ops {

SliceRange slice_range(int64_t start, int64_t end, int64_t step, int64_t extent) {
  if (step == 0) fail(ErrorCode::kBadInput, "expected steps other than 0, found 0");
  if (extent == 0) return {};
  step = std::max(step, -INT64_MAX);
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  if (step > 0) {
    start = std::clamp<int64_t>(start, 0, extent);
    end = std::clamp<int64_t>(end, 0, extent);
    return {start, end > start ? (end - start - 1) / step + 1 : 0, step};
  }
  start = std::clamp<int64_t>(start, 0, extent - 1);
  end = std::clamp<int64_t>(end, -1, extent - 1);
  return {start, start > end ? (start - end - 1) / -step + 1 : 0, step};
}

namespace {

// What a slice of a symbolic extent leaves, assuming that it lies within the extent.
ir::Dim sliced(const ir::Dim& extent, const ir::Dim& start, const ir::Dim& end,
               const ir::Dim& step) {
  constexpr int64_t kNoEnd = INT32_MAX;  // what exporters write for "to the end"
  const auto s = int_value(start);
  const auto e = int_value(end);
  const auto by = int_value(step);
  if (extent.known() && s && e && by) return ir::Dim::of(slice_range(*s, *e, *by, extent.value).count);
  if (!by) return ir::Dim::unknown();
  if (*by == -1 && s && e && *s == -1 && *e <= -kNoEnd) return extent;
  if (*by < 1) return ir::Dim::unknown();
  ir::Dim length;
  if (s && e) {
    const bool open = *e >= kNoEnd;
    if (*s < 0 && (open || *e < 0)) {
      length = ir::Dim::of(std::max<int64_t>(0, (open ? 0 : *e) - *s));
    } else if (*s >= 0 && open) {
      length = int_sub(extent, start);
    } else if (*s >= 0 && *e < 0) {
      length = int_sub(int_add(extent, end), start);
    } else if (*s >= 0 && *e <= *s) {
      length = ir::Dim::of(0);
    }
  } else if (s && *s >= 0 && end.symbolic()) {
    length = int_sub(end, start);
  } else if (e && *e >= kNoEnd && start.symbolic()) {
    length = int_sub(extent, start);
  } else if (start.symbolic() && end.symbolic()) {
    length = int_sub(end, start);
  }
  if (const auto n = int_value(length); n && *n < 0) return ir::Dim::unknown();
  return *by == 1 ? length : int_floor_div(int_add(length, ir::Dim::of(*by - 1)), ir::Dim::of(*by));
}

struct KnownSlice {
  KnownInts starts, ends, axes, steps;
};

KnownSlice known_slice(const InferContext& ctx) {
  if (ctx.opset() >= 10) {
    return {known_operand(ctx, 1), known_operand(ctx, 2), known_operand(ctx, 3),
            known_operand(ctx, 4)};
  }
  return {known_attribute(ctx.node(), "starts"), known_attribute(ctx.node(), "ends"),
          known_attribute(ctx.node(), "axes"), KnownInts{true, std::nullopt}};
}

// The axes that are sliced, one per start; nothing when they are not known.
std::optional<std::vector<int64_t>> sliced_axes(const KnownSlice& slice, int64_t rank) {
  if (!slice.axes.omitted) {
    const auto axes = slice.axes.numbers();
    return axes ? std::optional(distinct_axes(*axes, rank)) : std::nullopt;
  }
  const KnownInts& counted = slice.starts.values ? slice.starts : slice.ends;
  if (!counted.values) return std::nullopt;
  std::vector<int64_t> axes(counted.values->size());
  std::iota(axes.begin(), axes.end(), 0);
  return distinct_axes(axes, rank);
}

ir::Dim entry(const KnownInts& ints, size_t i, const ir::Dim& fallback) {
  if (ints.omitted) return fallback;
  return ints.values && i < ints.values->size() ? (*ints.values)[i] : ir::Dim::unknown();
}

void slice_ints(InferContext& ctx, const KnownSlice& given) {
  const auto contents = ctx.ints(0);
  const auto start = int_value(entry(given.starts, 0, ir::Dim::unknown()));
  const auto end = int_value(entry(given.ends, 0, ir::Dim::unknown()));
  const auto step = int_value(entry(given.steps, 0, ir::Dim::of(1)));
  if (!contents || !start || !end || !step) return;
  const SliceRange range = slice_range(*start, *end, *step, static_cast<int64_t>(contents->size()));
  Ints out;
  for (int64_t i = 0; i < range.count; ++i) {
    out.push_back((*contents)[static_cast<size_t>(range.start + i * range.step)]);
  }
  ctx.set_ints(0, std::move(out));
}

std::vector<SliceRange> ranges_of(const KernelContext& ctx, const ir::Dims& dims) {
  const bool operands = ctx.opset() >= 10;
  const auto starts = operands ? operand_ints(ctx, 1) : attribute_ints(ctx.node(), "starts");
  const auto ends = operands ? operand_ints(ctx, 2) : attribute_ints(ctx.node(), "ends");
  const auto given = operands ? operand_ints(ctx, 3) : attribute_ints(ctx.node(), "axes");
  const auto steps = operands ? operand_ints(ctx, 4) : std::nullopt;
  if (!starts || !ends) fail(ErrorCode::kBadInput, "expected starts and ends, found none");
  std::vector<int64_t> axes(starts->size());
  std::iota(axes.begin(), axes.end(), 0);
  if (given) axes = *given;
  axes = distinct_axes(axes, static_cast<int64_t>(dims.size()));
  if (ends->size() != starts->size() || axes.size() != starts->size() ||
      (steps && steps->size() != starts->size())) {
    fail(ErrorCode::kBadInput,
         "expected as many starts as ends, axes and steps, found {}, {}, {}, "
         "{}",
         starts->size(), ends->size(), axes.size(), steps ? steps->size() : starts->size());
  }
  std::vector<SliceRange> ranges;
  for (const int64_t d : dims) ranges.push_back({0, d, 1});
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    ranges[axis] = slice_range((*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1, dims[axis]);
  }
  return ranges;
}

}  // namespace

void infer_slice(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) return ctx.set(0, ctx.element(0));
  const KnownSlice given = known_slice(ctx);
  const auto axes = sliced_axes(given, static_cast<int64_t>(in->size()));
  if (!axes) return ctx.set(0, ctx.element(0), ir::Shape(in->size()));
  ir::Shape out = *in;
  for (size_t i = 0; i < axes->size(); ++i) {
    ir::Dim& d = out[static_cast<size_t>((*axes)[i])];
    d = sliced(d, entry(given.starts, i, ir::Dim::unknown()),
               entry(given.ends, i, ir::Dim::unknown()), entry(given.steps, i, ir::Dim::of(1)));
  }
  if (in->size() == 1 && axes->size() == 1) slice_ints(ctx, given);
  ctx.set(0, ctx.element(0), std::move(out));
}

void slice(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const std::vector<SliceRange> ranges = ranges_of(ctx, in.dims());
  ir::Dims dims;
  for (const SliceRange& range : ranges) dims.push_back(range.count);
  if (dims == in.dims() &&
      std::all_of(ranges.begin(), ranges.end(), [](const SliceRange& r) { return r.step == 1; })) {
    return ctx.set_output(0, in);
  }
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  if (out.size() == 0) return;
  Layout from{0, row_major_strides(in.dims())};
  for (size_t k = 0; k < dims.size(); ++k) {
    from.offset += ranges[k].start * from.strides[k];
    // With one element the step, which may be huge, is never taken.
    from.strides[k] = ranges[k].count > 1 ? from.strides[k] * ranges[k].step : 0;
  }
  copy_box(in, from, out, {0, row_major_strides(dims)}, dims);
}

}  // namespace fettle::ops
