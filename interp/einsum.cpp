#include "interp/einsum.h"

#include "interp/contraction.h"
#include "interp/subnormals.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

const float* floats(const ir::Tensor& tensor) {
  return reinterpret_cast<const float*>(tensor.bytes());
}

// The elements of an operand where the product reads them: its own, or a copy's in `storage`.
const float* placed(const ir::Tensor& operand, const std::optional<Reordered>& order,
                    ir::Tensor& storage) {
  if (!order) return floats(operand);
  storage = ir::Tensor(kFloat, {order->elements});
  order->copy.run(operand.bytes(), storage.mutable_bytes());
  return floats(storage);
}

class Einsum : public AcceleratedKernel {
 public:
  explicit Einsum(std::string equation) : equation_(std::move(equation)) {}

  bool run(Call& call) override {
    const size_t count = call.input_count();
    if (count < 1 || count > 2) return false;
    std::vector<ir::Dims> dims(count);
    for (size_t i = 0; i < count; ++i) {
      if (call.type(i) != kFloat) return false;
      dims[i] = *call.dims(i);
    }
    const Contraction* plan = find(dims);
    if (plan == nullptr) return false;
    const FlushSubnormals flush;
    ir::Tensor out(kFloat, plan->output);
    auto* to = reinterpret_cast<float*>(out.mutable_bytes());
    if (!plan->result) {
      compute(call, *plan, to);
    } else {
      ir::Tensor product(kFloat, {plan->result->elements});
      compute(call, *plan, reinterpret_cast<float*>(product.mutable_bytes()));
      plan->result->copy.run(product.bytes(), out.mutable_bytes());
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  const Contraction* find(const std::vector<ir::Dims>& dims) {
    if (dims_ != dims) {
      std::vector<size_t> ranks;
      for (const ir::Dims& d : dims) ranks.push_back(d.size());
      plan_ = plan_contraction(ops::EinsumEquation(equation_, ranks), dims);
      dims_ = dims;
      packed_ = {};
      if (plan_ && plan_->ones > 0) {
        ones_ = ir::Tensor::of({plan_->ones}, std::vector<float>(plan_->ones, 1.0f));
      }
    }
    return plan_ ? &*plan_ : nullptr;
  }

  void compute(Call& call, const Contraction& plan, float* out) {
    const size_t left = plan.swapped ? 1 : 0;
    const size_t right = 1 - left;
    const auto operand = [&](size_t i) -> const ir::Tensor& {
      return i < call.input_count() ? *call.tensor(i) : ones_;
    };
    ir::Tensor left_storage;
    ir::Tensor right_storage;
    LeftMatrix a = plan.a;
    a.data = placed(operand(left), plan.left, left_storage);
    MatrixView b = plan.b;
    if (plan.single && call.is_constant(right)) {
      if (packed_.empty()) {
        b.data = placed(operand(right), plan.right, right_storage);
        packed_ = PackedMatrix(b);
      }
      multiply(a, packed_, {}, out, plan.out_row);
      return;
    }
    b.data = placed(operand(right), plan.right, right_storage);
    multiply(a, b, plan.batch, {}, out, plan.out_row);
  }

  std::string equation_;
  std::vector<ir::Dims> dims_;  // of the last run, with its plan
  std::optional<Contraction> plan_;
  ir::Tensor ones_;      // the second operand where there is one
  PackedMatrix packed_;  // B when it is constant
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_einsum(const NodeFacts& facts) {
  if (!facts.node->has_attribute("equation")) return nullptr;
  return std::make_unique<Einsum>(facts.node->attr_string("equation", ""));
}

}  // namespace fettle::interp
