#include "ops/recurrent_cells.h"

#include <algorithm>

namespace fettle::ops {
namespace {

// Applies an activation to its clipped argument.
double activated(const RecurrentSpec& spec, const RecurrentActivation& f, double x) {
  return f(spec.clip > 0 ? std::clamp(x, -spec.clip, spec.clip) : x);
}

// out [count] += h R^T restricted to the gate columns [first, first + count).
void add_recurrent(const CellWeights& w, const std::vector<double>& h, int64_t first, int64_t count,
                   double* out) {
  if (w.recurrent == nullptr) return;
  const int64_t columns = w.gates * w.hidden;
  for (int64_t k = 0; k < w.hidden; ++k) {
    const double factor = h[static_cast<size_t>(k)];
    const double* row = w.recurrent + k * columns + first;
    for (int64_t j = 0; j < count; ++j) out[j] += factor * row[j];
  }
}

void add_vector(const double* bias, int64_t first, int64_t count, double* out) {
  if (bias == nullptr) return;
  for (int64_t j = 0; j < count; ++j) out[j] += bias[first + j];
}

// x W^T + h R^T + Wb + Rb over the gate columns [0, count).
std::vector<double> gate_sums(const CellWeights& w, const double* input,
                              const std::vector<double>& h, int64_t count) {
  std::vector<double> sums(input, input + count);
  add_recurrent(w, h, 0, count, sums.data());
  add_vector(w.input_bias, 0, count, sums.data());
  add_vector(w.recurrent_bias, 0, count, sums.data());
  return sums;
}

}  // namespace

// i = f(.. + Pi C), f = f(.. + Pf C) or 1 - i, c = g(..), C' = f C + i c, o = f(.. + Po C'),
// H' = o h(C'); gate order i, o, f, c.
void lstm_step(const RecurrentSpec& spec, const std::vector<RecurrentActivation>& activations,
               const CellWeights& w, const double* input, CellState& state) {
  const int64_t n = w.hidden;
  const std::vector<double> sums = gate_sums(w, input, state.hidden, 4 * n);
  const double* gate = sums.data();
  for (int64_t j = 0; j < n; ++j) {
    double& cell = state.cell[static_cast<size_t>(j)];
    const auto peep = [&](int64_t which) {
      return w.peepholes != nullptr ? w.peepholes[which * n + j] * cell : 0.0;
    };
    const double i = activated(spec, activations[0], gate[j] + peep(0));
    const double f =
        spec.input_forget ? 1 - i : activated(spec, activations[0], gate[2 * n + j] + peep(2));
    const double c = activated(spec, activations[1], gate[3 * n + j]);
    cell = f * cell + i * c;
    const double o = activated(spec, activations[0], gate[n + j] + peep(1));
    state.hidden[static_cast<size_t>(j)] =
        o * (spec.clip_cell ? activated(spec, activations[2], cell) : activations[2](cell));
  }
}

// z = f(..), r = f(..), h = g(x Wh^T + (r H) Rh^T + Rbh + Wbh), or with linear_before_reset
// g(x Wh^T + r (H Rh^T + Rbh) + Wbh); H' = (1 - z) h + z H; gate order z, r, h.
void gru_step(const RecurrentSpec& spec, const std::vector<RecurrentActivation>& activations,
              const CellWeights& w, const double* input, CellState& state) {
  const int64_t n = w.hidden;
  std::vector<double> sums = gate_sums(w, input, state.hidden, 2 * n);
  for (double& v : sums) v = activated(spec, activations[0], v);
  const double* update = sums.data();
  const double* reset = sums.data() + n;
  std::vector<double> before(static_cast<size_t>(n), 0.0);  // the recurrent part of h
  if (spec.linear_before_reset) {
    add_recurrent(w, state.hidden, 2 * n, n, before.data());
    add_vector(w.recurrent_bias, 2 * n, n, before.data());
    for (int64_t j = 0; j < n; ++j) before[static_cast<size_t>(j)] *= reset[j];
  } else {
    std::vector<double> masked = state.hidden;
    for (int64_t j = 0; j < n; ++j) masked[static_cast<size_t>(j)] *= reset[j];
    add_recurrent(w, masked, 2 * n, n, before.data());
    add_vector(w.recurrent_bias, 2 * n, n, before.data());
  }
  add_vector(w.input_bias, 2 * n, n, before.data());
  for (int64_t j = 0; j < n; ++j) {
    const auto at = static_cast<size_t>(j);
    const double h = activated(spec, activations[1], input[2 * n + j] + before[at]);
    state.hidden[at] = (1 - update[j]) * h + update[j] * state.hidden[at];
  }
}

// H' = f(x W^T + H R^T + Wb + Rb).
void rnn_step(const RecurrentSpec& spec, const std::vector<RecurrentActivation>& activations,
              const CellWeights& w, const double* input, CellState& state) {
  state.hidden = gate_sums(w, input, state.hidden, w.hidden);
  for (double& v : state.hidden) v = activated(spec, activations[0], v);
}

}  // namespace fettle::ops
