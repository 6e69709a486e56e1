#include "bench/kernels/graph_builder.h"

#include "ir/error.h"

namespace fettle::bench {
namespace {

ir::Tensor normal(const ir::Dims& dims, float scale, std::mt19937& random) {
  std::normal_distribution<float> distribution(0.0f, scale);
  ir::Tensor out(ir::DataType::kFloat, dims);
  for (float& v : out.mutable_data<float>()) v = distribution(random);
  return out;
}

template <typename T>
ir::Tensor uniform(const ir::Dims& dims, int low, int high, std::mt19937& random) {
  std::uniform_int_distribution<int> distribution(low, high);
  ir::Tensor out = ir::Tensor::of<T>(dims, std::vector<T>(ir::element_count(dims)));
  for (T& v : out.template mutable_data<T>()) v = static_cast<T>(distribution(random));
  return out;
}

ir::Tensor random_integers(const ir::Dims& dims, ir::DataType type, std::mt19937& random) {
  switch (type) {
    case ir::DataType::kInt8:
      return uniform<int8_t>(dims, -100, 100, random);
    case ir::DataType::kUint8:
      return uniform<uint8_t>(dims, 0, 200, random);
    case ir::DataType::kInt32:
      return uniform<int32_t>(dims, -100, 100, random);
    default:
      fail(ErrorCode::kInternal, "no random integers of type {}", static_cast<int>(type));
  }
}

}  // namespace

GraphBuilder::GraphBuilder() : random_(1) {
  model_.ir_version = 9;
  model_.set_opset("", 20);
  model_.graph = std::make_unique<ir::Graph>();
  model_.graph->name = "kernel";
}

ir::Value* GraphBuilder::input(const ir::Dims& dims, ir::DataType type) {
  return &graph().add_input(next_name(), ir::Type::tensor(type, ir::shape_of(dims)));
}

ir::Value* GraphBuilder::constant(ir::Tensor tensor) {
  return &graph().add_constant(next_name(), std::move(tensor));
}

ir::Value* GraphBuilder::weights(const ir::Dims& dims, float scale) {
  return constant(normal(dims, scale, random_));
}

ir::Value* GraphBuilder::integers(const ir::Dims& dims, ir::DataType type) {
  return constant(random_integers(dims, type, random_));
}

ir::Value* GraphBuilder::axes(const std::vector<int64_t>& values) {
  return constant(ir::Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

ir::Value* GraphBuilder::zero_point(ir::DataType type) {
  switch (type) {
    case ir::DataType::kInt8:
      return constant(ir::Tensor::scalar<int8_t>(0));
    case ir::DataType::kUint8:
      return constant(ir::Tensor::scalar<uint8_t>(128));
    default:
      return constant(ir::Tensor::scalar<int32_t>(0));
  }
}

ir::Value* GraphBuilder::quantize(ir::Value* x, float scale, ir::DataType type) {
  return op("QuantizeLinear", {x, constant(ir::Tensor::scalar(scale)), zero_point(type)});
}

ir::Value* GraphBuilder::dequantize(ir::Value* x, float scale, ir::DataType type) {
  return op("DequantizeLinear", {x, constant(ir::Tensor::scalar(scale)), zero_point(type)});
}

ir::Model GraphBuilder::finish(ir::Value* output) {
  graph().add_output(*output);
  return std::move(model_);
}

interp::Feeds random_feeds(const ir::Model& model) {
  std::mt19937 random(2);
  interp::Feeds feeds;
  for (const ir::Value* input : model.graph->inputs()) {
    const ir::Dims dims = *ir::known_dims(*input->type.shape);
    feeds[input->name()] = input->type.element == ir::DataType::kFloat
                               ? normal(dims, 1.0f, random)
                               : random_integers(dims, input->type.element, random);
  }
  return feeds;
}

}  // namespace fettle::bench
