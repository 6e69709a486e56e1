// Builds small models in memory.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "interp/executor.h"
#include "ir/model.h"

namespace fettle::bench {

// Adds nodes in order; every node has one output. Random contents come from a fixed seed.
class GraphBuilder {
 public:
  GraphBuilder();

  ir::Value* input(const ir::Dims& dims, ir::DataType type = ir::DataType::kFloat);
  ir::Value* constant(ir::Tensor tensor);
  // Normal values of standard deviation `scale`.
  ir::Value* weights(const ir::Dims& dims, float scale = 1.0f);
  // Integers in [-100, 100], or [0, 200] where the type has no sign.
  ir::Value* integers(const ir::Dims& dims, ir::DataType type);
  ir::Value* axes(const std::vector<int64_t>& values);

  template <typename... Attributes>
  ir::Value* op(const std::string& type, const std::vector<ir::Value*>& inputs,
                Attributes... attributes) {
    ir::Node& node = graph().add_node(type, inputs, {next_name()});
    (node.set_attribute(std::move(attributes)), ...);
    return node.output(0);
  }
  // QuantizeLinear or DequantizeLinear with one scale and zero point 0 (uint8: 128).
  ir::Value* quantize(ir::Value* x, float scale, ir::DataType type = ir::DataType::kUint8);
  ir::Value* dequantize(ir::Value* x, float scale, ir::DataType type = ir::DataType::kUint8);

  ir::Model finish(ir::Value* output);

 private:
  ir::Graph& graph() { return *model_.graph; }
  std::string next_name() { return "v" + std::to_string(count_++); }
  ir::Value* zero_point(ir::DataType type);

  ir::Model model_;
  int count_ = 0;
  std::mt19937 random_;
};

// Random values for all inputs.
interp::Feeds random_feeds(const ir::Model& model);

}  // namespace fettle::bench
