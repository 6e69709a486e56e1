#include "interp/reshape_view.h"

#include <algorithm>
#include <array>

#include "interp/movement_kernel.h"

namespace fettle::interp {
namespace {

using MaybeDims = std::optional<ir::Dims>;

// `given`: the new shape, the axes, or nothing when the node has neither.
struct ViewRequest {
  const ir::Node& node;
  int64_t opset;
  std::optional<std::vector<int64_t>> given;
};
// Dims of the result, or nothing where the reference kernel reports an error.
using Rule = MaybeDims (*)(const ViewRequest& request, const ir::Dims& in);

MaybeDims reshaped(const ViewRequest& request, const ir::Dims& in) {
  if (!request.given) return std::nullopt;
  const bool keep_zero = request.opset >= 14 && request.node.attr_int("allowzero", 0) != 0;
  ir::Dims dims = *request.given;
  int64_t rest = 1;
  int64_t* open = nullptr;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !keep_zero) {
      if (i >= in.size()) return std::nullopt;
      dims[i] = in[i];
    }
    if (dims[i] < -1 || (dims[i] == -1 && open != nullptr)) return std::nullopt;
    if (dims[i] == -1) {
      open = &dims[i];
    } else if (__builtin_mul_overflow(rest, dims[i], &rest)) {
      return std::nullopt;
    }
  }
  const int64_t total = extents_between(in, 0, in.size());
  if (open == nullptr) return rest == total ? MaybeDims(std::move(dims)) : std::nullopt;
  if (rest == 0 || total % rest != 0) return std::nullopt;
  *open = total / rest;
  return dims;
}

MaybeDims flattened(const ViewRequest& request, const ir::Dims& in) {
  const auto rank = static_cast<int64_t>(in.size());
  int64_t axis = request.node.attr_int("axis", 1);
  if (axis < -rank || axis > rank) return std::nullopt;
  if (axis < 0) axis += rank;
  const auto at = static_cast<size_t>(axis);
  return ir::Dims{extents_between(in, 0, at), extents_between(in, at, in.size())};
}

MaybeDims squeezed(const ViewRequest& request, const ir::Dims& in) {
  std::vector<bool> taken(in.size());
  const bool all = !request.given || request.given->empty();
  if (all) {
    for (size_t i = 0; i < in.size(); ++i) taken[i] = in[i] == 1;
  } else {
    for (const int64_t given : *request.given) {
      const auto axis = axis_within(given, in.size());
      if (!axis || in[*axis] != 1) return std::nullopt;
      taken[*axis] = true;
    }
  }
  ir::Dims dims;
  dims.reserve(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    if (!taken[i]) dims.push_back(in[i]);
  }
  return dims;
}

MaybeDims unsqueezed(const ViewRequest& request, const ir::Dims& in) {
  if (!request.given) return std::nullopt;
  const auto axes = distinct_axes_within(*request.given, in.size() + request.given->size());
  if (!axes) return std::nullopt;
  ir::Dims dims = in;
  std::vector<size_t> sorted = *axes;
  std::sort(sorted.begin(), sorted.end());
  for (const size_t axis : sorted) dims.insert(dims.begin() + static_cast<ptrdiff_t>(axis), 1);
  return dims;
}

// Bytes of operands in a primitive's layout that lie as in a plain tensor all the same: all
// channels of one position, or a batch of such whose channels fill the blocks.
bool lies_plain(const Blocked& blocked) {
  const auto layout = channel_layout(blocked);
  return layout && layout->positions == 1 && (layout->batch == 1 || !is_padded(blocked.desc));
}

class View : public MovementKernel {
 public:
  // `attribute` holds what later opsets take as operand 1; null when there is no such operand.
  View(const NodeFacts& facts, Rule rule, const char* attribute, int64_t operand_since)
      : node_(*facts.node),
        opset_(facts.opset),
        rule_(rule),
        attribute_(attribute),
        by_operand_(attribute != nullptr && facts.opset >= operand_since) {}

 protected:
  bool prepare(Call& call) override {
    const ir::Dims* in = call.dims(0);
    if (in == nullptr || call.type(0) == ir::DataType::kUndefined ||
        call.type(0) == ir::DataType::kString) {
      return false;
    }
    ViewRequest request{node_, opset_, std::nullopt};
    if (by_operand_) {
      request.given = small_ints(call.tensor(1));
      if (call.has(1) && !request.given) return false;
    } else if (attribute_ != nullptr && node_.has_attribute(attribute_)) {
      request.given = node_.attr_ints(attribute_);
    }
    MaybeDims dims = rule_(request, *in);
    if (!dims) return false;
    dims_ = std::move(*dims);
    return true;
  }

  bool execute(Call& call) override {
    const Blocked* own = call.blocked(0);
    if (own != nullptr && lies_plain(*own)) {
      call.set(0, ir::Tensor(own->type, dims_, own->buffer));
    } else {
      call.set(0, view_of(*call.tensor(0), dims_));
    }
    return true;
  }

 private:
  const ir::Node& node_;
  int64_t opset_;
  Rule rule_;
  const char* attribute_;
  bool by_operand_;
  ir::Dims dims_;
};

struct Row {
  std::string_view op;
  Rule rule;
  const char* attribute;
  int64_t operand_since;
};

constexpr std::array kRows{
    Row{"Flatten", flattened, nullptr, 0},
    Row{"Reshape", reshaped, "shape", 5},
    Row{"Squeeze", squeezed, "axes", 13},
    Row{"Unsqueeze", unsqueezed, "axes", 13},
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_view(const NodeFacts& facts) {
  for (const Row& row : kRows) {
    if (row.op == facts.node->op_type) {
      return std::make_unique<View>(facts, row.rule, row.attribute, row.operand_since);
    }
  }
  return nullptr;
}

}  // namespace fettle::interp
