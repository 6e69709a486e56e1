#include "quant_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

#include "ops/infer.h"
#include "support/text_model.h"

namespace fettle::quant::test {

namespace {

ir::Tensor random_tensor(const ir::Dims& dims, std::mt19937_64& generator) {
  ir::Tensor tensor(ir::DataType::kFloat, dims);
  for (float& x : tensor.mutable_data<float>()) {
    x = static_cast<float>(static_cast<double>(generator() >> 11) * 0x1p-52 - 1.0);
  }
  return tensor;
}

ir::Dims dims_of(const ir::Value& value) {
  ir::Dims dims;
  for (const ir::Dim& d : value.type.shape.value()) dims.push_back(d.known() ? d.value : 2);
  return dims;
}

}  // namespace

ir::Model network(const std::string& graph, int64_t opset) {
  ir::Model model = fettle::test::parse_text_graph(graph, opset);
  std::mt19937_64 generator(1);
  const std::vector<ir::Value*> inputs = model.graph->inputs();
  for (ir::Value* v : inputs) {
    const std::string name = v->name();
    if (name.rfind("w_", 0) != 0 && name.rfind("b_", 0) != 0) continue;
    ir::Value& constant =
        model.graph->add_constant(name + "_made", random_tensor(dims_of(*v), generator));
    if (!model.graph->replace_all_uses(*v, constant))
      throw std::runtime_error("weight is an output");
    model.graph->erase_value(*v);
    model.graph->rename(constant, name);
  }
  ops::infer_shapes(model);
  return model;
}

interp::Feeds random_feeds(const ir::Model& model, uint64_t seed) {
  std::mt19937_64 generator(seed);
  interp::Feeds feeds;
  for (const ir::Value* v : model.graph->inputs()) {
    if (v->has_initializer()) continue;
    const ir::Dims dims = dims_of(*v);
    if (v->type.element == ir::DataType::kFloat) {
      feeds[v->name()] = random_tensor(dims, generator);
      continue;
    }
    if (v->type.element == ir::DataType::kBool) {
      ir::Tensor t(ir::DataType::kBool, dims);
      auto* bytes = reinterpret_cast<uint8_t*>(t.mutable_bytes());
      for (int64_t i = 0; i < t.size(); ++i) bytes[i] = static_cast<uint8_t>(generator() & 1);
      feeds[v->name()] = t;
      continue;
    }
    ir::Tensor t(ir::DataType::kInt64, dims);
    for (int64_t& x : t.mutable_data<int64_t>()) x = static_cast<int64_t>(generator() % 3);
    feeds[v->name()] = t;
  }
  return feeds;
}

std::vector<ir::Tensor> run(const ir::Model& model, const interp::Feeds& feeds) {
  interp::ExecutorOptions options;
  options.exact = true;
  interp::Executor executor(model, options);
  std::vector<ir::Tensor> tensors;
  for (const ops::RuntimeValue& value : executor.run(feeds)) tensors.push_back(value.tensor);
  return tensors;
}

calib::CalibrationTable ranges(const ir::Model& model, int runs) {
  std::vector<std::string> names;
  for (const ir::Value* v : model.graph->values()) {
    if (!v->has_initializer() && v->type.is_tensor() && v->type.element == ir::DataType::kFloat) {
      names.push_back(v->name());
    }
  }
  calib::CalibrationTable table;
  interp::ExecutorOptions options;
  options.exact = true;
  interp::Executor executor(model, options);
  executor.observe(names, [&](const std::string& name, interp::Observed& value) {
    calib::TensorRange& range = table.tensors[name];
    for (const float x : value.tensor().data<float>()) {
      range.min = range.count == 0 ? x : std::min(range.min, x);
      range.max = range.count == 0 ? x : std::max(range.max, x);
      ++range.count;
    }
  });
  for (int i = 0; i < runs; ++i) executor.run(random_feeds(model, static_cast<uint64_t>(i) + 7));
  table.samples = runs;
  return table;
}

Plan static_plan(const ir::Model& model, PlanOptions options) {
  options.mode = Mode::kStatic;
  const calib::CalibrationTable table = ranges(model);
  return make_plan(model, &table, options);
}

NodePlan entry(const Plan& plan, const std::string& node) {
  for (const NodePlan& p : plan.nodes) {
    if (p.node == node) return p;
  }
  ADD_FAILURE() << "the plan has no node " << node;
  return {};
}

std::string decision(const Plan& plan, const std::string& node) {
  return entry(plan, node).decision;
}

std::map<std::string, int> operators(const ir::Model& model) {
  std::map<std::string, int> counts;
  for (const ir::Node& node : model.graph->nodes()) ++counts[node.op_type];
  return counts;
}

std::string signature(const ir::Model& model) {
  std::string text;
  for (const ir::Value* v : model.graph->inputs())
    text += v->name() + " " + to_string(v->type) + "; ";
  text += "-> ";
  for (const ir::Value* v : model.graph->outputs())
    text += v->name() + " " + to_string(v->type) + "; ";
  return text;
}

double sqnr(const std::vector<ir::Tensor>& reference, const std::vector<ir::Tensor>& other) {
  EXPECT_EQ(reference.size(), other.size());
  double signal = 0;
  double noise = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    EXPECT_EQ(reference[i].dims(), other[i].dims());
    if (reference[i].type() != ir::DataType::kFloat) continue;
    for (int64_t k = 0; k < reference[i].size(); ++k) {
      const double a = ir::element_as_double(reference[i], k);
      const double b = ir::element_as_double(other[i], k);
      signal += a * a;
      noise += (a - b) * (a - b);
    }
  }
  return noise == 0 ? 1000 : 10 * std::log10(signal / noise);
}

}  // namespace fettle::quant::test
