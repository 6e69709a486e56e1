#include "ops/window.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "ir/error.h"
#include "ops/checked.h"
#include "ops/infer_context.h"

namespace fettle::ops {
namespace {

constexpr int64_t kAttributeLimit = int64_t{1} << 31;

AutoPad auto_pad_of(const ir::Node& node) {
  static constexpr std::array<std::pair<std::string_view, AutoPad>, 4> kNames = {{
      {"NOTSET", AutoPad::kNotSet},
      {"VALID", AutoPad::kValid},
      {"SAME_UPPER", AutoPad::kSameUpper},
      {"SAME_LOWER", AutoPad::kSameLower},
  }};
  const std::string name = node.attr_string("auto_pad", "NOTSET");
  for (const auto& [known, value] : kNames) {
    if (known == name || (name.empty() && value == AutoPad::kNotSet)) return value;
  }
  fail(ErrorCode::kBadInput,
       "attribute auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, found '{}'", name);
}

void check_range(std::string_view name, const ir::Dims& values, int64_t lowest) {
  for (const int64_t v : values) {
    if (v < lowest || v >= kAttributeLimit) {
      fail(ErrorCode::kBadInput, "attribute {}: expected values in [{}, {}), found {}", name,
           lowest, kAttributeLimit, ir::to_string(values));
    }
  }
}

// The attribute's values, or `count` times `fallback` when it is absent.
ir::Dims ints_or(const ir::Node& node, std::string_view name, size_t count, int64_t fallback,
                 int64_t lowest) {
  if (!node.has_attribute(name)) return ir::Dims(count, fallback);
  ir::Dims values = node.attr_ints(name);
  if (values.empty()) return ir::Dims(count, fallback);
  if (values.size() != count) {
    fail(ErrorCode::kBadInput, "attribute {}: expected {} values, found {}", name, count,
         values.size());
  }
  check_range(name, values, lowest);
  return values;
}

WindowSpec spec_of(const ir::Node& node, ir::Dims kernel) {
  WindowSpec spec;
  const size_t rank = kernel.size();
  check_range("kernel_shape", kernel, 1);
  spec.kernel = std::move(kernel);
  spec.strides = ints_or(node, "strides", rank, 1, 1);
  spec.dilations = ints_or(node, "dilations", rank, 1, 1);
  spec.auto_pad = auto_pad_of(node);
  spec.pads_begin.assign(rank, 0);
  spec.pads_end.assign(rank, 0);
  if (spec.auto_pad == AutoPad::kNotSet) {
    const ir::Dims pads = ints_or(node, "pads", 2 * rank, 0, 0);
    std::copy_n(pads.begin(), rank, spec.pads_begin.begin());
    std::copy_n(pads.begin() + static_cast<ptrdiff_t>(rank), rank, spec.pads_end.begin());
  }
  spec.ceil_mode = node.attr_int("ceil_mode", 0) != 0;
  return spec;
}

void check_ranks(const ir::Dims& x, const ir::Dims& w) {
  if (x.size() < 3 || x.size() != w.size()) {
    fail(ErrorCode::kBadInput,
         "expected input and weights of equal rank >= 3, found shapes {} and {}", ir::to_string(x),
         ir::to_string(w));
  }
}

ir::Dims spatial(const ir::Dims& dims) {
  return ir::Dims(dims.begin() + 2, dims.end());
}

Window unresolved(const WindowSpec& spec, const ir::Dims& input) {
  FETTLE_ASSERT(input.size() == spec.rank());
  Window w;
  w.kernel = spec.kernel;
  w.strides = spec.strides;
  w.dilations = spec.dilations;
  w.pads_begin = spec.pads_begin;
  w.pads_end = spec.pads_end;
  w.input = input;
  w.output.resize(spec.rank());
  w.group = spec.group;
  return w;
}

// Splits `total` so that the larger half comes first (SAME_LOWER) or last (SAME_UPPER).
void split_padding(int64_t total, bool larger_first, int64_t& begin, int64_t& end) {
  const int64_t half = total / 2;
  begin = larger_first ? total - half : half;
  end = total - begin;
}

bool is_same(AutoPad mode) {
  return mode == AutoPad::kSameUpper || mode == AutoPad::kSameLower;
}

// Windows along an axis: floor((in + pads - extent) / stride) + 1, or the ceiling of it without a
// last window that would start in the end padding (ONNX MaxPool, "ceil_mode").
int64_t window_count(const WindowSpec& spec, size_t axis, int64_t in) {
  const int64_t stride = spec.strides[axis];
  const int64_t room =
      checked_add(checked_add(in, spec.pads_begin[axis]), spec.pads_end[axis]) - spec.extent(axis);
  // With ceil_mode a single window may reach beyond the end.
  const bool reaches_beyond = room < 0 && spec.ceil_mode && -room < stride;
  if (room < 0 && !reaches_beyond) {
    fail(ErrorCode::kBadInput,
         "window of extent {} does not fit an input of extent {} padded by {} and {} (axis {})",
         spec.extent(axis), in, spec.pads_begin[axis], spec.pads_end[axis], axis + 2);
  }
  if (reaches_beyond) return 1;
  if (!spec.ceil_mode) return room / stride + 1;
  const int64_t count = ceil_div(room, stride) + 1;
  const bool starts_in_padding =
      checked_mul(count - 1, stride) >= checked_add(in, spec.pads_begin[axis]);
  return count > 1 && starts_in_padding ? count - 1 : count;
}

}  // namespace

TapRange tap_range(const Window& w, size_t axis, int64_t k) {
  const int64_t stride = w.strides[axis];
  const int64_t shift = w.pads_begin[axis] - k * w.dilations[axis];  // in = out * stride - shift
  const int64_t highest = w.input[axis] - 1 + shift;
  if (highest < 0) return {};
  return {shift > 0 ? ceil_div(shift, stride) : 0, std::min(w.output[axis], highest / stride + 1)};
}

WindowSpec conv_spec(const ir::Node& node, const ir::Dims& kernel) {
  if (node.has_attribute("kernel_shape")) {
    const ir::Dims stated = node.attr_ints("kernel_shape");
    if (!stated.empty() && stated != kernel) {
      fail(ErrorCode::kBadInput,
           "attribute kernel_shape {} contradicts the weights' spatial shape {}",
           ir::to_string(stated), ir::to_string(kernel));
    }
  }
  WindowSpec spec = spec_of(node, kernel);
  spec.ceil_mode = false;
  spec.group = node.attr_int("group", 1);
  if (spec.group < 1) {
    fail(ErrorCode::kBadInput, "attribute group: expected >= 1, found {}", spec.group);
  }
  spec.output_padding = ints_or(node, "output_padding", spec.rank(), 0, 0);
  if (node.has_attribute("output_shape")) {
    ir::Dims shape = node.attr_ints("output_shape");
    // Some exporters list batch and channels too.
    if (shape.size() == spec.rank() + 2) shape.erase(shape.begin(), shape.begin() + 2);
    if (!shape.empty() && shape.size() != spec.rank()) {
      fail(ErrorCode::kBadInput, "attribute output_shape: expected {} values, found {}",
           spec.rank(), shape.size());
    }
    check_range("output_shape", shape, 1);
    spec.output_shape = std::move(shape);
  }
  return spec;
}

WindowSpec pool_spec(const ir::Node& node, size_t spatial_rank) {
  ir::Dims kernel = node.attr_ints("kernel_shape");
  if (kernel.size() != spatial_rank) {
    fail(ErrorCode::kBadInput, "attribute kernel_shape: expected {} values, found {}", spatial_rank,
         kernel.size());
  }
  return spec_of(node, std::move(kernel));
}

Window resolve_window(const WindowSpec& spec, const ir::Dims& input) {
  Window w = unresolved(spec, input);
  for (size_t a = 0; a < w.rank(); ++a) {
    if (!is_same(spec.auto_pad)) {
      w.output[a] = window_count(spec, a, input[a]);
      continue;
    }
    w.output[a] = ceil_div(input[a], spec.strides[a]);
    const int64_t covered = checked_add(
        checked_mul(std::max<int64_t>(w.output[a] - 1, 0), spec.strides[a]), spec.extent(a));
    split_padding(std::max<int64_t>(covered - input[a], 0), spec.auto_pad == AutoPad::kSameLower,
                  w.pads_begin[a], w.pads_end[a]);
  }
  return w;
}

Window resolve_transposed(const WindowSpec& spec, const ir::Dims& input) {
  Window w = unresolved(spec, input);
  for (size_t a = 0; a < w.rank(); ++a) {
    const int64_t full =
        checked_add(checked_mul(spec.strides[a], std::max<int64_t>(input[a] - 1, 0)),
                    spec.output_padding[a] + spec.extent(a));
    const bool given = !spec.output_shape.empty();
    if (!given && !is_same(spec.auto_pad)) {
      w.output[a] = full - spec.pads_begin[a] - spec.pads_end[a];
    } else {
      w.output[a] = given ? spec.output_shape[a] : checked_mul(input[a], spec.strides[a]);
      // The larger half goes first unless SAME_UPPER is asked for (ONNX ConvTranspose).
      split_padding(std::max<int64_t>(full - w.output[a], 0), spec.auto_pad != AutoPad::kSameUpper,
                    w.pads_begin[a], w.pads_end[a]);
    }
    // Output beyond the last tap is covered by nothing; it counts as negative padding.
    w.pads_end[a] = full - spec.output_padding[a] - w.pads_begin[a] - w.output[a];
    if (w.output[a] < 1 && input[a] > 0) {
      fail(ErrorCode::kBadInput, "pads leave an output of extent {} along axis {}", w.output[a],
           a + 2);
    }
    w.output[a] = std::max<int64_t>(w.output[a], 0);
  }
  return w;
}

Window conv_window(const ir::Node& node, const ir::Dims& x, const ir::Dims& w) {
  check_ranks(x, w);
  const WindowSpec spec = conv_spec(node, spatial(w));
  if (checked_mul(w[1], spec.group) != x[1] || w[0] % spec.group != 0) {
    fail(ErrorCode::kBadInput,
         "input of shape {} and weights of shape {} do not match in channels for group {}",
         ir::to_string(x), ir::to_string(w), spec.group);
  }
  return resolve_window(spec, spatial(x));
}

Window conv_transpose_window(const ir::Node& node, const ir::Dims& x, const ir::Dims& w) {
  check_ranks(x, w);
  const WindowSpec spec = conv_spec(node, spatial(w));
  if (w[0] != x[1] || x[1] % spec.group != 0) {
    fail(ErrorCode::kBadInput,
         "input of shape {} and weights of shape {} do not match in channels for group {}",
         ir::to_string(x), ir::to_string(w), spec.group);
  }
  return resolve_transposed(spec, spatial(x));
}

Window pool_window(const ir::Node& node, const ir::Dims& x) {
  if (x.size() < 3) {
    fail(ErrorCode::kBadInput, "expected an input of rank >= 3, found shape {}", ir::to_string(x));
  }
  return resolve_window(pool_spec(node, x.size() - 2), spatial(x));
}

ir::Dims conv_output_dims(const Window& window, const ir::Dims& x, const ir::Dims& w) {
  ir::Dims out = {x.at(0), w.at(0)};
  out.insert(out.end(), window.output.begin(), window.output.end());
  return out;
}

ir::Dims conv_transpose_output_dims(const Window& window, const ir::Dims& x, const ir::Dims& w) {
  ir::Dims out = {x.at(0), checked_mul(w.at(1), window.group)};
  out.insert(out.end(), window.output.begin(), window.output.end());
  return out;
}

ir::Dims pool_output_dims(const Window& window, const ir::Dims& x) {
  ir::Dims out = {x.at(0), x.at(1)};
  out.insert(out.end(), window.output.begin(), window.output.end());
  return out;
}

ir::Dim window_output_dim(const WindowSpec& spec, size_t axis, const ir::Dim& input) {
  const int64_t stride = spec.strides[axis];
  const bool same = is_same(spec.auto_pad);
  if (input.known()) {
    return ir::Dim::of(same ? ceil_div(input.value, stride)
                            : window_count(spec, axis, input.value));
  }
  const int64_t slack = spec.extent(axis) - spec.pads_end[axis];
  // With ceil_mode and a stride beyond `slack`, dropping the last window depends on the input.
  if (!same && spec.ceil_mode && stride > 1 && stride > slack) return ir::Dim::unknown();
  // ceil(in / s) and floor((in + pads - extent) / s) + 1 are both floor((in + shift) / s).
  int64_t shift = stride - 1;
  if (!same) shift = spec.pads_begin[axis] - slack + stride + (spec.ceil_mode ? stride - 1 : 0);
  const ir::Dim moved =
      shift >= 0 ? dim_add(input, ir::Dim::of(shift)) : dim_sub(input, ir::Dim::of(-shift));
  return dim_floor_div(moved, ir::Dim::of(stride));
}

ir::Dim transposed_output_dim(const WindowSpec& spec, size_t axis, const ir::Dim& input) {
  if (!spec.output_shape.empty()) return ir::Dim::of(spec.output_shape[axis]);
  if (input.known()) {
    WindowSpec one = spec;
    const auto keep = [axis](ir::Dims& dims) { dims = {dims[axis]}; };
    for (ir::Dims* dims : {&one.kernel, &one.strides, &one.dilations, &one.pads_begin,
                           &one.pads_end, &one.output_padding}) {
      keep(*dims);
    }
    return ir::Dim::of(resolve_transposed(one, {input.value}).output[0]);
  }
  const ir::Dim scaled = dim_mul(input, ir::Dim::of(spec.strides[axis]));
  if (is_same(spec.auto_pad)) return scaled;
  const int64_t shift = spec.extent(axis) + spec.output_padding[axis] - spec.strides[axis] -
                        spec.pads_begin[axis] - spec.pads_end[axis];
  return shift >= 0 ? dim_add(scaled, ir::Dim::of(shift)) : dim_sub(scaled, ir::Dim::of(-shift));
}

}  // namespace fettle::ops
