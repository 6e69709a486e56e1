// DynamicQuantizeLSTM of com.microsoft: LSTM with 8-bit weights whose inputs and hidden states are
// quantized as DynamicQuantizeLinear does: X of all steps at once, the hidden states of a batch at
// every step.
#include <algorithm>
#include <vector>

#include "ops/checked.h"
#include "ops/convolution.h"
#include "ops/matrix_product.h"
#include "ops/quantized_contrib.h"
#include "ops/quantized_operands.h"
#include "ops/recurrent_cells.h"
#include "ops/requantize.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

using ir::DataType;

enum Operand : size_t {
  kX,
  kW,
  kR,
  kB,
  kLengths,
  kInitialH,
  kInitialC,
  kP,
  kWScale,
  kWZero,
  kRScale,
  kRZero
};

void check_operand(const KernelContext& context, size_t operand, const ir::Dims& dims,
                   DataType type, std::string_view name) {
  const ir::Tensor* tensor = context.optional(operand);
  if (tensor == nullptr || (tensor->dims() == dims && tensor->type() == type)) return;
  fail(ErrorCode::kBadInput, "{}: expected {} {}, found {} {}", name, ir::data_type_name(type),
       ir::to_string(dims), ir::data_type_name(tensor->type()), ir::to_string(tensor->dims()));
}

// The operator has no attribute layout, and ONNX Runtime does not clip the argument of h.
RecurrentSpec lstm_spec(const ir::Node& node) {
  RecurrentSpec spec = recurrent_spec(node);
  spec.batch_first = false;
  spec.clip_cell = false;
  return spec;
}

RecurrentDims lstm_dims(const RecurrentSpec& spec, const KernelContext& context) {
  const ir::Tensor& x = context.input(kX);
  const ir::Tensor& r = context.input(kR);
  if (x.rank() != 3 || r.rank() != 3) {
    fail(ErrorCode::kBadInput, "expected X and R of rank 3, found shapes {} and {}",
         ir::to_string(x.dims()), ir::to_string(r.dims()));
  }
  const RecurrentDims d{x.dim(0), x.dim(1), x.dim(2),
                        context.node().attr_int("hidden_size", r.dim(1))};
  if (d.hidden < 1) {
    fail(ErrorCode::kBadInput, "attribute hidden_size: expected >= 1, found {}", d.hidden);
  }
  const int64_t columns = checked_mul(spec.gates, d.hidden);
  const ir::Dims state = recurrent_state_dims(spec, d);
  check_operand(context, kX, x.dims(), DataType::kFloat, "X");
  check_operand(context, kW, {spec.directions, d.input, columns}, context.input(kW).type(), "W");
  check_operand(context, kR, {spec.directions, d.hidden, columns}, r.type(), "R");
  check_operand(context, kB, {spec.directions, checked_mul(2, columns)}, DataType::kFloat, "B");
  check_operand(context, kLengths, {d.batch}, DataType::kInt32, "sequence_lens");
  check_operand(context, kInitialH, state, DataType::kFloat, "initial_h");
  check_operand(context, kInitialC, state, DataType::kFloat, "initial_c");
  check_operand(context, kP, {spec.directions, checked_mul(3, d.hidden)}, DataType::kFloat, "P");
  return d;
}

// Steps of every sequence.
std::vector<int64_t> sequence_lengths(const KernelContext& context, const RecurrentDims& dims) {
  const ir::Tensor* lengths = context.optional(kLengths);
  std::vector<int64_t> out = scratch<int64_t>(dims.batch);
  for (size_t n = 0; n < out.size(); ++n) {
    out[n] = lengths != nullptr ? lengths->data<int32_t>()[n] : dims.steps;
    if (out[n] < 0 || out[n] > dims.steps) {
      fail(ErrorCode::kBadInput, "sequence_lens: {} is not in [0, {}]", out[n], dims.steps);
    }
  }
  return out;
}

// An 8-bit weight [directions, rows, columns] with a scale and zero point per direction or per
// direction and column.
class QuantizedWeight {
 public:
  QuantizedWeight(const KernelContext& context, size_t weight, size_t scale, std::string_view name)
      : weight_(context.input(weight)), rows_(weight_.dim(1)), columns_(weight_.dim(2)) {
    const ir::Tensor& scale_tensor = context.input(scale);
    const ir::Tensor& zero_tensor = context.input(scale + 1);
    const ir::Dims one = {weight_.dim(0)};
    const ir::Dims each = {weight_.dim(0), columns_};
    for (const ir::Tensor* tensor : {&scale_tensor, &zero_tensor}) {
      if (tensor->dims() == one || tensor->dims() == each) continue;
      fail(ErrorCode::kBadInput, "scale and zero point of {}: expected shape {} or {}, found {}",
           name, ir::to_string(one), ir::to_string(each), ir::to_string(tensor->dims()));
    }
    scales_ = scales(scale_tensor.reshaped({scale_tensor.size()}), scale_tensor.size(), name);
    const ir::Tensor zeros = zero_tensor.reshaped({zero_tensor.size()});
    zeros_ = zero_points(&zeros, weight_.type(), zeros.size(), name);
  }

  // out [rows of a, columns] = a times the weight of direction `d`, as numbers of float32.
  void multiply_by(const std::vector<float>& a, int64_t a_rows, int64_t d, double* out) const {
    const DynamicQuantization q = dynamic_quantization(a);
    const LoadOperand load_a = [&](int64_t begin, int64_t count, double* to) {
      for (int64_t i = begin; i < begin + count; ++i) {
        *to++ =
            quantize_one(a[static_cast<size_t>(i)], q.scale, q.zero_point, {0, 255}) - q.zero_point;
      }
    };
    const LoadOperand plain = plain_loader(weight_);
    const LoadOperand load_w = [&](int64_t begin, int64_t count, double* to) {
      plain(begin, count, to);
      for (int64_t i = 0; i < count; ++i) to[i] -= of_column(zeros_, d, (begin + i) % columns_);
    };
    multiply({load_a, 0, a_rows, rows_}, {load_w, d * rows_ * columns_, rows_, columns_}, out);
    for (int64_t i = 0; i < a_rows * columns_; ++i) {
      const float factor = q.scale * of_column(scales_, d, i % columns_);
      out[i] = static_cast<float>(wrapped_int32(out[i])) * factor;
    }
  }

 private:
  template <typename T>
  T of_column(const std::vector<T>& values, int64_t d, int64_t column) const {
    const bool each = static_cast<int64_t>(values.size()) != weight_.dim(0);
    return values[static_cast<size_t>(each ? d * columns_ + column : d)];
  }

  const ir::Tensor& weight_;
  int64_t rows_;
  int64_t columns_;
  std::vector<float> scales_;
  ZeroPoints zeros_;
};

std::vector<double> doubles_of(const ir::Tensor* tensor) {
  if (tensor == nullptr) return {};
  std::vector<double> out = scratch<double>(tensor->size());
  std::copy_n(tensor->data<float>().begin(), out.size(), out.begin());
  return out;
}

const double* part(const std::vector<double>& values, int64_t offset) {
  return values.empty() ? nullptr : values.data() + offset;
}

// One evaluation.
class QuantizedLstm {
 public:
  explicit QuantizedLstm(KernelContext& context)
      : context_(context),
        spec_(lstm_spec(context.node())),
        dims_(lstm_dims(spec_, context)),
        lengths_(sequence_lengths(context, dims_)),
        longest_(lengths_.empty() ? 0 : *std::max_element(lengths_.begin(), lengths_.end())),
        w_(context, kW, kWScale, "W"),
        r_(context, kR, kRScale, "R"),
        bias_(doubles_of(context.optional(kB))),
        peepholes_(doubles_of(context.optional(kP))) {}

  void run() {
    const ir::Dims state = recurrent_state_dims(spec_, dims_);
    y_ = make(0, recurrent_output_dims(spec_, dims_));
    y_h_ = make(1, state);
    y_c_ = make(2, state);
    for (int64_t d = 0; d < spec_.directions; ++d) run_direction(d);
  }

 private:
  // Output `i`, filled with zeros, or null when nobody wants it.
  float* make(size_t i, const ir::Dims& dims) {
    if (i >= context_.output_count() || !context_.wants(i)) return nullptr;
    const auto data = context_.output(i, DataType::kFloat, dims).mutable_data<float>();
    std::fill(data.begin(), data.end(), 0.0f);
    return data.data();
  }

  int64_t columns() const { return spec_.gates * dims_.hidden; }
  int64_t state_at(int64_t d, int64_t n) const { return (d * dims_.batch + n) * dims_.hidden; }

  std::vector<CellState> initial_states(int64_t d) const {
    const auto load = [&](size_t operand, int64_t n) {
      std::vector<double> out = scratch<double>(dims_.hidden);
      if (const ir::Tensor* tensor = context_.optional(operand)) {
        std::copy_n(tensor->data<float>().data() + state_at(d, n), dims_.hidden, out.begin());
      }
      return out;
    };
    std::vector<CellState> states;
    for (int64_t n = 0; n < dims_.batch; ++n)
      states.push_back({load(kInitialH, n), load(kInitialC, n)});
    return states;
  }

  // The hidden states of sequences that still run at step `s`, zeros for the others.
  std::vector<float> hidden_states(const std::vector<CellState>& states, int64_t s) const {
    std::vector<float> out = scratch<float>(dims_.batch * dims_.hidden);
    for (size_t n = 0; n < states.size(); ++n) {
      if (s >= lengths_[n]) continue;
      const auto to = out.begin() + static_cast<int64_t>(n) * dims_.hidden;
      std::transform(states[n].hidden.begin(), states[n].hidden.end(), to,
                     [](double h) { return static_cast<float>(h); });
    }
    return out;
  }

  void run_direction(int64_t d) {
    const int64_t rows = checked_mul(longest_, dims_.batch);
    const float* x = context_.input(kX).data<float>().data();
    ir::require_memory(static_cast<size_t>(checked_mul(rows, dims_.input)) * sizeof(float));
    const std::vector<float> inputs(x, x + rows * dims_.input);
    std::vector<double> xw = scratch<double>(checked_mul(rows, columns()));
    w_.multiply_by(inputs, rows, d, xw.data());
    std::vector<double> hr = scratch<double>(checked_mul(dims_.batch, columns()));
    std::vector<CellState> states = initial_states(d);
    const CellWeights weights{dims_.hidden,
                              spec_.gates,
                              nullptr,
                              part(bias_, d * 2 * columns()),
                              part(bias_, (d * 2 + 1) * columns()),
                              part(peepholes_, d * 3 * dims_.hidden)};
    for (int64_t s = 0; s < longest_; ++s) {
      r_.multiply_by(hidden_states(states, s), dims_.batch, d, hr.data());
      for (int64_t n = 0; n < dims_.batch; ++n) {
        const int64_t length = lengths_[static_cast<size_t>(n)];
        if (s >= length) continue;
        const int64_t t = spec_.backwards(d) ? length - 1 - s : s;
        double* gates = hr.data() + n * columns();
        const double* input = xw.data() + (t * dims_.batch + n) * columns();
        for (int64_t j = 0; j < columns(); ++j) gates[j] += input[j];
        CellState& state = states[static_cast<size_t>(n)];
        lstm_step(spec_, spec_.activations[static_cast<size_t>(d)], weights, gates, state);
        store(state.hidden, y_, ((t * spec_.directions + d) * dims_.batch + n) * dims_.hidden);
      }
    }
    for (int64_t n = 0; n < dims_.batch; ++n) {
      const CellState& state = states[static_cast<size_t>(n)];
      if (lengths_[static_cast<size_t>(n)] == 0) continue;
      store(state.hidden, y_h_, state_at(d, n));
      store(state.cell, y_c_, state_at(d, n));
    }
  }

  static void store(const std::vector<double>& values, float* to, int64_t offset) {
    if (to == nullptr) return;
    std::transform(values.begin(), values.end(), to + offset,
                   [](double v) { return static_cast<float>(v); });
  }

  KernelContext& context_;
  RecurrentSpec spec_;
  RecurrentDims dims_;
  std::vector<int64_t> lengths_;
  int64_t longest_;
  QuantizedWeight w_;
  QuantizedWeight r_;
  std::vector<double> bias_;
  std::vector<double> peepholes_;
  float* y_ = nullptr;
  float* y_h_ = nullptr;
  float* y_c_ = nullptr;
};

}  // namespace

void infer_dynamic_quantize_lstm(InferContext& context) {
  const RecurrentSpec spec = lstm_spec(context.node());
  const ir::Shape* x = context.shape(kX);
  const ir::Shape* r = context.shape(kR);
  ir::Dim steps, batch, hidden;
  if (x != nullptr) {
    if (x->size() != 3) fail(ErrorCode::kBadInput, "X: expected rank 3, found {}", to_string(*x));
    steps = (*x)[0];
    batch = (*x)[1];
  }
  if (r != nullptr && r->size() == 3) hidden = (*r)[1];
  const int64_t stated = context.node().attr_int("hidden_size", 0);
  if (stated > 0) hidden = ir::Dim::of(stated);
  const ir::Dim directions = ir::Dim::of(spec.directions);
  for (size_t i = 0; i < context.output_count(); ++i) {
    context.set(i, DataType::kFloat,
                i == 0 ? ir::Shape{steps, directions, batch, hidden}
                       : ir::Shape{directions, batch, hidden});
  }
}

// Steps beyond a sequence's length give 0 in Y; Y_h and Y_c hold the state after its last step, 0
// for a sequence without steps.
void dynamic_quantize_lstm(KernelContext& context) {
  QuantizedLstm(context).run();
}

// Every element of W and R takes part once per step and sequence.
int64_t dynamic_quantize_lstm_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                                   const std::vector<ir::Dims>&) {
  if (inputs.size() <= kR || inputs[kX].size() != 3) return 0;
  const auto times = [&](const ir::Dims& weights) {
    ir::Dims factors = weights;
    factors.insert(factors.end(), inputs[kX].begin(), inputs[kX].begin() + 2);
    return saturating_product(factors);
  };
  const int64_t w = times(inputs[kW]);
  const int64_t r = times(inputs[kR]);
  return w > INT64_MAX - r ? INT64_MAX : w + r;
}

}  // namespace fettle::ops
