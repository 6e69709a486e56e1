#include "interp/convolution_integer.h"

#include "interp/exact_float_convolution.h"

namespace fettle::interp {
namespace {

enum Operand : size_t { kX, kW, kXZero, kWZero };

bool is_byte(ir::DataType type) {
  return type == ir::DataType::kInt8 || type == ir::DataType::kUint8;
}

// The zero point of x may change from call to call.
class ConvolutionInteger : public AcceleratedKernel {
 public:
  ConvolutionInteger(const ir::Node& node, const ir::Tensor& w, const std::vector<int32_t>& w_zero)
      : rank_(w.rank()), convolution_(node, w, w_zero) {}

  bool run(Call& call) override {
    const ir::Tensor* x = call.tensor(kX);
    if (x == nullptr || !is_byte(x->type()) || x->rank() != rank_ || x->size() == 0) return false;
    int32_t zero = 0;
    if (call.has(kXZero)) {
      const ir::Tensor* t = call.tensor(kXZero);
      if (t == nullptr || t->type() != x->type() || t->size() != 1) return false;
      zero = static_cast<int32_t>(ir::element_as_int(*t, 0));
    }
    call.set(0, convolution_.accumulate(*x, zero));
    return true;
  }

 private:
  size_t rank_;
  ExactFloatConvolution convolution_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_convolution_integer(const NodeFacts& facts) {
  const ir::Tensor* w = facts.constant(kW);
  if (w == nullptr || !ExactFloatConvolution::possible(*w)) return nullptr;
  std::vector<int32_t> zero{0};
  if (facts.node->input(kWZero) != nullptr) {
    const ir::Tensor* t = facts.constant(kWZero);
    if (t == nullptr || t->type() != w->type() || (t->size() != 1 && t->size() != w->dim(0))) {
      return nullptr;
    }
    zero.clear();
    for (int64_t i = 0; i < t->size(); ++i) {
      zero.push_back(static_cast<int32_t>(ir::element_as_int(*t, i)));
    }
  }
  return std::make_unique<ConvolutionInteger>(*facts.node, *w, zero);
}

}  // namespace fettle::interp
