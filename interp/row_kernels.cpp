#include "interp/row_kernels.h"

#include <cmath>

#include "interp/parallel.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// Rows of consecutive elements along the last axis, or (before opset 13) along all axes from one
// on.
class Softmax : public AcceleratedKernel {
 public:
  Softmax(int64_t axis, bool flattens) : axis_(axis), flattens_(flattens) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat) return false;
    const ir::Tensor& x = *call.tensor(0);
    const auto rank = static_cast<int64_t>(x.rank());
    const int64_t axis = axis_ < 0 ? axis_ + rank : axis_;
    if (axis < 0 || axis >= rank || x.size() == 0) return false;
    int64_t length = 1;
    for (int64_t i = axis; i < rank; ++i) length *= x.dim(static_cast<size_t>(i));
    if (!flattens_ && length != x.dim(static_cast<size_t>(axis))) return false;
    ir::Tensor out(kFloat, x.dims());
    const float* from = x.data<float>().data();
    float* to = out.mutable_data<float>().data();
    for_each_row(x.size() / length, length * 8, [&](int64_t row) {
      const float* line = from + row * length;
      float* result = to + row * length;
      float greatest = line[0];
      for (int64_t i = 1; i < length; ++i) greatest = line[i] > greatest ? line[i] : greatest;
      const auto scale = static_cast<float>(1.0 / exp_shifted_row(line, greatest, result, length));
      for (int64_t i = 0; i < length; ++i) result[i] *= scale;
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  int64_t axis_;
  bool flattens_;
};

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias over the last axes.
class LayerNormalization : public AcceleratedKernel {
 public:
  LayerNormalization(int64_t axis, float epsilon) : axis_(axis), epsilon_(epsilon) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    if (call.has(2) && call.type(2) != kFloat) return false;
    const ir::Tensor& x = *call.tensor(0);
    const auto rank = static_cast<int64_t>(x.rank());
    const int64_t axis = axis_ < 0 ? axis_ + rank : axis_;
    if (axis < 0 || axis >= rank || x.size() == 0) return false;
    const ir::Dims tail(x.dims().begin() + axis, x.dims().end());
    if (call.tensor(1)->dims() != tail || (call.has(2) && call.tensor(2)->dims() != tail)) {
      return false;
    }
    const int64_t length = ir::element_count(tail);
    const float* scale = call.tensor(1)->data<float>().data();
    const float* bias = call.has(2) ? call.tensor(2)->data<float>().data() : nullptr;
    ir::Tensor out(kFloat, x.dims());
    const float* from = x.data<float>().data();
    float* to = out.mutable_data<float>().data();
    for_each_row(x.size() / length, length * 4, [&](int64_t row) {
      normalize(from + row * length, to + row * length, length, scale, bias);
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  void normalize(const float* x, float* y, int64_t n, const float* scale, const float* bias) const {
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += x[i];
    const double mean = sum / static_cast<double>(n);
    double squares = 0.0;
    for (int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(n) + epsilon_);
    const auto factor = static_cast<float>(1.0 / deviation);
    const auto center = static_cast<float>(mean);
    for (int64_t i = 0; i < n; ++i) {
      const float normal = (x[i] - center) * factor * scale[i];
      y[i] = bias != nullptr ? normal + bias[i] : normal;
    }
  }

  int64_t axis_;
  float epsilon_;
};

class PassThrough : public AcceleratedKernel {
 public:
  explicit PassThrough(ir::DataType only) : only_(only) {}

  bool run(Call& call) override {
    if (call.type(0) == ir::DataType::kUndefined) return false;
    if (only_ != ir::DataType::kUndefined && call.type(0) != only_) return false;
    call.forward(0, 0);
    return true;
  }

 private:
  ir::DataType only_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_softmax(const NodeFacts& facts) {
  const bool flattens = facts.opset < 13;
  return std::make_unique<Softmax>(facts.node->attr_int("axis", flattens ? 1 : -1), flattens);
}

std::unique_ptr<AcceleratedKernel> accelerate_layer_normalization(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (node.output(1) != nullptr || node.output(2) != nullptr ||
      node.attr_int("stash_type", 1) != 1) {
    return nullptr;
  }
  return std::make_unique<LayerNormalization>(node.attr_int("axis", -1),
                                              node.attr_float("epsilon", 1e-5f));
}

std::unique_ptr<AcceleratedKernel> accelerate_pass_through(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (node.is("Identity")) return std::make_unique<PassThrough>(ir::DataType::kUndefined);
  if (node.is("Cast")) {
    const auto type = ir::data_type_from_onnx(static_cast<int32_t>(node.attr_int("to", 0)));
    return type ? std::make_unique<PassThrough>(*type) : nullptr;
  }
  // Dropout trains only when operand 2 says so (opset 12 on); before opset 7 by an attribute.
  const bool inference = node.input(2) == nullptr && facts.opset >= 7;
  if (!inference || node.output(1) != nullptr) return nullptr;
  return std::make_unique<PassThrough>(ir::DataType::kUndefined);
}

}  // namespace fettle::interp
