#include "interp/recurrent.h"

#include <algorithm>

#include "interp/matrix_product.h"
#include "interp/parallel.h"
#include "interp/vector_math.h"
#include "ops/recurrent.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// Operands of both operators.
enum Operand : size_t { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeephole };

struct Extents {
  int64_t steps, batch, input, hidden, gates, directions;
  int64_t width() const { return gates * hidden; }
};

// What one direction keeps between calls while its weights are constant.
struct Direction {
  ops::RecurrentActivation gate;
  std::unique_ptr<AcceleratedKernel> input_product;
  ops::RuntimeValue w;            // [gates * hidden, input]
  std::vector<float> transposed;  // R as [hidden, gates * hidden]
  std::vector<float> bias;        // of the input product: Wb, plus Rb where that only adds
  std::vector<float> inner_bias;  // GRU with linear_before_reset: Rb of the hidden gate
};

// The state of one direction and one step's gate values.
struct State {
  std::vector<float> h;      // [batch, hidden]
  std::vector<float> c;      // [batch, hidden], LSTM
  std::vector<float> gates;  // [batch, gates * hidden]
  std::vector<float> reset;  // [batch, hidden], GRU: r * h
};

// out[n, :columns] += x[n, :] * m[:, first : first + columns], m [rows, width].
void add_product(const float* x, const float* m, int64_t batch, int64_t rows, int64_t width,
                 int64_t first, int64_t columns, float* out, int64_t out_width) {
  constexpr int64_t kColumns = 256;  // per task; fixed, so that results are the same for any count
  const int64_t parts = (columns + kColumns - 1) / kColumns;
  for_each_row(batch * parts, rows * kColumns / 4, [&](int64_t task) {
    const int64_t n = task / parts;
    const int64_t begin = task % parts * kColumns;
    const int64_t count = std::min(kColumns, columns - begin);
    for (int64_t k = 0; k < rows; ++k) {
      add_scaled_row(x[n * rows + k], m + k * width + first + begin, out + n * out_width + begin,
                     count);
    }
  });
}

// The gates' function: sigmoid or clamp(alpha x + beta, 0, 1).
void apply_gate(const ops::RecurrentActivation& f, float* x, int64_t n) {
  if (f.kind == ops::ActivationKind::kSigmoid) {
    sigmoid_row(x, x, n);
    return;
  }
  const auto alpha = static_cast<float>(f.alpha);
  const auto beta = static_cast<float>(f.beta);
  for (int64_t i = 0; i < n; ++i) {
    const float line = alpha * x[i] + beta;
    const float above = line < 0.0f ? 0.0f : line;
    x[i] = above > 1.0f ? 1.0f : above;
  }
}

// Gates i, o, f, c: c' = f c + i g, h' = o tanh(c').
void lstm_step(const Direction& d, const Extents& e, State& s) {
  const int64_t width = e.width();
  const int64_t n = e.hidden;
  add_product(s.h.data(), d.transposed.data(), e.batch, n, width, 0, width, s.gates.data(), width);
  for (int64_t b = 0; b < e.batch; ++b) {
    float* gates = s.gates.data() + b * width;
    apply_gate(d.gate, gates, 3 * n);
    tanh_row(gates + 3 * n, gates + 3 * n, n);
    float* c = s.c.data() + b * n;
    float* h = s.h.data() + b * n;
    for (int64_t i = 0; i < n; ++i) {
      c[i] = gates[2 * n + i] * c[i] + gates[i] * gates[3 * n + i];
    }
    tanh_row(c, h, n);
    for (int64_t i = 0; i < n; ++i) h[i] *= gates[n + i];
  }
}

// Gates z, r, h: h' = (1 - z) g + z h, with g = tanh(x + (r h) R) or tanh(x + r (h R + Rb)).
void gru_step(const Direction& d, const Extents& e, bool linear_before_reset, State& s) {
  const int64_t width = e.width();
  const int64_t n = e.hidden;
  const float* r_weights = d.transposed.data();
  add_product(s.h.data(), r_weights, e.batch, n, width, 0, 2 * n, s.gates.data(), width);
  for (int64_t b = 0; b < e.batch; ++b) {
    float* gates = s.gates.data() + b * width;
    apply_gate(d.gate, gates, 2 * n);
    for (int64_t i = 0; i < n; ++i) {
      s.reset[static_cast<size_t>(b * n + i)] =
          linear_before_reset ? d.inner_bias[static_cast<size_t>(i)]
                              : gates[n + i] * s.h[static_cast<size_t>(b * n + i)];
    }
  }
  if (linear_before_reset) {
    add_product(s.h.data(), r_weights, e.batch, n, width, 2 * n, n, s.reset.data(), n);
  } else {
    add_product(s.reset.data(), r_weights, e.batch, n, width, 2 * n, n, s.gates.data() + 2 * n,
                width);
  }
  for (int64_t b = 0; b < e.batch; ++b) {
    float* gates = s.gates.data() + b * width;
    float* h = s.h.data() + b * n;
    const float* reset = s.reset.data() + b * n;
    if (linear_before_reset) {
      for (int64_t i = 0; i < n; ++i) gates[2 * n + i] += gates[n + i] * reset[i];
    }
    tanh_row(gates + 2 * n, gates + 2 * n, n);
    for (int64_t i = 0; i < n; ++i) {
      h[i] = (1.0f - gates[i]) * gates[2 * n + i] + gates[i] * h[i];
    }
  }
}

class Recurrent : public AcceleratedKernel {
 public:
  Recurrent(const ir::Node& node, const ops::RecurrentSpec& spec)
      : spec_(spec), lstm_(node.is("LSTM")) {}

  bool run(Call& call) override {
    Extents e;
    if (!extents_of(call, e)) return false;
    const bool constant =
        call.is_constant(kW) && call.is_constant(kR) && (!call.has(kB) || call.is_constant(kB));
    if (directions_.empty() || !constant) prepare(call, e);
    ir::Tensor y(kFloat, {e.steps, e.directions, e.batch, e.hidden});
    ir::Tensor y_h(kFloat, {e.directions, e.batch, e.hidden});
    ir::Tensor y_c(kFloat, y_h.dims());
    for (int64_t d = 0; d < e.directions; ++d) run_direction(call, d, e, y, y_h, y_c);
    call.set(0, std::move(y));
    if (call.outputs().size() > 1) call.set(1, std::move(y_h));
    if (call.outputs().size() > 2 && lstm_) call.set(2, std::move(y_c));
    return true;
  }

 private:
  bool extents_of(Call& call, Extents& e) const {
    for (const size_t i : {size_t{kX}, size_t{kW}, size_t{kR}}) {
      if (call.type(i) != kFloat || call.dims(i)->size() != 3) return false;
    }
    if (call.has(kLengths) || call.has(kPeephole)) return false;
    const ir::Dims& x = *call.dims(kX);
    const ir::Dims& r = *call.dims(kR);
    e = {x[0], x[1], x[2], r[2], spec_.gates, spec_.directions};
    const auto fits = [&](size_t i, const ir::Dims& dims) {
      return !call.has(i) || (call.type(i) == kFloat && *call.dims(i) == dims);
    };
    const bool positive = e.steps > 0 && e.batch > 0 && e.input > 0 && e.hidden > 0;
    return positive && fits(kW, {e.directions, e.width(), e.input}) &&
           fits(kR, {e.directions, e.width(), e.hidden}) &&
           fits(kB, {e.directions, 2 * e.width()}) &&
           fits(kInitialH, {e.directions, e.batch, e.hidden}) &&
           fits(kInitialC, {e.directions, e.batch, e.hidden});
  }

  void prepare(Call& call, const Extents& e) {
    directions_.clear();
    const int64_t width = e.width();
    for (int64_t d = 0; d < e.directions; ++d) {
      ProductOptions options;
      options.b.swapped = true;
      Direction direction;
      direction.gate = spec_.activations[static_cast<size_t>(d)][0];
      direction.input_product = make_product(options);
      direction.w = call.tensor(kW)->slice_front(d, 1).reshaped({width, e.input});
      const float* r = call.tensor(kR)->data<float>().data() + d * width * e.hidden;
      direction.transposed.resize(static_cast<size_t>(width * e.hidden));
      for (int64_t j = 0; j < width; ++j) {
        for (int64_t k = 0; k < e.hidden; ++k) {
          direction.transposed[static_cast<size_t>(k * width + j)] = r[j * e.hidden + k];
        }
      }
      set_bias(call, d, e, direction);
      directions_.push_back(std::move(direction));
    }
  }

  void set_bias(Call& call, int64_t d, const Extents& e, Direction& direction) const {
    const int64_t width = e.width();
    direction.bias.assign(static_cast<size_t>(width), 0.0f);
    direction.inner_bias.assign(static_cast<size_t>(e.hidden), 0.0f);
    if (!call.has(kB)) return;
    const float* b = call.tensor(kB)->data<float>().data() + d * 2 * width;
    const bool inner = !lstm_ && spec_.linear_before_reset;
    for (int64_t j = 0; j < width; ++j) {
      const bool apart = inner && j >= 2 * e.hidden;
      direction.bias[static_cast<size_t>(j)] = apart ? b[j] : b[j] + b[width + j];
      if (apart) direction.inner_bias[static_cast<size_t>(j - 2 * e.hidden)] = b[width + j];
    }
  }

  static std::vector<float> initial(Call& call, size_t operand, int64_t d, const Extents& e) {
    const auto count = static_cast<size_t>(e.batch * e.hidden);
    if (!call.has(operand)) return std::vector<float>(count, 0.0f);
    const float* from = call.tensor(operand)->data<float>().data() + d * e.batch * e.hidden;
    return std::vector<float>(from, from + count);
  }

  // x * W', [steps * batch, gates * hidden].
  ir::Tensor input_gates(Call& call, Direction& direction, const Extents& e, bool constant) const {
    Slot x;
    x.value = ops::RuntimeValue(call.tensor(kX)->reshaped({e.steps * e.batch, e.input}));
    Slot w;
    w.value = direction.w;
    Call product(
        {{nullptr, &x, false},
         constant ? Call::Input{&direction.w, nullptr, false} : Call::Input{nullptr, &w, false}},
        1);
    const bool done = direction.input_product->run(product);
    FETTLE_ASSERT(done);
    return std::move(product.outputs()[0].value.tensor);
  }

  void run_direction(Call& call, int64_t d, const Extents& e, ir::Tensor& y, ir::Tensor& y_h,
                     ir::Tensor& y_c) {
    Direction& direction = directions_[static_cast<size_t>(d)];
    const ir::Tensor gates = input_gates(call, direction, e, call.is_constant(kW));
    const float* from = gates.data<float>().data();
    const int64_t block = e.batch * e.width();
    const int64_t state = e.batch * e.hidden;
    State s;
    s.h = initial(call, kInitialH, d, e);
    s.c = initial(call, kInitialC, d, e);
    s.gates.resize(static_cast<size_t>(block));
    s.reset.resize(static_cast<size_t>(state));
    float* to = y.mutable_data<float>().data();
    for (int64_t i = 0; i < e.steps; ++i) {
      const int64_t t = spec_.backwards(d) ? e.steps - 1 - i : i;
      for (int64_t j = 0; j < block; ++j) {
        s.gates[static_cast<size_t>(j)] =
            from[t * block + j] + direction.bias[static_cast<size_t>(j % e.width())];
      }
      if (lstm_) {
        lstm_step(direction, e, s);
      } else {
        gru_step(direction, e, spec_.linear_before_reset, s);
      }
      std::copy(s.h.begin(), s.h.end(), to + (t * e.directions + d) * state);
    }
    std::copy(s.h.begin(), s.h.end(), y_h.mutable_data<float>().data() + d * state);
    std::copy(s.c.begin(), s.c.end(), y_c.mutable_data<float>().data() + d * state);
  }

  ops::RecurrentSpec spec_;
  bool lstm_;
  std::vector<Direction> directions_;
};

// Sigmoid or hard sigmoid for the gates and tanh for the rest.
bool usual_activations(const ops::RecurrentSpec& spec) {
  for (const auto& functions : spec.activations) {
    using enum ops::ActivationKind;
    if (functions.empty() || (functions[0].kind != kSigmoid && functions[0].kind != kHardSigmoid)) {
      return false;
    }
    for (size_t i = 1; i < functions.size(); ++i) {
      if (functions[i].kind != kTanh) return false;
    }
  }
  return spec.activations.size() == static_cast<size_t>(spec.directions);
}

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_recurrent(const NodeFacts& facts) {
  const ops::RecurrentSpec spec = ops::recurrent_spec(*facts.node);
  // Before opset 3 GRU had another default; layout 1 is rare.
  if (facts.opset < 7 || spec.batch_first || spec.input_forget || spec.clip != 0 ||
      !usual_activations(spec)) {
    return nullptr;
  }
  return std::make_unique<Recurrent>(*facts.node, spec);
}

}  // namespace fettle::interp
