#include "interp/recurrent_direction.h"

#include <algorithm>

#include "interp/float_product.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

// `count` numbers, and zeros up to kUnits.
struct Units {
  alignas(64) float values[kUnits] = {};
  Units() = default;
  Units(const float* from, int64_t count) { std::copy_n(from, count, values); }
};

}  // namespace

// One step in time.
struct RecurrentDirection::Step {
  const RecurrentExtents& e;
  const float* x;       // gate values from the input, [batch, width]
  const float* before;  // states, [batch, hidden]
  float* after;

  int64_t units(int64_t block) const { return std::min(kUnits, e.hidden - block * kUnits); }
  const float* x_of(int64_t row, int64_t block) const {
    return x + row * e.width() + block * e.gates * kUnits;
  }
  Units before_of(int64_t row, int64_t block) const {
    return Units(before + row * e.hidden + block * kUnits, units(block));
  }
  void store(const Units& h, int64_t row, int64_t block) const {
    std::copy_n(h.values, units(block), after + row * e.hidden + block * kUnits);
  }
};

namespace {

// Rows of `left` [batch, hidden] times the columns of `block` in `right`, which has `gates` gates:
// to [batch, gates * kUnits].
void multiply_block(const RecurrentExtents& e, const float* left, const PackedMatrix& right,
                    int64_t gates, int64_t block, const float* bias, float* to) {
  const TileKernels& kernels = tile_kernels();
  const int64_t columns = gates * kUnits;
  const int64_t panels = columns / std::min(columns, kernels.width);
  Strip s;
  s.a = left;
  s.a_row = e.hidden;
  s.depth = e.hidden;
  s.rows = e.batch;
  s.out_row = columns;
  for (int64_t p = 0; p < panels; ++p) {
    const int64_t first = right.place(block * panels + p, s) - block * columns;
    s.out = to + first;
    s.bias = bias == nullptr ? nullptr : bias + block * columns + first;
    kernels.multiply(s);
  }
}

}  // namespace

RecurrentDirection::RecurrentDirection(CellKind kind, const GateFunction& gate,
                                       const RecurrentExtents& e, const float* w, const float* r,
                                       const float* b)
    : kind_(kind), gate_(gate) {
  input_ = packed(e, w, e.input, 0, e.gates);
  if (kind == CellKind::kGruResetFirst) {
    state_ = packed(e, r, e.hidden, 0, 2);
    candidate_ = packed(e, r, e.hidden, 2, 1);
  } else {
    state_ = packed(e, r, e.hidden, 0, e.gates);
  }
  set_bias(e, b);
}

// Rows of all gates' units in the order of the gate values.
std::vector<float> RecurrentDirection::ordered(const RecurrentExtents& e, const float* rows,
                                               int64_t columns, int64_t first_gate,
                                               int64_t gates) const {
  std::vector<float> out(static_cast<size_t>(e.blocks() * gates * kUnits * columns), 0.0f);
  for (int64_t block = 0; block < e.blocks(); ++block) {
    const int64_t units = std::min(kUnits, e.hidden - block * kUnits);
    for (int64_t gate = 0; gate < gates; ++gate) {
      const int64_t from = (first_gate + gate) * e.hidden + block * kUnits;
      const int64_t to = (block * gates + gate) * kUnits;
      std::copy_n(rows + from * columns, units * columns, out.data() + to * columns);
    }
  }
  return out;
}

PackedMatrix RecurrentDirection::packed(const RecurrentExtents& e, const float* rows,
                                        int64_t columns, int64_t first_gate, int64_t gates) const {
  const std::vector<float> turned = ordered(e, rows, columns, first_gate, gates);
  const int64_t block = gates * kUnits;
  const MatrixView view{turned.data(), columns, e.blocks() * block, 1, columns};
  return PackedMatrix(view, std::min(block, tile_kernels().width));
}

void RecurrentDirection::set_bias(const RecurrentExtents& e, const float* b) {
  const int64_t count = e.gates * e.hidden;
  std::vector<float> sum(static_cast<size_t>(count), 0.0f);
  std::vector<float> inner(static_cast<size_t>(count), 0.0f);
  for (int64_t j = 0; b != nullptr && j < count; ++j) {
    const bool apart = kind_ == CellKind::kGruLinear && j >= 2 * e.hidden;
    sum[static_cast<size_t>(j)] = apart ? b[j] : b[j] + b[count + j];
    if (apart) inner[static_cast<size_t>(j)] = b[count + j];
  }
  bias_ = ordered(e, sum.data(), 1, 0, e.gates);
  if (kind_ == CellKind::kGruLinear) inner_ = ordered(e, inner.data(), 1, 0, e.gates);
}

void RecurrentDirection::input_gates(const float* x, const RecurrentExtents& e, float* to) const {
  ProductEnd end;
  end.bias = bias_.data();
  multiply({x, e.steps * e.batch, e.input, 1}, input_, end, to, e.width());
}

bool RecurrentDirection::worth_sharing_step(const RecurrentExtents& e) {
  const int64_t right = e.hidden * e.width();
  return worth_sharing(e.batch * right, right);
}

void RecurrentDirection::lstm_block(const Step& step, int64_t block) {
  const int64_t width = step.e.gates * kUnits;
  float* g = products_.data() + block * step.e.batch * width;
  multiply_block(step.e, step.before, state_, step.e.gates, block, nullptr, g);
  for (int64_t n = 0; n < step.e.batch; ++n) {
    Units h;
    float* c = cells_.data() + (n * step.e.blocks() + block) * kUnits;
    lstm_cells(g + n * width, step.x_of(n, block), gate_, c, h.values);
    step.store(h, n, block);
  }
}

void RecurrentDirection::gru_block(const Step& step, int64_t block) {
  const int64_t width = step.e.gates * kUnits;
  float* g = products_.data() + block * step.e.batch * width;
  multiply_block(step.e, step.before, state_, step.e.gates, block, inner_.data(), g);
  for (int64_t n = 0; n < step.e.batch; ++n) {
    Units h;
    const Units before = step.before_of(n, block);
    gru_cells(g + n * width, step.x_of(n, block), gate_, before.values, h.values);
    step.store(h, n, block);
  }
}

void RecurrentDirection::gate_block(const Step& step, int64_t block) {
  const RecurrentExtents& e = step.e;
  float* g = products_.data() + block * e.batch * e.gates * kUnits;
  multiply_block(e, step.before, state_, 2, block, nullptr, g);
  for (int64_t n = 0; n < e.batch; ++n) {
    Units reset;
    const Units before = step.before_of(n, block);
    float* z = z_.data() + (n * e.blocks() + block) * kUnits;
    gru_gates(g + n * 2 * kUnits, step.x_of(n, block), gate_, before.values, z, reset.values);
    std::copy_n(reset.values, step.units(block), reset_.data() + n * e.hidden + block * kUnits);
  }
}

void RecurrentDirection::state_block(const Step& step, int64_t block) {
  const RecurrentExtents& e = step.e;
  float* g = products_.data() + block * e.batch * e.gates * kUnits;
  multiply_block(e, reset_.data(), candidate_, 1, block, nullptr, g);
  for (int64_t n = 0; n < e.batch; ++n) {
    Units h;
    const Units before = step.before_of(n, block);
    const float* z = z_.data() + (n * e.blocks() + block) * kUnits;
    gru_states(g + n * kUnits, step.x_of(n, block) + 2 * kUnits, z, before.values, h.values);
    step.store(h, n, block);
  }
}

void RecurrentDirection::rnn_block(const Step& step, int64_t block) {
  float* g = products_.data() + block * step.e.batch * kUnits;
  multiply_block(step.e, step.before, state_, 1, block, nullptr, g);
  for (int64_t n = 0; n < step.e.batch; ++n) {
    Units h;
    rnn_cells(g + n * kUnits, step.x_of(n, block), gate_, h.values);
    step.store(h, n, block);
  }
}

void RecurrentDirection::advance(const Step& step, bool shared) {
  const int64_t blocks = step.e.blocks();
  switch (kind_) {
    case CellKind::kLstm:
      for_each_index(blocks, shared, [&](int64_t block) { lstm_block(step, block); });
      break;
    case CellKind::kGruLinear:
      for_each_index(blocks, shared, [&](int64_t block) { gru_block(step, block); });
      break;
    case CellKind::kGruResetFirst:
      for_each_index(blocks, shared, [&](int64_t block) { gate_block(step, block); });
      for_each_index(blocks, shared, [&](int64_t block) { state_block(step, block); });
      break;
    case CellKind::kRnn:
      for_each_index(blocks, shared, [&](int64_t block) { rnn_block(step, block); });
      break;
  }
}

const float* RecurrentDirection::run(const RecurrentExtents& e, const float* gates, bool backwards,
                                     bool shared, const float* h, float* c, float* y,
                                     int64_t y_step) {
  const auto padded = static_cast<size_t>(e.batch * e.blocks() * kUnits);
  products_.resize(padded * static_cast<size_t>(e.gates));
  if (kind_ == CellKind::kGruResetFirst) {
    z_.resize(padded);
    reset_.resize(static_cast<size_t>(e.batch * e.hidden));
  }
  const int64_t row = e.blocks() * kUnits;
  if (kind_ == CellKind::kLstm) {
    cells_.assign(padded, 0.0f);
    for (int64_t n = 0; n < e.batch; ++n) {
      std::copy_n(c + n * e.hidden, e.hidden, cells_.data() + n * row);
    }
  }
  for (int64_t i = 0; i < e.steps; ++i) {
    const int64_t t = backwards ? e.steps - 1 - i : i;
    const Step step{e, gates + t * e.batch * e.width(), h, y + t * y_step};
    advance(step, shared);
    h = step.after;
  }
  if (kind_ == CellKind::kLstm) {
    for (int64_t n = 0; n < e.batch; ++n) {
      std::copy_n(cells_.data() + n * row, e.hidden, c + n * e.hidden);
    }
  }
  return h;
}

}  // namespace fettle::interp
