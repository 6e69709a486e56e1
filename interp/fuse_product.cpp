// Transposed operands -> MatMul or Gemm [-> scale] [-> Add(s)] [-> activation] as one step:
//
//   k -- Transpose --.
//   q ------------- MatMul -- Mul -- Add -- Add -- Relu -- y   =>   (q, k, c, d) -- product -- y
//                              |      |      |
//                              s      c      d
//
// or MatMul [-> scale] -> Transpose, which keeps the last axis. Conditions: each intermediate value
// has one reader and is neither a graph output nor observed; s is a constant scalar. The kernel
// declines c that does not broadcast to the product and d of other dims than the product.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "interp/fusion.h"
#include "interp/matrix_product.h"
#include "interp/post_ops.h"

namespace fettle::interp {
namespace {

// The axes of a Transpose node, empty when they are not given.
std::vector<int64_t> axes_of(const ir::Node& transpose) {
  std::vector<int64_t> perm = transpose.attr_ints("perm");
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<int64_t>(i)) return {};
  }
  return perm;
}

class Recogniser {
 public:
  Recogniser(const ir::Node& node, const FusionView& view) : node_(node), view_(view) {}

  std::optional<Fusion> find() {
    if (node_.is("Gemm")) options_ = gemm_options(node_);
    const ir::Value* a = operand(node_.input(0), options_.a);
    const ir::Value* b = operand(node_.input(1), options_.b);
    std::reverse(fusion_.members.begin(), fusion_.members.end());  // producers in front
    fusion_.members.push_back(&node_);
    fusion_.inputs = {a, b, node_.input(2), nullptr};
    take_scale();
    if (!take_transpose()) {
      take_addends();
      take_activation();
    }
    if (fusion_.members.size() == 1) return std::nullopt;
    fusion_.kernel = make_product(std::move(options_));
    return std::move(fusion_);
  }

 private:
  // The next node when it alone reads what the last member gives.
  const ir::Node* next() const {
    const ir::Node* node = view_.sole_reader(fusion_.members.back()->output(0));
    return node != nullptr && node->is_default_domain() && !view_.taken(*node) ? node : nullptr;
  }
  const ir::Value* other_operand(const ir::Node& node) const {
    const ir::Value* own = fusion_.members.back()->output(0);
    return node.input(0) == own ? node.input(1) : node.input(0);
  }

  // Follows Transpose nodes that nothing else reads.
  const ir::Value* operand(const ir::Value* value, OperandOrder& order) {
    const ir::Node* reader = &node_;
    while (value != nullptr && value->producer() != nullptr && view_.constant(value) == nullptr) {
      const ir::Node& producer = *value->producer();
      if (!producer.is("Transpose") || view_.taken(producer) ||
          view_.sole_reader(value) != reader) {
        break;
      }
      const std::vector<int64_t> outer = axes_of(producer);
      if (outer.empty()) break;
      std::vector<int64_t> perm = order.perm;
      if (perm.empty()) {
        perm.resize(outer.size());
        std::iota(perm.begin(), perm.end(), 0);
      }
      if (perm.size() != outer.size()) break;
      for (int64_t& axis : perm) axis = outer[static_cast<size_t>(axis)];
      order.perm = std::move(perm);
      fusion_.members.push_back(&producer);
      reader = &producer;
      value = producer.input(0);
    }
    return value;
  }

  // Multiplication or division of the bare product by a constant number.
  void take_scale() {
    const ir::Node* node = next();
    if (node == nullptr || fusion_.inputs[2] != nullptr || view_.opset(*node) < 7) return;
    const bool divides = node->is("Div") && node->input(0) == fusion_.members.back()->output(0);
    if (!divides && !node->is("Mul")) return;
    const ir::Tensor* number = view_.constant(other_operand(*node));
    if (number == nullptr || number->type() != ir::DataType::kFloat || number->size() != 1) return;
    const float value = number->data<float>()[0];
    const float scale = divides ? options_.alpha / value : options_.alpha * value;
    if (!std::isfinite(scale) || (divides && !std::isfinite(value))) return;
    options_.alpha = scale;
    options_.least_rank = number->rank();
    fusion_.members.push_back(node);
  }

  bool take_transpose() {
    const ir::Node* node = next();
    if (node == nullptr || !node->is("Transpose") || fusion_.inputs[2] != nullptr) return false;
    std::vector<int64_t> perm = axes_of(*node);
    if (perm.empty() || perm.back() != static_cast<int64_t>(perm.size()) - 1) return false;
    options_.out_perm = std::move(perm);
    fusion_.members.push_back(node);
    return true;
  }

  // A bias or the like, then a residual.
  void take_addends() {
    for (size_t place = fusion_.inputs[2] == nullptr ? 2 : 3; place < 4; ++place) {
      const ir::Node* node = next();
      if (node == nullptr || !node->is("Add") || view_.opset(*node) < 7) return;
      const ir::Value* other = other_operand(*node);
      if (other == nullptr || other == fusion_.members.back()->output(0)) return;
      // A constant after a bias is rarely a whole matrix, which alone the kernel takes there.
      if (place == 3 && view_.constant(other) != nullptr) return;
      fusion_.inputs[place] = other;
      fusion_.members.push_back(node);
    }
  }

  void take_activation() {
    const ir::Node* node = next();
    if (node == nullptr || node->input(0) != fusion_.members.back()->output(0)) return;
    const auto activation = as_activation(*node, view_);
    if (activation && activation->algorithm == dnnl::algorithm::eltwise_clip) {
      options_.low = activation->alpha;
      options_.high = activation->beta;
    } else if (activation && activation->algorithm == dnnl::algorithm::eltwise_relu &&
               activation->alpha == 0.0f) {
      options_.low = 0.0f;
    } else {
      NodeFacts facts{node, view_.opset(*node), {}};
      for (const ir::Value* input : node->inputs())
        facts.constants.push_back(view_.constant(input));
      const auto function = unary_function(facts);
      if (!function) return;
      options_.function = *function;
    }
    fusion_.members.push_back(node);
  }

  const ir::Node& node_;
  const FusionView& view_;
  ProductOptions options_;
  Fusion fusion_;
};

}  // namespace

std::optional<Fusion> fuse_product(const ir::Node& node, const FusionView& view) {
  return Recogniser(node, view).find();
}

}  // namespace fettle::interp
