// What a type and shape rule sees of its node, and what it may say about the outputs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "ir/type.h"

namespace fettle::ops {

// The contents of a small integer tensor of rank 0 or 1 as far as known: a number, a symbol (from a
// symbolic dimension) or unknown, per element. Negative numbers are kept as ops/dims.h says.
using Ints = std::vector<ir::Dim>;
// Longer contents are not followed.
inline constexpr int64_t kMaxInts = 64;
// The contents of a small integer or bool tensor of rank 0 or 1; nothing for any other.
std::optional<Ints> ints_of(const ir::Tensor& tensor);

// Everything inference knows about one value.
struct ValueFacts {
  ir::Type type;
  const ir::Tensor* constant = nullptr;  // the full contents, when known
  std::optional<Ints> ints;              // integer contents of a small tensor, when known in part
  std::shared_ptr<const ir::Tensor> holder;  // owns `constant` when no graph or attribute does
};

// A rule reads operands and sets what it can prove; what it does not set stays unknown. It throws
// kBadInput when the operands contradict the specification.
class InferContext {
 public:
  using SubgraphInference = std::function<std::vector<ValueFacts>(
      ir::Graph& body, const std::vector<ValueFacts>& inputs)>;

  InferContext(const ir::Node& node, int64_t opset, std::vector<const ValueFacts*> inputs,
               SubgraphInference subgraphs)
      : node_(node),
        opset_(opset),
        inputs_(std::move(inputs)),
        outputs_(node.outputs().size()),
        subgraphs_(std::move(subgraphs)) {}

  const ir::Node& node() const { return node_; }
  int64_t opset() const { return opset_; }
  size_t input_count() const { return inputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  // Type of operand `i`; unknown when omitted.
  const ir::Type& type(size_t i) const;
  // Element type of a tensor operand; kUndefined when unknown.
  ir::DataType element(size_t i) const { return type(i).element; }
  // Shape of a tensor operand, or null when the rank is unknown.
  const ir::Shape* shape(size_t i) const;
  // Full contents of an operand, or null.
  const ir::Tensor* constant(size_t i) const;
  // Integer contents as far as known (also of constants); nothing when not even the count is known.
  std::optional<Ints> ints(size_t i) const;
  // The same when every element is a number.
  std::optional<std::vector<int64_t>> known_ints(size_t i) const;

  size_t output_count() const { return outputs_.size(); }
  // A tensor of this type and shape (nothing = rank unknown).
  void set(size_t i, ir::DataType element, std::optional<ir::Shape> shape = std::nullopt);
  void set_type(size_t i, ir::Type type);
  void set_ints(size_t i, Ints ints);
  // The full contents of output `i`; the holder may be an alias of a tensor that the graph owns.
  void set_constant(size_t i, std::shared_ptr<const ir::Tensor> tensor);
  // Output `i` has the type and shape of operand `operand`; nothing is said of its contents.
  void set_same(size_t i, size_t operand);
  // Output `i` is operand `operand`: type, shape and contents.
  void set_alias(size_t i, size_t operand);

  std::vector<ValueFacts> infer_subgraph(ir::Graph& body, const std::vector<ValueFacts>& inputs) {
    return subgraphs_(body, inputs);
  }
  const ValueFacts& facts(size_t i) const { return *inputs_[i]; }
  std::vector<ValueFacts>& outputs() { return outputs_; }

 private:
  const ir::Node& node_;
  int64_t opset_;
  std::vector<const ValueFacts*> inputs_;
  std::vector<ValueFacts> outputs_;
  SubgraphInference subgraphs_;
};

// Arithmetic on dimensions. Known numbers compute; symbols make canonical expressions where that is
// possible ("N*4", "H+2"), unknown gives unknown. Throws kBadInput on overflow or a negative
// result.
ir::Dim dim_add(const ir::Dim& a, const ir::Dim& b);
ir::Dim dim_sub(const ir::Dim& a, const ir::Dim& b);
ir::Dim dim_mul(const ir::Dim& a, const ir::Dim& b);
ir::Dim dim_floor_div(const ir::Dim& a, const ir::Dim& b);
// Broadcast of two shapes as far as provable.
ir::Shape broadcast_shapes(const ir::Shape& a, const ir::Shape& b);

}  // namespace fettle::ops
