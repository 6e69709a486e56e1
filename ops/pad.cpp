// Pad and CenterCropPad.
#include <algorithm>
#include <numeric>

#include "ops/axes.h"
#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/movement.h"
#include "ops/strided_copy.h"

namespace fettle::ops {
namespace {

// What is added to (or, when negative, taken off) the two ends of one axis.
struct Ends {
  int64_t begin = 0;
  int64_t end = 0;
};

constexpr int64_t kLargestPad = int64_t{1} << 60;

enum class Fill { kConstant, kReflect, kEdge, kWrap };

Fill fill_of(const ir::Node& node, int64_t opset) {
  const std::string mode = node.attr_string("mode", "constant");
  if (mode == "constant") return Fill::kConstant;
  if (mode == "reflect") return Fill::kReflect;
  if (mode == "edge") return Fill::kEdge;
  if (mode == "wrap" && opset >= 19) return Fill::kWrap;
  fail(ErrorCode::kBadInput,
       "mode: expected constant, reflect, edge or (from opset 19) wrap, found "
       "'{}'",
       mode);
}

const char* pads_attribute(int64_t opset) {
  return opset < 2 ? "paddings" : "pads";
}

template <typename Values, typename Entry>
std::vector<Entry> by_axis(const Values& pads, const std::optional<std::vector<int64_t>>& given,
                           size_t rank, Entry (*make)(const Values&, size_t, size_t)) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (given) axes = distinct_axes(*given, static_cast<int64_t>(rank));
  if (pads.size() != 2 * axes.size()) {
    fail(ErrorCode::kBadInput, "expected {} pads (begins, then ends), found {}", 2 * axes.size(),
         pads.size());
  }
  std::vector<Entry> result(rank);
  for (size_t i = 0; i < axes.size(); ++i) {
    result[static_cast<size_t>(axes[i])] = make(pads, i, axes.size());
  }
  return result;
}

std::vector<Ends> pads_of(const KernelContext& ctx, size_t rank) {
  const auto pads = ctx.opset() < 11 ? attribute_ints(ctx.node(), pads_attribute(ctx.opset()))
                                     : operand_ints(ctx, 1);
  if (!pads) fail(ErrorCode::kBadInput, "expected pads, found none");
  for (const int64_t p : *pads) {
    // Keeps the arithmetic on them clear of overflow.
    if (p < -kLargestPad || p > kLargestPad) fail(ErrorCode::kLimit, "a pad of {} is too large", p);
  }
  const auto axes = ctx.opset() < 18 ? std::nullopt : operand_ints(ctx, 3);
  return by_axis<std::vector<int64_t>, Ends>(*pads, axes, rank,
                                             [](const std::vector<int64_t>& p, size_t i, size_t n) {
                                               return Ends{p[i], p[i + n]};
                                             });
}

// A tensor of one element of `type` that holds the fill value.
ir::Tensor fill_value(const KernelContext& ctx, ir::DataType type) {
  if (ctx.opset() >= 11) {
    if (const ir::Tensor* given = ctx.optional(2)) {
      if (given->size() != 1) {
        fail(ErrorCode::kBadInput, "expected one fill value, found {}", given->size());
      }
      if (given->type() != type) {
        fail(ErrorCode::kBadInput, "expected a fill value of type {}, found {}",
             ir::data_type_name(type), ir::data_type_name(given->type()));
      }
      return *given;
    }
  }
  ir::Tensor value(type, {});
  fill_zero(value);
  const float given = ctx.opset() < 11 ? ctx.node().attr_float("value", 0) : 0;
  if (given != 0) {
    dispatch(NumericTypes{}, type,
             [&]<typename T>(Tag<T>) { value.mutable_data<T>()[0] = from_double<T>(given); });
  }
  return value;
}

// Copies the part of `in` that stays into an output filled with `value`. `ends` add up to the
// difference of the shapes.
void pad_constant(const ir::Tensor& in, const std::vector<Ends>& ends, const ir::Tensor& value,
                  ir::Tensor& out) {
  if (out.size() == 0) return;
  const std::vector<int64_t> still(out.rank(), 0);
  const Layout to{0, row_major_strides(out.dims())};
  copy_box(value, {0, still}, out, to, out.dims());
  Layout source{0, row_major_strides(in.dims())};
  Layout target = to;
  ir::Dims kept(in.rank());
  for (size_t k = 0; k < in.rank(); ++k) {
    const int64_t skipped = std::max<int64_t>(0, -ends[k].begin);
    kept[k] = in.dim(k) - skipped - std::max<int64_t>(0, -ends[k].end);
    if (kept[k] <= 0) return;
    source.offset += skipped * source.strides[k];
    target.offset += std::max<int64_t>(0, ends[k].begin) * target.strides[k];
  }
  copy_box(in, source, out, target, kept);
}

// Where position `at` of an axis of `extent` elements (at may lie outside) takes its element from.
int64_t folded(int64_t at, int64_t extent, Fill fill) {
  if (fill == Fill::kEdge || extent == 1) return std::clamp<int64_t>(at, 0, extent - 1);
  const int64_t period = fill == Fill::kWrap ? extent : 2 * (extent - 1);
  const int64_t phase = (at % period + period) % period;
  return phase < extent ? phase : period - phase;
}

// For every output position along an axis, the input position (cropping comes before padding).
std::vector<int64_t> sources(int64_t extent, const Ends& ends, int64_t out_extent, Fill fill) {
  const int64_t skipped = std::max<int64_t>(0, -ends.begin);
  const int64_t kept = extent - skipped - std::max<int64_t>(0, -ends.end);
  if (out_extent > 0 && kept <= 0) {
    fail(ErrorCode::kBadInput, "an axis without elements can only be padded with a constant");
  }
  ir::require_memory(static_cast<size_t>(out_extent) * sizeof(int64_t));
  std::vector<int64_t> map(static_cast<size_t>(out_extent));
  for (int64_t i = 0; i < out_extent; ++i) {
    map[static_cast<size_t>(i)] =
        skipped + folded(i - std::max<int64_t>(0, ends.begin), kept, fill);
  }
  return map;
}

template <typename T>
void gather_box(const T* in, T* out, const std::vector<int64_t>& in_strides,
                const std::vector<std::vector<int64_t>>& maps) {
  const size_t rank = maps.size();
  const std::vector<int64_t>& inner = maps.back();
  std::vector<size_t> index(rank, 0);
  for (;;) {
    int64_t base = 0;
    for (size_t k = 0; k + 1 < rank; ++k) base += maps[k][index[k]] * in_strides[k];
    for (const int64_t at : inner) *out++ = in[base + at];
    size_t k = rank - 1;
    for (;; --k) {
      if (k == 0) return;
      if (++index[k - 1] < maps[k - 1].size()) break;
      index[k - 1] = 0;
    }
  }
}

ir::Dims padded_dims(const ir::Dims& in, const std::vector<Ends>& ends) {
  ir::Dims out = in;
  for (size_t k = 0; k < in.size(); ++k) {
    out[k] = checked_add(checked_add(in[k], ends[k].begin), ends[k].end);
    if (out[k] < 0) {
      fail(ErrorCode::kBadInput, "pads {} and {} take more off axis {} than its {} elements",
           ends[k].begin, ends[k].end, k, in[k]);
    }
  }
  return out;
}

ir::Dim padded(const ir::Dim& extent, const ir::Dim& begin, const ir::Dim& end) {
  return int_add(int_add(extent, begin), end);
}

struct SymbolicEnds {
  ir::Dim begin = ir::Dim::of(0);
  ir::Dim end = ir::Dim::of(0);
};

// Targets of CenterCropPad by axis; -1 where the axis stays.
std::vector<int64_t> crop_targets(const KernelContext& ctx, const ir::Tensor& in) {
  const auto sizes = operand_ints(ctx, 1);
  const auto rank = static_cast<int64_t>(in.rank());
  std::vector<int64_t> axes(in.rank());
  std::iota(axes.begin(), axes.end(), 0);
  if (const auto given = attribute_ints(ctx.node(), "axes")) axes = distinct_axes(*given, rank);
  if (!sizes || sizes->size() != axes.size()) {
    fail(ErrorCode::kBadInput, "expected {} extents, found {}", axes.size(),
         sizes ? sizes->size() : 0);
  }
  std::vector<int64_t> targets(in.rank(), -1);
  for (size_t i = 0; i < axes.size(); ++i) {
    if ((*sizes)[i] < 0) {
      fail(ErrorCode::kBadInput, "expected extents of at least 0, found {}", (*sizes)[i]);
    }
    targets[static_cast<size_t>(axes[i])] = (*sizes)[i];
  }
  return targets;
}

}  // namespace

void infer_pad(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) return ctx.set(0, ctx.element(0));
  const KnownInts pads = ctx.opset() < 11 ? known_attribute(ctx.node(), pads_attribute(ctx.opset()))
                                          : known_operand(ctx, 1);
  const KnownInts axes = ctx.opset() < 18 ? KnownInts{true, std::nullopt} : known_operand(ctx, 3);
  const auto numbers = axes.numbers();
  if (!pads.values || (!axes.omitted && !numbers)) {
    return ctx.set(0, ctx.element(0), ir::Shape(in->size()));
  }
  const auto ends = by_axis<Ints, SymbolicEnds>(*pads.values, numbers, in->size(),
                                                [](const Ints& p, size_t i, size_t n) {
                                                  return SymbolicEnds{p[i], p[i + n]};
                                                });
  ir::Shape out;
  for (size_t k = 0; k < in->size(); ++k) {
    out.push_back(padded((*in)[k], ends[k].begin, ends[k].end));
  }
  ctx.set(0, ctx.element(0), std::move(out));
}

void pad(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const std::vector<Ends> ends = pads_of(ctx, in.rank());
  const Fill fill = fill_of(ctx.node(), ctx.opset());
  const ir::Dims dims = padded_dims(in.dims(), ends);
  if (in.rank() == 0) return ctx.set_output(0, in);
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  if (fill == Fill::kConstant) return pad_constant(in, ends, fill_value(ctx, in.type()), out);
  if (out.size() == 0) return;
  std::vector<std::vector<int64_t>> maps;
  for (size_t k = 0; k < dims.size(); ++k) {
    maps.push_back(sources(in.dim(k), ends[k], dims[k], fill));
  }
  with_element(in.type(), [&]<typename T>(ElementTag<T>) {
    gather_box(elements<T>(in), mutable_elements<T>(out), row_major_strides(in.dims()), maps);
  });
}

void infer_center_crop_pad(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) return ctx.set(0, ctx.element(0));
  std::vector<int64_t> axes(in->size());
  std::iota(axes.begin(), axes.end(), 0);
  if (const auto given = attribute_ints(ctx.node(), "axes")) {
    axes = distinct_axes(*given, static_cast<int64_t>(in->size()));
  }
  ir::Shape out = *in;
  const auto sizes = ctx.ints(1);
  for (size_t i = 0; i < axes.size(); ++i) {
    out[static_cast<size_t>(axes[i])] =
        sizes && i < sizes->size() ? (*sizes)[i] : ir::Dim::unknown();
  }
  ctx.set(0, ctx.element(0), std::move(out));
}

void center_crop_pad(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  const std::vector<int64_t> targets = crop_targets(ctx, in);
  std::vector<Ends> ends(in.rank());
  ir::Dims dims = in.dims();
  for (size_t k = 0; k < dims.size(); ++k) {
    if (targets[k] < 0) continue;
    // The odd element is added, or taken off, at the end.
    const int64_t change = targets[k] - dims[k];
    ends[k].begin = change / 2;
    ends[k].end = change - ends[k].begin;
    dims[k] = targets[k];
  }
  ir::Tensor& out = ctx.output(0, in.type(), dims);
  ir::Tensor zero(in.type(), {});
  fill_zero(zero);
  pad_constant(in, ends, zero, out);
}

}  // namespace fettle::ops
