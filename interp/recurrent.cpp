#include "interp/recurrent.h"

#include <algorithm>
#include <optional>

#include "interp/float_product.h"
#include "interp/parallel.h"
#include "interp/recurrent_direction.h"
#include "interp/subnormals.h"
#include "ops/recurrent.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// Operands of all three operators.
enum Operand : size_t { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeephole };

class Recurrent : public AcceleratedKernel {
 public:
  Recurrent(CellKind kind, std::vector<GateFunction> gates, const ops::RecurrentSpec& spec)
      : kind_(kind), gates_(std::move(gates)), spec_(spec) {}

  bool run(Call& call) override {
    RecurrentExtents e;
    if (!extents_of(call, e)) return false;
    const bool constant =
        call.is_constant(kW) && call.is_constant(kR) && (!call.has(kB) || call.is_constant(kB));
    if (directions_.empty() || !constant) prepare(call, e);
    const FlushSubnormals flush;
    ir::Tensor y(kFloat, {e.steps, spec_.directions, e.batch, e.hidden});
    ir::Tensor y_h(kFloat, {spec_.directions, e.batch, e.hidden});
    ir::Tensor y_c(kFloat, lstm() ? y_h.dims() : ir::Dims{0});
    compute(call, e, y, y_h, y_c);
    call.set(0, std::move(y));
    if (call.outputs().size() > 1) call.set(1, std::move(y_h));
    if (call.outputs().size() > 2 && lstm()) call.set(2, std::move(y_c));
    return true;
  }

 private:
  bool lstm() const { return kind_ == CellKind::kLstm; }

  bool extents_of(Call& call, RecurrentExtents& e) const {
    for (const size_t i : {size_t{kX}, size_t{kW}, size_t{kR}}) {
      if (call.type(i) != kFloat || call.dims(i)->size() != 3) return false;
    }
    if (call.has(kPeephole)) return false;
    const ir::Dims& x = *call.dims(kX);
    const ir::Dims& r = *call.dims(kR);
    e = {x[0], x[1], x[2], r[2], spec_.gates};
    const bool positive = e.steps > 0 && e.batch > 0 && e.input > 0 && e.hidden > 0;
    if (!positive || !whole_sequences(call, e)) return false;
    const auto fits = [&](size_t i, const ir::Dims& dims) {
      return !call.has(i) || (call.type(i) == kFloat && *call.dims(i) == dims);
    };
    const int64_t d = spec_.directions;
    const int64_t rows = e.gates * e.hidden;
    return fits(kW, {d, rows, e.input}) && fits(kR, {d, rows, e.hidden}) &&
           fits(kB, {d, 2 * rows}) && fits(kInitialH, {d, e.batch, e.hidden}) &&
           fits(kInitialC, {d, e.batch, e.hidden});
  }

  static bool whole_sequences(Call& call, const RecurrentExtents& e) {
    if (!call.has(kLengths)) return true;
    if (call.type(kLengths) != ir::DataType::kInt32) return false;
    const auto lengths = call.tensor(kLengths)->data<int32_t>();
    return static_cast<int64_t>(lengths.size()) == e.batch &&
           std::all_of(lengths.begin(), lengths.end(), [&](int32_t n) { return n == e.steps; });
  }

  void prepare(Call& call, const RecurrentExtents& e) {
    directions_.clear();
    const int64_t rows = e.gates * e.hidden;
    const float* w = call.tensor(kW)->data<float>().data();
    const float* r = call.tensor(kR)->data<float>().data();
    const float* b = call.has(kB) ? call.tensor(kB)->data<float>().data() : nullptr;
    for (int64_t d = 0; d < spec_.directions; ++d) {
      directions_.emplace_back(kind_, gates_[static_cast<size_t>(d)], e, w + d * rows * e.input,
                               r + d * rows * e.hidden, b == nullptr ? b : b + d * 2 * rows);
    }
    for (const size_t i : {size_t{kW}, size_t{kR}}) {
      if (call.is_constant(i)) call.tensor(i)->release_pages();
    }
  }

  void compute(Call& call, const RecurrentExtents& e, ir::Tensor& y, ir::Tensor& y_h,
               ir::Tensor& y_c) {
    const int64_t count = spec_.directions;
    const int64_t state = e.batch * e.hidden;
    const int64_t block = e.steps * e.batch * e.width();
    ir::Tensor gates(kFloat, {count, block});
    float* g = gates.mutable_data<float>().data();
    const float* x = call.tensor(kX)->data<float>().data();
    for (int64_t d = 0; d < count; ++d) {
      directions_[static_cast<size_t>(d)].input_gates(x, e, g + d * block);
    }
    zeros_.assign(static_cast<size_t>(state), 0.0f);
    const float* h = call.has(kInitialH) ? call.tensor(kInitialH)->data<float>().data() : nullptr;
    float* c = lstm() ? y_c.mutable_data<float>().data() : nullptr;
    if (lstm()) {
      if (call.has(kInitialC)) {
        const auto from = call.tensor(kInitialC)->data<float>();
        std::copy(from.begin(), from.end(), c);
      } else {
        std::fill_n(c, count * state, 0.0f);
      }
    }
    float* to = y.mutable_data<float>().data();
    float* last = y_h.mutable_data<float>().data();
    // Threads share directions, or else the steps.
    const int64_t work = e.steps * e.batch * e.hidden * e.width();
    const bool apart = count > 1 && worth_sharing(work, 0);
    const bool steps = !apart && RecurrentDirection::worth_sharing_step(e);
    for_each_index(count, apart, [&](int64_t d) {
      const float* first = h == nullptr ? zeros_.data() : h + d * state;
      const float* end = directions_[static_cast<size_t>(d)].run(
          e, g + d * block, spec_.backwards(d), steps, first, c == nullptr ? c : c + d * state,
          to + d * state, count * state);
      std::copy_n(end, state, last + d * state);
    });
  }

  CellKind kind_;
  std::vector<GateFunction> gates_;  // per direction
  ops::RecurrentSpec spec_;
  std::vector<RecurrentDirection> directions_;
  std::vector<float> zeros_;
};

using ops::ActivationKind;

std::optional<GateFunction> gate_function(const ops::RecurrentActivation& f, bool only_one) {
  const auto alpha = static_cast<float>(f.alpha);
  const auto beta = static_cast<float>(f.beta);
  using Kind = GateFunction::Kind;
  switch (f.kind) {
    case ActivationKind::kSigmoid:
      return GateFunction{Kind::kSigmoid, 0, 0};
    case ActivationKind::kHardSigmoid:
      return GateFunction{Kind::kHardSigmoid, alpha, beta};
    case ActivationKind::kTanh:
      if (only_one) return GateFunction{Kind::kTanh, 0, 0};
      return std::nullopt;
    case ActivationKind::kRelu:
      if (only_one) return GateFunction{Kind::kRelu, 0, 0};
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// The gates' functions, one per direction; nothing when another function is not tanh.
std::optional<std::vector<GateFunction>> usual_activations(const ops::RecurrentSpec& spec) {
  std::vector<GateFunction> gates;
  for (const auto& functions : spec.activations) {
    if (functions.empty()) return std::nullopt;
    const auto gate = gate_function(functions[0], spec.gates == 1);
    const bool usual = std::all_of(functions.begin() + 1, functions.end(),
                                   [](const auto& f) { return f.kind == ActivationKind::kTanh; });
    if (!gate || !usual) return std::nullopt;
    gates.push_back(*gate);
  }
  if (gates.size() != static_cast<size_t>(spec.directions)) return std::nullopt;
  return gates;
}

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_recurrent(const NodeFacts& facts) {
  const ops::RecurrentSpec spec = ops::recurrent_spec(*facts.node);
  // Before opset 3 GRU had another default; layout 1 is rare.
  if (facts.opset < 7 || spec.batch_first || spec.input_forget || spec.clip != 0) return nullptr;
  auto gates = usual_activations(spec);
  if (!gates) return nullptr;
  const CellKind kind = spec.gates == 4            ? CellKind::kLstm
                        : spec.gates == 1          ? CellKind::kRnn
                        : spec.linear_before_reset ? CellKind::kGruLinear
                                                   : CellKind::kGruResetFirst;
  return std::make_unique<Recurrent>(kind, std::move(*gates), spec);
}

}  // namespace fettle::interp
