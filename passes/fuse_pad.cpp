// Moves explicit padding into the window operator that follows.
//
//   x -> Pad(0, pads) -> Conv(pads p) -> y           x -> Conv(pads p + pads) -> y
//   x -> Pad(0, pads) -> AveragePool -> y            the same, with count_include_pad
//   x -> Pad(v, pads) -> MaxPool -> y                where v never wins over an element
//
// Conditions: constant mode; constant, non-negative pads on spatial axes only; the padded value has
// no other reader; auto_pad of the window operator is NOTSET or VALID.
//   Conv: v = 0.
//   AveragePool: v = 0, no ceil_mode, its own padding already counted or absent, pads < kernel.
//   MaxPool: v is -inf, or v = 0 and x is known to be >= 0 (Relu and the like); no indices output,
//   no dilation, no ceil_mode, pads < kernel, so that each window holds an element of x.
// Traps: reflect and edge modes; negative pads crop; pads moved from attribute to input in opset 11.
#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

struct Padding {
  std::vector<int64_t> spatial;  // begins, then ends, as in the attribute `pads`
  double value = 0;
};

// The pads of all axes, begins then ends; nothing with a reason when not constant.
std::optional<std::vector<int64_t>> all_pads(const PassContext& context, const ir::Node& pad) {
  const int64_t opset = context.opset(pad);
  if (opset < 2) return std::nullopt;
  if (opset < 11) return pad.attr_ints("pads");
  auto pads = constant_ints(context, pad, 1);
  if (!pads || pad.input(3) == nullptr) return pads;
  const auto axes = constant_ints(context, pad, 3);
  const ir::Shape* shape = shape_of(pad.input(0));
  if (!axes || shape == nullptr || axes->size() * 2 != pads->size()) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  std::vector<int64_t> full(shape->size() * 2, 0);
  for (size_t i = 0; i < axes->size(); ++i) {
    const int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + rank : (*axes)[i];
    if (axis < 0 || axis >= rank) return std::nullopt;
    full[static_cast<size_t>(axis)] = (*pads)[i];
    full[static_cast<size_t>(axis + rank)] = (*pads)[i + axes->size()];
  }
  return full;
}

std::optional<double> pad_value(const PassContext& context, const ir::Node& pad) {
  if (context.opset(pad) < 11) return pad.attr_float("value", 0);
  if (pad.input(2) == nullptr) return 0;
  const ir::Tensor* value = context.constant(pad.input(2));
  if (value == nullptr || value->size() != 1 || !ir::is_floating(value->type())) return std::nullopt;
  return ir::element_as_double(*value, 0);
}

std::optional<Padding> padding_of(const PassContext& context, const ir::Node& pad,
                                  std::string& reason) {
  const auto pads = all_pads(context, pad);
  const auto value = pad_value(context, pad);
  if (pad.attr_string("mode", "constant") != "constant") reason = "its mode is not constant";
  else if (!pads || !value) reason = "its pads or value are not constant";
  else if (pads->size() < 6 || pads->size() % 2 != 0) reason = "it has no spatial axes";
  if (!reason.empty()) return std::nullopt;
  const size_t rank = pads->size() / 2;
  Padding padding{{}, *value};
  for (size_t i = 0; i < pads->size(); ++i) {
    if ((*pads)[i] < 0) reason = "it crops (negative pads)";
    if (i % rank >= 2) padding.spatial.push_back((*pads)[i]);
    else if ((*pads)[i] != 0) reason = "it pads the batch or channel axis";
  }
  if (!reason.empty()) return std::nullopt;
  return padding;
}

bool smaller_than_kernel(const ir::Node& node, const std::vector<int64_t>& pads) {
  const auto kernel = node.attr_ints("kernel_shape");
  if (kernel.size() * 2 != pads.size()) return false;
  for (size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] >= kernel[i % kernel.size()]) return false;
  }
  return true;
}

bool all_are(const std::vector<int64_t>& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == wanted; });
}

// Reasons against the move; empty when it may be made.
std::string conv_objection(const PassContext&, ir::Node&, const ir::Node&, const Padding& padding,
                           const std::vector<int64_t>&) {
  return padding.value == 0 ? "" : "the padded value is not 0";
}

std::string average_pool_objection(const PassContext& context, ir::Node& pool, const ir::Node&,
                                   const Padding& padding, const std::vector<int64_t>& merged) {
  if (padding.value != 0) return "the padded value is not 0";
  if (context.opset(pool) < 7) return "AveragePool cannot count padding before opset 7";
  if (pool.attr_int("ceil_mode", 0) != 0) return "ceil_mode changes what the last window counts";
  const bool counts = pool.attr_int("count_include_pad", 0) != 0;
  if (!counts && !all_are(pool.attr_ints("pads"), 0)) return "AveragePool skips its own padding";
  return smaller_than_kernel(pool, merged) ? "" : "the padding is not smaller than the kernel";
}

// Operators whose results are never negative (nor -0 where it would matter).
bool is_non_negative(const PassContext& context, const ir::Value& value) {
  const ir::Node* node = value.producer();
  if (node == nullptr) return false;
  if (node->is("Relu") || node->is("Sigmoid") || node->is("HardSigmoid")) return true;
  if (!node->is("Clip")) return false;
  if (context.opset(*node) < 11) return node->attr_float("min", -1) >= 0;
  const ir::Tensor* low = context.constant(node->input(1));
  return low != nullptr && low->size() == 1 && ir::element_as_double(*low, 0) >= 0;
}

std::string max_pool_objection(const PassContext& context, ir::Node& pool, const ir::Node& pad,
                               const Padding& padding, const std::vector<int64_t>& merged) {
  const bool lowest = padding.value == -std::numeric_limits<double>::infinity();
  if (!lowest && !(padding.value == 0 && is_non_negative(context, *pad.input(0)))) {
    return "the padded value might be the maximum";
  }
  if (pool.output(1) != nullptr) return "the indices would change";
  if (pool.attr_int("ceil_mode", 0) != 0) return "ceil_mode may add a window of padding only";
  if (!all_are(pool.attr_ints("dilations"), 1)) return "the window is dilated";
  return smaller_than_kernel(pool, merged) ? "" : "the padding is not smaller than the kernel";
}

struct Row {
  std::string_view op;
  std::string (*objection)(const PassContext&, ir::Node& window, const ir::Node& pad,
                           const Padding&, const std::vector<int64_t>& merged);
  bool counts_padding;
};
constexpr Row kRows[] = {
    {"Conv", conv_objection, false},
    {"AveragePool", average_pool_objection, true},
    {"MaxPool", max_pool_objection, false},
};

const Row* row_of(const ir::Node& node) {
  for (const Row& row : kRows) {
    if (node.is(row.op)) return &row;
  }
  return nullptr;
}

int64_t fuse(PassContext& context, ir::Node& window) {
  const Row* row = row_of(window);
  if (row == nullptr || window.input(0) == nullptr) return 0;
  ir::Node* pad = window.input(0)->producer();
  if (pad == nullptr || !pad->is("Pad") || pad->input(0) == nullptr) return 0;
  const auto decline = [&](std::string reason) {
    context.decline(*pad, std::move(reason));
    return 0;
  };
  if (only_user(*window.input(0)) != &window) return decline("the padded value is also used elsewhere");
  std::string reason;
  const auto padding = padding_of(context, *pad, reason);
  if (!padding) return decline(reason);
  const std::string auto_pad = window.attr_string("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") {
    return decline("the padding of the operator behind it depends on the input size");
  }
  std::vector<int64_t> merged = padding->spatial;
  const auto own = auto_pad == "VALID" ? std::vector<int64_t>{} : window.attr_ints("pads");
  if (!own.empty() && own.size() != merged.size()) return decline("the ranks differ");
  for (size_t i = 0; i < own.size(); ++i) {
    if (own[i] < 0 || merged[i] > std::numeric_limits<int64_t>::max() - own[i]) {
      return decline("the padding behind it is out of range");
    }
    merged[i] += own[i];
  }
  reason = row->objection(context, window, *pad, *padding, merged);
  if (!reason.empty()) return decline(reason);
  window.set_attribute(ir::Attribute("pads", std::move(merged)));
  window.remove_attribute("auto_pad");
  if (row->counts_padding) window.set_attribute(ir::Attribute("count_include_pad", 1));
  window.set_input(0, pad->input(0));
  pad->graph().erase(*pad);
  return 1;
}

}  // namespace

int64_t fuse_pad(PassContext& context) {
  return for_each_node(context.model, [&](ir::Node& node) { return fuse(context, node); });
}

}  // namespace fettle::passes
