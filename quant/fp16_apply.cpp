// FP16 mode, the rewriter: constants, attributes and value types of the nodes that convert, and one
// Cast per value where float16 and float32 meet.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ir/error.h"
#include "ir/float16.h"
#include "ops/infer.h"
#include "quant/emit.h"
#include "quant/fp16_convert.h"
#include "quant/fp16_table.h"
#include "quant/modes.h"
#include "quant/plan_entries.h"

namespace fettle::quant {

namespace {

using ir::DataType;

bool is_tensor_of(const ir::Value* v, DataType type) {
  return v != nullptr && v->type.is_tensor() && v->type.element == type;
}

class Fp16Rewriter {
 public:
  Fp16Rewriter(ir::Model& model, const Plan& plan)
      : graph_(*model.graph), keep_io_types_(plan.keep_io_types) {
    const NodeKeys keys(graph_);
    nodes_ = nodes_decided(graph_, keys, plan, {"fp16"});
    converts_.insert(nodes_.begin(), nodes_.end());
  }

  void run() {
    for (ir::Node* node : nodes_) convert_attributes(*node);
    convert_types();
    list_uses();
    for (const ir::Use& use : uses_) connect(use);
    convert_constants();
    if (keep_io_types_) restore_outputs();
  }

 private:
  void convert_attributes(ir::Node& node) {
    const Fp16Row* row = find_fp16_row(node);
    if (row == nullptr || !is_tensor_of(node.output(0), DataType::kFloat)) return;
    if (!row->type_attribute.empty()) {
      node.set_attribute(ir::Attribute(std::string(row->type_attribute),
                                       static_cast<int64_t>(DataType::kFloat16)));
    }
    if (row->tensor_attribute.empty()) return;
    const ir::Tensor* tensor = node.attr_tensor(row->tensor_attribute);
    ir::Tensor converted = tensor != nullptr ? to_fp16(*tensor) : attribute_numbers(node);
    node.set_attribute(ir::Attribute(std::string(row->tensor_attribute), std::move(converted)));
  }

  // The value of a Constant given as numbers, or the zero that ConstantOfShape defaults to.
  static ir::Tensor attribute_numbers(ir::Node& node) {
    if (node.has_attribute("value_floats")) {
      const std::vector<float> numbers = node.attr_floats("value_floats");
      node.remove_attribute("value_floats");
      return to_fp16(ir::Tensor::of<float>({static_cast<int64_t>(numbers.size())}, numbers));
    }
    if (node.has_attribute("value_float")) {
      const float number = node.attr_float("value_float", 0);
      node.remove_attribute("value_float");
      return to_fp16(ir::Tensor::scalar<float>(number));
    }
    return to_fp16(ir::Tensor::of<float>({1}, {0.0f}));
  }

  void convert_types() {
    for (ir::Value* v : graph_.values()) {
      if (is_tensor_of(v, DataType::kFloat16)) was_half_.insert(v);
    }
    for (ir::Node* node : nodes_) {
      for (ir::Value* v : node->outputs()) {
        if (is_tensor_of(v, DataType::kFloat)) v->type.element = DataType::kFloat16;
      }
    }
    if (keep_io_types_) return;
    for (ir::Value* v : graph_.inputs()) {
      const bool readers = std::any_of(v->uses().begin(), v->uses().end(), [&](const ir::Use& use) {
        return converts_.contains(use.node);
      });
      if (is_tensor_of(v, DataType::kFloat) && v->constant() == nullptr && readers) {
        v->type.element = DataType::kFloat16;
      }
    }
  }

  // Operands, in graph order, that may have to change their type.
  void list_uses() {
    for (ir::Value* v : graph_.values()) {
      if (!is_tensor_of(v, DataType::kFloat) && !is_tensor_of(v, DataType::kFloat16)) continue;
      for (const ir::Use& use : v->uses()) {
        const Fp16Row* row = find_fp16_row(*use.node);
        if (row != nullptr && row->any_type) continue;
        uses_.push_back(use);
      }
    }
  }

  DataType wanted(const ir::Use& use, const ir::Value& v) const {
    const Fp16Row* row = find_fp16_row(*use.node);
    if (converts_.contains(use.node)) {
      const bool stays =
          row != nullptr && ((row->float_operands >> std::min<size_t>(use.index, 31)) & 1u);
      return stays ? original(v) : DataType::kFloat16;
    }
    return original(v);
  }

  // What the value was before the conversion.
  DataType original(const ir::Value& v) const {
    const bool changed = v.producer() != nullptr ? converts_.contains(v.producer())
                                                 : v.is_input() && !keep_io_types_;
    return changed && v.type.element == DataType::kFloat16 && !was_half_.contains(&v)
               ? DataType::kFloat
               : v.type.element;
  }

  void connect(const ir::Use& use) {
    ir::Value& v = *use.node->input(use.index);
    const DataType type = wanted(use, v);
    if (v.type.element == type) return;
    if (v.is_constant() && v.constant()->type() == DataType::kFloat) {
      half_uses_[&v].push_back(use);
      return;
    }
    use.node->set_input(use.index, &cast(v, type));
  }

  ir::Value& cast(ir::Value& v, DataType type) {
    ir::Value*& made = casts_[&v];
    if (made != nullptr) return *made;
    const std::string output =
        graph_.unique_name(v.name() + (type == DataType::kFloat ? "_fp32" : "_fp16"));
    ir::Node& node = v.producer() != nullptr
                         ? graph_.insert_after(*v.producer(), "Cast", {&v}, {output})
                         : graph_.add_node("Cast", {&v}, {output}, graph_.first_node());
    node.name = output + "_Cast";
    node.set_attribute(ir::Attribute("to", static_cast<int64_t>(type)));
    made = node.output(0);
    made->type = ir::Type::tensor(type, v.type.shape);
    return *made;
  }

  // A constant that float16 nodes alone read is converted in place; others are copied.
  void convert_constants() {
    for (ir::Value* v : graph_.values()) {
      const auto it = half_uses_.find(v);
      if (it == half_uses_.end()) continue;
      if (it->second.size() == v->uses().size() && !v->is_graph_output()) {
        v->set_constant(to_fp16(*v->constant()));
        continue;
      }
      ir::Value& half =
          graph_.add_constant(graph_.unique_name(v->name() + "_fp16"), to_fp16(*v->constant()));
      for (const ir::Use& use : it->second) use.node->set_input(use.index, &half);
    }
  }

  // Graph outputs that became float16 are given as float again, under their own names.
  void restore_outputs() {
    const std::vector<ir::Value*> outputs = graph_.outputs();
    for (ir::Value* v : outputs) {
      if (v->type.element != DataType::kFloat16 || original(*v) != DataType::kFloat) continue;
      const std::string name = v->name();
      ir::Value& real = cast(*v, DataType::kFloat);
      std::vector<ir::Use> uses = v->uses();
      real.type.shape = v->type.shape;
      if (!graph_.replace_all_uses(*v, real)) {
        fail(ErrorCode::kUnsupported, "output '{}' is also an output of an enclosing graph", name);
      }
      real.type.element = DataType::kFloat;
      for (const ir::Use& use : uses) use.node->set_input(use.index, v);
      graph_.rename(*v, graph_.unique_name(name + "_fp16"));
    }
  }

  ir::Graph& graph_;
  bool keep_io_types_;
  std::vector<ir::Node*> nodes_;
  std::unordered_set<const ir::Node*> converts_;
  std::unordered_set<const ir::Value*> was_half_;
  std::vector<ir::Use> uses_;
  std::unordered_map<const ir::Value*, ir::Value*> casts_;
  std::unordered_map<const ir::Value*, std::vector<ir::Use>> half_uses_;
};

}  // namespace

void apply_fp16(ir::Model& model, const Plan& plan) {
  ops::infer_shapes(model);
  Fp16Rewriter(model, plan).run();
}

}  // namespace fettle::quant
