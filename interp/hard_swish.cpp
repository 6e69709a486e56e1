#include "interp/hard_swish.h"

#include <algorithm>
#include <cmath>

#include "interp/post_ops.h"

namespace fettle::interp {
namespace {

// The scalar constant beside `x` in a binary node; nothing when there is none.
std::optional<float> scalar_beside(const ir::Node& node, const ir::Value* x,
                                   const FusionView& view) {
  if (node.inputs().size() != 2 || view.opset(node) < 7) return std::nullopt;
  const ir::Tensor* t = view.constant(node.input(0) == x ? node.input(1) : node.input(0));
  const bool scalar = t != nullptr && t->type() == ir::DataType::kFloat && t->size() == 1;
  return scalar ? std::optional<float>(t->data<float>()[0]) : std::nullopt;
}

// The node that alone reads `x` and divides it by six.
const ir::Node* sixth_of(const ir::Value* x, const FusionView& view) {
  const ir::Node* node = view.sole_reader(x);
  if (node == nullptr || !node->is_default_domain()) return nullptr;
  const auto factor = scalar_beside(*node, x, view);
  if (!factor) return nullptr;
  if (node->is("Div")) return node->input(0) == x && *factor == 6.0f ? node : nullptr;
  return node->is("Mul") && std::abs(*factor - 1.0f / 6.0f) < 1e-7f ? node : nullptr;
}

// The node that alone reads `x` and clips it to [0, 6].
const ir::Node* clip_of(const ir::Value* x, const FusionView& view) {
  const ir::Node* node = view.sole_reader(x);
  if (node == nullptr || !node->is("Clip") || node->input(0) != x) return nullptr;
  const auto clip = as_activation(*node, view);
  return clip && clip->alpha == 0.0f && clip->beta == 6.0f ? node : nullptr;
}

}  // namespace

std::vector<const ir::Node*> find_hard_swish(const ir::Value* value, const FusionView& view) {
  const std::vector<const ir::Node*> readers = view.readers(value);
  if (readers.size() != 2) return {};
  const size_t first = readers[0]->is("Add") ? 0 : 1;
  const ir::Node& add = *readers[first];
  const ir::Node& mul = *readers[1 - first];
  if (!add.is("Add") || !mul.is("Mul") || view.opset(mul) < 7) return {};
  if (scalar_beside(add, value, view) != 3.0f) return {};
  const ir::Node* clip = clip_of(add.output(0), view);
  if (clip == nullptr) return {};
  std::vector<const ir::Node*> nodes;
  if (const ir::Node* sixth = sixth_of(clip->output(0), view)) {
    if (view.sole_reader(sixth->output(0)) == &mul) nodes = {&add, clip, sixth, &mul};
  } else if (view.sole_reader(clip->output(0)) == &mul) {
    sixth = sixth_of(mul.output(0), view);
    if (sixth != nullptr) nodes = {&add, clip, &mul, sixth};
  }
  const auto taken = [&](const ir::Node* node) { return view.taken(*node); };
  return std::any_of(nodes.begin(), nodes.end(), taken) ? std::vector<const ir::Node*>() : nodes;
}

}  // namespace fettle::interp
