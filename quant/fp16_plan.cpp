// FP16 mode, what converts: everything that float16 can hold and the standard allows.
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "ops/infer.h"
#include "ops/table.h"
#include "quant/fp16_convert.h"
#include "quant/fp16_table.h"
#include "quant/modes.h"
#include "quant/placement.h"
#include "quant/relative_precision.h"

namespace fettle::quant {

namespace {

// Activations are kept this far from the largest float16, since calibration sees only samples.
constexpr float kActivationLimit = 0.5f * kLargestFp16;

bool is_float(const ir::Value* v) {
  return v != nullptr && v->type.is_tensor() && v->type.element == ir::DataType::kFloat;
}

bool is_untyped(const ir::Value* v) {
  return v != nullptr && (!v->type.is_tensor() || v->type.element == ir::DataType::kUndefined);
}

class Fp16Planner {
 public:
  Fp16Planner(const ir::Model& model, const calib::CalibrationTable* table,
              const PlanOptions& options)
      : model_(model),
        graph_(*model.graph),
        keys_(graph_),
        table_(table),
        options_(options),
        feeding_logarithms_(nodes_feeding_logarithms(graph_)) {}

  Plan run() {
    plan_.mode = Mode::kFp16;
    plan_.keep_io_types = options_.keep_io_types;
    mark_integer_arithmetic();
    for (const ir::Node& node : graph_.nodes()) {
      std::string reason = why_float(node);
      const bool convert = reason.empty();
      if (convert) report_loss(node);
      plan_.nodes.push_back({keys_.of(node), node.op_type, convert ? "fp16" : "float",
                             convert ? "converts" : std::move(reason)});
    }
    return std::move(plan_);
  }

 private:
  std::string why_float(const ir::Node& node) {
    if (matches_any(options_.exclude_nodes, keys_.of(node)) ||
        matches_any(options_.exclude_types, node.op_type) ||
        matches_any(options_.fp16_block_types, node.op_type)) {
      return "excluded by option";
    }
    const Fp16Row* row = find_fp16_row(node);
    if (!node.subgraphs().empty()) return "its subgraphs stay float32";
    if (row != nullptr && row->any_type) return "takes any type";
    if (ops::find_op(node, model_.opset(node.domain)) == nullptr) {
      return fmt::format("operator {} is not known; it keeps its types", node.op_type);
    }
    if (!node.is_default_domain()) return "only ONNX's default domain is converted";
    const auto& in = node.inputs();
    const auto& out = node.outputs();
    if (std::any_of(in.begin(), in.end(), is_untyped) ||
        std::any_of(out.begin(), out.end(), is_untyped)) {
      return "the type of an operand or output is not a known tensor type";
    }
    if (std::none_of(in.begin(), in.end(), is_float) &&
        std::none_of(out.begin(), out.end(), is_float)) {
      return "it has no float32 data";
    }
    if (is_quantized_already(node)) return "already quantized";
    if (row != nullptr && !row->blocked.empty()) return std::string(row->blocked);
    if (row != nullptr && model_.opset() < row->float16_since) {
      return "the standard has no float16 form of it";
    }
    if (integer_arithmetic_.contains(&node)) {
      return "computes with integers held in floats; float16 is exact only to 2048";
    }
    if (feeding_logarithms_.contains(&node)) return std::string(kFeedsLogarithm);
    return range_reason(node, row);
  }

  std::string range_reason(const ir::Node& node, const Fp16Row* row) {
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      const ir::Value* v = node.input(i);
      if (!is_float(v) ||
          (row != nullptr && ((row->float_operands >> std::min<size_t>(i, 31)) & 1u))) {
        continue;
      }
      if (v->constant() != nullptr) {
        if (std::string reason = constant_reason(*v); !reason.empty()) return reason;
      } else if (beyond_limit(v)) {
        return activation_reason(*v);
      }
    }
    for (const ir::Value* v : node.outputs()) {
      if (is_float(v) && beyond_limit(v)) return activation_reason(*v);
    }
    const std::string_view attribute = row != nullptr ? row->tensor_attribute : "";
    const ir::Tensor* tensor = attribute.empty() ? nullptr : node.attr_tensor(attribute);
    if (tensor != nullptr && tensor->type() == ir::DataType::kFloat &&
        measure_fp16_loss(*tensor).beyond_range > 0) {
      return "its constant exceeds 65504";
    }
    return {};
  }

  const Fp16Loss& loss_of(const ir::Value& v) {
    const auto it = losses_.find(&v);
    if (it != losses_.end()) return it->second;
    return losses_[&v] = measure_fp16_loss(*v.constant());
  }

  std::string constant_reason(const ir::Value& v) {
    const Fp16Loss& loss = loss_of(v);
    if (loss.beyond_range > 0) {
      return fmt::format("constant '{}' exceeds 65504 in {} element(s)", v.name(),
                         loss.beyond_range);
    }
    // A single number that becomes zero is an epsilon: what it guards would divide by zero.
    if (loss.elements == 1 && loss.to_zero > 0) {
      return fmt::format("constant '{}' would round to zero", v.name());
    }
    return {};
  }

  bool beyond_limit(const ir::Value* v) const {
    if (table_ == nullptr) return false;
    const auto it = table_->tensors.find(v->name());
    return it != table_->tensors.end() && it->second.count > 0 &&
           !(std::fabs(it->second.min) <= kActivationLimit &&
             std::fabs(it->second.max) <= kActivationLimit);
  }

  std::string activation_reason(const ir::Value& v) const {
    const calib::TensorRange& range = table_->tensors.at(v.name());
    return fmt::format("activation '{}' reaches [{}, {}], beyond half of float16's range", v.name(),
                       range.min, range.max);
  }

  // Nodes whose float operands all descend from integers (shapes, indices): a Cast, and what is
  // computed from it and constants alone.
  void mark_integer_arithmetic() {
    std::unordered_set<const ir::Value*> integers;
    for (const ir::Node& node : graph_.nodes()) {
      if (!is_float(node.output(0)) || !node.is_default_domain()) continue;
      bool descends = false;
      bool data = false;
      for (const ir::Value* v : node.inputs()) {
        if (v == nullptr || v->constant() != nullptr) continue;
        if (is_float(v)) (integers.contains(v) ? descends : data) = true;
        if (node.is("Cast") && v->type.is_tensor() && ir::is_integer(v->type.element)) {
          descends = true;
        }
      }
      if (!descends || data) continue;
      integer_arithmetic_.insert(&node);
      for (const ir::Value* v : node.outputs()) integers.insert(v);
    }
  }

  void report_loss(const ir::Node& node) {
    for (const ir::Value* v : node.inputs()) {
      const auto it = v != nullptr ? losses_.find(v) : losses_.end();
      if (it == losses_.end() || !reported_.insert(v).second) continue;
      if (it->second.to_zero > 0) {
        plan_.warnings.push_back(
            fmt::format("'{}': {} of {} elements round to zero in float16, {} are subnormal",
                        v->name(), it->second.to_zero, it->second.elements, it->second.subnormal));
      }
    }
  }

  const ir::Model& model_;
  const ir::Graph& graph_;
  NodeKeys keys_;
  const calib::CalibrationTable* table_;
  const PlanOptions& options_;
  Plan plan_;
  const std::unordered_set<const ir::Node*> feeding_logarithms_;
  std::unordered_set<const ir::Node*> integer_arithmetic_;
  std::unordered_map<const ir::Value*, Fp16Loss> losses_;
  std::unordered_set<const ir::Value*> reported_;
};

}  // namespace

Plan plan_fp16(const ir::Model& model, const calib::CalibrationTable* table,
               const PlanOptions& options) {
  ir::Model typed = ir::clone(model);
  ops::infer_shapes(typed);
  Plan plan = Fp16Planner(typed, table, options).run();
  plan.warnings.push_back(
      "float16 halves the size; x86 CPUs convert back to float32 and gain no time");
  return plan;
}

}  // namespace fettle::quant
