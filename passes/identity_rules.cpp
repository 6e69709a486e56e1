#include "passes/identity_rules.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "passes/rewrite.h"

namespace fettle::passes {
namespace {

// Constants with more elements are not searched for ones and zeros.
constexpr int64_t kMostElements = 1 << 20;

struct Match {
  const PassContext& context;
  const ir::Node& node;
  std::string& reason;
};

// Operand that the output equals, or -1.
constexpr int kNone = -1;

int always(const Match&) { return 0; }

int single_operand(const Match& m) { return m.node.inputs().size() == 1 ? 0 : kNone; }

int dropout(const Match& m) {
  const int64_t opset = m.context.opset(m.node);
  const ir::Value* mask = m.node.output(1);
  if (mask != nullptr && (!mask->uses().empty() || mask->is_graph_output())) {
    m.reason = "its mask is used";
    return kNone;
  }
  if (opset < 7) return m.node.attr_int("is_test", 0) != 0 ? 0 : kNone;
  if (opset < 12 || m.node.input(2) == nullptr) return 0;
  const ir::Tensor* training = m.context.constant(m.node.input(2));
  const bool inference = training != nullptr && training->type() == ir::DataType::kBool &&
                         training->size() == 1 && ir::element_as_int(*training, 0) == 0;
  if (!inference) m.reason = "it may run in training mode";
  return inference ? 0 : kNone;
}

// The element type of the output is that of the input.
int same_type(const Match& m) {
  const ir::Type& in = m.node.input(0)->type;
  if (!in.is_tensor() || in.element == ir::DataType::kUndefined) return kNone;
  if (m.node.is("Cast")) return m.node.attr_int("to", 0) == static_cast<int64_t>(in.element) ? 0 : kNone;
  const ir::Value* like = m.node.input(1);
  return like != nullptr && like->type.is_tensor() && like->type.element == in.element ? 0 : kNone;
}

// All extents surely equal. Where the element count is kept too, one unknown extent is no harm.
bool same_extents(const ir::Shape& a, const ir::Shape& b, bool same_count) {
  if (a.size() != b.size()) return false;
  int unknown = 0;
  bool zero = false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].known() || !b[i].known()) {
      ++unknown;
    } else if (a[i].value != b[i].value) {
      return false;
    } else {
      zero |= a[i].value == 0;
    }
  }
  return unknown == 0 || (same_count && unknown == 1 && !zero);
}

// Operators that keep the elements in order: they do nothing when the shape stays.
int same_shape(const Match& m) {
  const ir::Shape* in = shape_of(m.node.input(0));
  const ir::Shape* out = shape_of(m.node.output(0));
  return in != nullptr && out != nullptr && same_extents(*in, *out, true) ? 0 : kNone;
}

int expand(const Match& m) {
  const ir::Shape* in = shape_of(m.node.input(0));
  const ir::Shape* out = shape_of(m.node.output(0));
  if (in == nullptr) return kNone;
  if (out != nullptr && same_extents(*in, *out, false)) return 0;
  const auto target = constant_ints(m.context, m.node, 1);
  const bool ones = target && target->size() <= in->size() &&
                    std::all_of(target->begin(), target->end(), [](int64_t d) { return d == 1; });
  return ones ? 0 : kNone;
}

int tile(const Match& m) {
  if (m.context.opset(m.node) < 6) return kNone;
  const auto repeats = constant_ints(m.context, m.node, 1);
  const bool ones = repeats && std::all_of(repeats->begin(), repeats->end(),
                                           [](int64_t r) { return r == 1; });
  return ones ? 0 : kNone;
}

int transpose(const Match& m) {
  std::vector<int64_t> perm = m.node.attr_ints("perm");
  if (perm.empty()) {
    const ir::Shape* shape = shape_of(m.node.input(0));
    return shape != nullptr && shape->size() < 2 ? 0 : kNone;
  }
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i)) return kNone;
  }
  return 0;
}

int pad(const Match& m) {
  const int64_t opset = m.context.opset(m.node);
  if (opset < 2) return kNone;
  std::optional<std::vector<int64_t>> pads =
      opset < 11 ? m.node.attr_ints("pads") : constant_ints(m.context, m.node, 1);
  const bool zeros = pads && std::all_of(pads->begin(), pads->end(), [](int64_t p) { return p == 0; });
  return zeros ? 0 : kNone;
}

// The operands of Slice, whatever the opset.
struct SliceBounds {
  std::vector<int64_t> starts, ends, axes, steps;
};

std::optional<SliceBounds> slice_bounds(const Match& m) {
  SliceBounds bounds;
  if (m.context.opset(m.node) < 10) {
    bounds = {m.node.attr_ints("starts"), m.node.attr_ints("ends"), m.node.attr_ints("axes"), {}};
  } else {
    std::vector<int64_t>* parts[] = {&bounds.starts, &bounds.ends, &bounds.axes, &bounds.steps};
    for (size_t i = 0; i < 4; ++i) {
      if (m.node.input(i + 1) == nullptr) continue;
      auto part = constant_ints(m.context, m.node, i + 1);
      if (!part) return std::nullopt;
      *parts[i] = std::move(*part);
    }
  }
  const size_t count = bounds.starts.size();
  if (bounds.axes.empty()) {
    for (size_t i = 0; i < count; ++i) bounds.axes.push_back(static_cast<int64_t>(i));
  }
  if (bounds.steps.empty()) bounds.steps.assign(count, 1);
  if (bounds.ends.size() != count || bounds.axes.size() != count || bounds.steps.size() != count) {
    return std::nullopt;
  }
  return bounds;
}

int slice(const Match& m) {
  const auto bounds = slice_bounds(m);
  if (!bounds) return kNone;
  const ir::Shape* shape = shape_of(m.node.input(0));
  for (size_t i = 0; i < bounds->starts.size(); ++i) {
    if (bounds->steps[i] != 1 || bounds->starts[i] != 0) return kNone;
    if (bounds->ends[i] >= std::numeric_limits<int32_t>::max()) continue;
    if (shape == nullptr) return kNone;
    const int64_t axis = bounds->axes[i] + (bounds->axes[i] < 0 ? static_cast<int64_t>(shape->size()) : 0);
    if (axis < 0 || axis >= static_cast<int64_t>(shape->size())) return kNone;
    const ir::Dim& d = (*shape)[static_cast<size_t>(axis)];
    if (!d.known() || bounds->ends[i] < d.value) return kNone;
  }
  return 0;
}

int split(const Match& m) { return m.node.outputs().size() == 1 ? 0 : kNone; }

// x op unit == x, bit for bit. x + 0 turns -0 into 0, x - 0 and x + -0 do not.
struct Unit {
  double value = 0;
  bool negative_zero = false;  // a floating zero must carry the sign
};

bool is_unit(const ir::Tensor& tensor, Unit unit) {
  if (tensor.size() == 0 || tensor.size() > kMostElements) return false;
  if (!ir::is_floating(tensor.type()) && !ir::is_integer(tensor.type())) return false;
  const bool check_sign = ir::is_floating(tensor.type()) && unit.value == 0;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const double v = ir::element_as_double(tensor, i);
    if (v != unit.value || (check_sign && std::signbit(v) != unit.negative_zero)) return false;
  }
  return true;
}

// Broadcasting with `constant` surely leaves the shape of `data` as it is.
bool keeps_shape(const ir::Value& data, const ir::Tensor& constant) {
  const ir::Shape* shape = shape_of(&data);
  if (shape == nullptr) return constant.rank() == 0;
  if (constant.rank() > shape->size()) return false;
  const size_t missing = shape->size() - constant.rank();
  for (size_t i = 0; i < constant.rank(); ++i) {
    const ir::Dim& d = (*shape)[i + missing];
    if (constant.dim(i) != 1 && !(d.known() && d.value == constant.dim(i))) return false;
  }
  return true;
}

int with_unit(const Match& m, Unit unit, bool commutative) {
  if (m.node.inputs().size() != 2) return kNone;
  if (m.context.opset(m.node) < 7) return kNone;  // broadcast by attribute
  for (const size_t side : {size_t{1}, size_t{0}}) {
    if (side == 0 && !commutative) continue;
    const ir::Tensor* constant = m.context.constant(m.node.input(side));
    const ir::Value* data = m.node.input(1 - side);
    if (constant == nullptr || data == nullptr) continue;
    if (!is_unit(*constant, unit)) {
      Unit positive{unit.value, false};
      if (unit.negative_zero && is_unit(*constant, positive)) m.reason = "adding 0 turns -0 into 0";
      continue;
    }
    if (keeps_shape(*data, *constant)) return static_cast<int>(1 - side);
    m.reason = "its constant may broadcast the other operand to a larger shape";
  }
  return kNone;
}

int mul(const Match& m) { return with_unit(m, {1, false}, true); }
int div(const Match& m) { return with_unit(m, {1, false}, false); }
int sub(const Match& m) { return with_unit(m, {0, false}, false); }
int add(const Match& m) { return with_unit(m, {0, true}, true); }

struct Row {
  std::string_view op;
  int (*same)(const Match&);
};

// One row per operator that may do nothing.
constexpr Row kRows[] = {
    {"Identity", always},
    {"Dropout", dropout},
    {"Cast", same_type},
    {"CastLike", same_type},
    {"Reshape", same_shape},
    {"Flatten", same_shape},
    {"Squeeze", same_shape},
    {"Unsqueeze", same_shape},
    {"Expand", expand},
    {"Tile", tile},
    {"Transpose", transpose},
    {"Pad", pad},
    {"Slice", slice},
    {"Split", split},
    {"Concat", single_operand},
    {"Sum", single_operand},
    {"Max", single_operand},
    {"Min", single_operand},
    {"Mean", single_operand},
    {"Mul", mul},
    {"Div", div},
    {"Add", add},
    {"Sub", sub},
};

}  // namespace

ir::Value* same_operand(const PassContext& context, const ir::Node& node, std::string& reason) {
  if (node.input(0) == nullptr || node.output(0) == nullptr) return nullptr;
  for (const Row& row : kRows) {
    if (!node.is(row.op)) continue;
    const int operand = row.same(Match{context, node, reason});
    return operand == kNone ? nullptr : node.input(static_cast<size_t>(operand));
  }
  return nullptr;
}

}  // namespace fettle::passes
