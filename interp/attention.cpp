// Operands, masks and outputs are those of the reference kernels; products are computed here.
#include "interp/attention.h"

#include "interp/attention_heads.h"
#include "interp/float_product.h"
#include "interp/literal_kernel.h"
#include "interp/subnormals.h"
#include "ops/attention.h"
#include "ops/batch_normalization.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

using Operator = void (*)(ops::KernelContext& context, const ops::AttentionKernels& kernels);

class AttentionKernel : public AcceleratedKernel {
 public:
  AttentionKernel(const NodeFacts& facts, Operator compute)
      : node_(*facts.node), opset_(facts.opset), compute_(compute) {
    kernels_.attend_heads = attend_floats;
    kernels_.project = [this](const ir::Tensor& x, const ir::Tensor& w, const ir::Tensor* bias) {
      return project(x, w, bias);
    };
  }

  bool run(Call& call) override {
    constant_weights_ = call.is_constant(kWeights);
    return run_literally(node_, opset_, call, [&](ops::KernelContext& context) {
      compute_(context, kernels_);
    });
  }

 private:
  static constexpr size_t kWeights = 1;  // operand of operators with projections

  ir::Tensor project(const ir::Tensor& x, const ir::Tensor& w, const ir::Tensor* bias) {
    if (x.size() == 0 || w.size() == 0) return ops::reference_attention().project(x, w, bias);
    const int64_t columns = w.dim(1);
    ir::Tensor out(kFloat, {x.dim(0), x.dim(1), columns});
    ProductEnd end;
    if (bias != nullptr) {
      ops::parameters(*bias, {columns}, "bias");  // checks its dims
      end.bias = bias->data<float>().data();
    }
    const FlushSubnormals flush;
    const LeftMatrix left{x.data<float>().data(), x.size() / x.dim(2), x.dim(2), 1};
    const MatrixView right{w.data<float>().data(), w.dim(0), columns, columns, 1};
    float* to = out.mutable_data<float>().data();
    if (constant_weights_) {
      if (packed_.empty()) packed_ = PackedMatrix(right, 0, w.buffer().get());
      multiply(left, packed_, end, to, columns);
    } else {
      multiply(left, right, Batch{}, end, to, columns);
    }
    return out;
  }

  const ir::Node& node_;
  int64_t opset_;
  Operator compute_;
  ops::AttentionKernels kernels_;
  bool constant_weights_ = false;
  PackedMatrix packed_;  // weights that are constant
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_attention(const NodeFacts& facts) {
  if (facts.node->output(3) != nullptr) return nullptr;
  return std::make_unique<AttentionKernel>(
      facts, [](ops::KernelContext& context, const ops::AttentionKernels& kernels) {
        ops::attention(context, context.opset(), kernels);
      });
}

std::unique_ptr<AcceleratedKernel> accelerate_multi_head_attention(const NodeFacts& facts) {
  if (facts.node->output(3) != nullptr) return nullptr;
  constexpr Operator kCompute = ops::multi_head_attention;
  return std::make_unique<AttentionKernel>(facts, kCompute);
}

std::unique_ptr<AcceleratedKernel> accelerate_packed_attention(const NodeFacts& facts) {
  constexpr Operator kCompute = ops::packed_attention;
  return std::make_unique<AttentionKernel>(facts, kCompute);
}

}  // namespace fettle::interp
