// LSTM, GRU and RNN: the loop over directions, sequences and steps around the cells of
// recurrent_cells.h.
#include <algorithm>

#include "ops/checked.h"
#include "ops/convolution.h"
#include "ops/families.h"
#include "ops/matrix_product.h"
#include "ops/real_elements.h"
#include "ops/recurrent.h"
#include "ops/recurrent_cells.h"

namespace fettle::ops {
namespace {

// The operands of one evaluation as double.
struct Operands {
  RecurrentSpec spec;
  RecurrentDims dims;
  ir::Tensor x, w, r, b, h, c, p;  // undefined when omitted

  Operands(const KernelContext& context)
      : spec(recurrent_spec(context.node())), dims(recurrent_dims(spec, context)) {
    const auto load = [&context](size_t i) {
      return context.has(i) ? as_doubles(context.input(i)) : ir::Tensor();
    };
    x = load(0);
    w = load(1);
    r = load(2);
    b = load(3);
    h = load(5);
    c = load(6);
    p = load(7);
  }

  int64_t columns() const { return spec.gates * dims.hidden; }
  // Index of the first element of a state of direction `d` and sequence `n`.
  int64_t state_at(int64_t d, int64_t n) const {
    return (spec.batch_first ? n * spec.directions + d : d * dims.batch + n) * dims.hidden;
  }
  int64_t output_at(int64_t t, int64_t d, int64_t n) const {
    if (spec.batch_first) {
      return ((n * dims.steps + t) * spec.directions + d) * dims.hidden;
    }
    return ((t * spec.directions + d) * dims.batch + n) * dims.hidden;
  }
  int64_t input_row(int64_t t, int64_t n) const {
    return spec.batch_first ? n * dims.steps + t : t * dims.batch + n;
  }
};

const double* part(const ir::Tensor& tensor, int64_t offset) {
  return tensor.defined() ? tensor.data<double>().data() + offset : nullptr;
}

// R of direction `d`, transposed to [hidden, gates * hidden].
ir::Tensor transposed_recurrent(const Operands& o, int64_t d) {
  const int64_t hidden = o.dims.hidden;
  const int64_t columns = o.columns();
  const double* from = part(o.r, d * columns * hidden);
  ir::Tensor out = scratch_doubles(o.r.size() / o.spec.directions);
  const auto to = out.mutable_data<double>();
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t k = 0; k < hidden; ++k) {
      to[static_cast<size_t>(k * columns + j)] = from[j * hidden + k];
    }
  }
  return out;
}

CellState initial_state(const Operands& o, int64_t d, int64_t n) {
  const auto load = [&](const ir::Tensor& tensor) {
    const double* from = part(tensor, o.state_at(d, n));
    return from == nullptr ? std::vector<double>(static_cast<size_t>(o.dims.hidden), 0.0)
                           : std::vector<double>(from, from + o.dims.hidden);
  };
  return {load(o.h), load(o.c)};
}

struct Outputs {
  ir::Tensor* y;
  ir::Tensor* y_h;
  ir::Tensor* y_c;
};

void run_direction(const Operands& o, int64_t d, CellStep step, const ir::Tensor* lengths,
                   const Outputs& outputs) {
  const int64_t columns = o.columns();
  const int64_t rows = checked_mul(o.dims.steps, o.dims.batch);
  ir::Tensor inputs = scratch_doubles(checked_mul(rows, columns));
  double* xw = inputs.mutable_data<double>().data();
  multiply({plain_loader(o.x), 0, rows, o.dims.input},
           {plain_loader(o.w), d * columns * o.dims.input, o.dims.input, columns, true}, xw);
  const ir::Tensor recurrent = transposed_recurrent(o, d);
  const CellWeights weights{o.dims.hidden,
                            o.spec.gates,
                            part(recurrent, 0),
                            part(o.b, d * 2 * columns),
                            part(o.b, (d * 2 + 1) * columns),
                            part(o.p, d * 3 * o.dims.hidden)};
  const auto& activations = o.spec.activations[static_cast<size_t>(d)];
  for (int64_t n = 0; n < o.dims.batch; ++n) {
    CellState state = initial_state(o, d, n);
    const int64_t length = lengths != nullptr ? ir::element_as_int(*lengths, n) : o.dims.steps;
    for (int64_t s = 0; s < length; ++s) {
      const int64_t t = o.spec.backwards(d) ? length - 1 - s : s;
      step(o.spec, activations, weights, xw + o.input_row(t, n) * columns, state);
      if (outputs.y != nullptr) {
        store_doubles(state.hidden.data(), o.dims.hidden, *outputs.y, o.output_at(t, d, n));
      }
    }
    if (outputs.y_h != nullptr) {
      store_doubles(state.hidden.data(), o.dims.hidden, *outputs.y_h, o.state_at(d, n));
    }
    if (outputs.y_c != nullptr) {
      store_doubles(state.cell.data(), o.dims.hidden, *outputs.y_c, o.state_at(d, n));
    }
  }
}

// Steps beyond a sequence's length give 0 in Y; Y_h and Y_c hold the state after its last step.
template <CellStep step>
void recurrent(KernelContext& context) {
  const ir::DataType type = context.input(0).type();
  if (!is_real(type)) {
    fail(ErrorCode::kBadInput, "X: expected a floating type, found {}", ir::data_type_name(type));
  }
  const Operands operands(context);
  const auto make = [&](size_t i, const ir::Dims& dims) {
    return context.wants(i) ? &context.output(i, type, dims) : nullptr;
  };
  const ir::Dims state = recurrent_state_dims(operands.spec, operands.dims);
  const Outputs outputs{make(0, recurrent_output_dims(operands.spec, operands.dims)),
                        make(1, state), make(2, state)};
  if (outputs.y != nullptr) {
    std::fill_n(outputs.y->mutable_bytes(), outputs.y->byte_size(), std::byte{0});
  }
  for (int64_t d = 0; d < operands.spec.directions; ++d) {
    run_direction(operands, d, step, context.optional(4), outputs);
  }
}

void infer_recurrent(InferContext& context) {
  const RecurrentSpec spec = recurrent_spec(context.node());
  const ir::Shape* x = context.shape(0);
  const ir::Shape* r = context.shape(2);
  ir::Dim steps, batch, hidden;
  if (x != nullptr) {
    if (x->size() != 3) fail(ErrorCode::kBadInput, "X: expected rank 3, found {}", to_string(*x));
    steps = (*x)[spec.batch_first ? 1 : 0];
    batch = (*x)[spec.batch_first ? 0 : 1];
  }
  if (r != nullptr && r->size() == 3) hidden = (*r)[2];
  const int64_t stated = context.node().attr_int("hidden_size", 0);
  if (stated > 0) hidden = ir::Dim::of(stated);
  const ir::Dim directions = ir::Dim::of(spec.directions);
  ir::Shape y = {steps, directions, batch, hidden};
  ir::Shape state = {directions, batch, hidden};
  if (spec.batch_first) {
    y = {batch, steps, directions, hidden};
    state = {batch, directions, hidden};
  }
  for (size_t i = 0; i < context.output_count(); ++i) {
    context.set(i, context.element(0), i == 0 ? y : state);
  }
}

// Every element of W and R takes part once per step and sequence.
int64_t recurrent_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                       const std::vector<ir::Dims>&) {
  if (inputs.size() < 3 || inputs[0].size() != 3) return 0;
  const auto times = [&](const ir::Dims& weights) {
    ir::Dims factors = weights;
    factors.insert(factors.end(), inputs[0].begin(), inputs[0].begin() + 2);
    return saturating_product(factors);
  };
  const int64_t w = times(inputs[1]);
  const int64_t r = times(inputs[2]);
  return w > INT64_MAX - r ? INT64_MAX : w + r;
}

}  // namespace

std::span<const OpDef> recurrent_ops() {
  static constexpr OpDef kRows[] = {
      {.domain = "",
       .name = "GRU",
       .since_version = 1,
       .infer = infer_recurrent,
       .kernel = recurrent<gru_step>,
       .shape_inputs = 1u << 4,
       .macs = recurrent_macs},
      {.domain = "",
       .name = "LSTM",
       .since_version = 1,
       .infer = infer_recurrent,
       .kernel = recurrent<lstm_step>,
       .shape_inputs = 1u << 4,
       .macs = recurrent_macs},
      {.domain = "",
       .name = "RNN",
       .since_version = 1,
       .infer = infer_recurrent,
       .kernel = recurrent<rnn_step>,
       .shape_inputs = 1u << 4,
       .macs = recurrent_macs},
  };
  return kRows;
}

}  // namespace fettle::ops
