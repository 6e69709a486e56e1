// The element-wise part of a step of LSTM, GRU and RNN, for a block of kUnits hidden units.
#pragma once

#include <cstdint>

namespace fettle::interp {

inline constexpr int64_t kUnits = 16;

// The gates' function, sigmoid or clamp(alpha v + beta, 0, 1), or RNN's only one, tanh or
// max(v, 0).
struct GateFunction {
  enum class Kind { kSigmoid, kHardSigmoid, kTanh, kRelu };
  Kind kind = Kind::kSigmoid;
  float alpha = 0.0f;
  float beta = 0.0f;
};

// `g` (from the state) and `x` (from the input) hold kUnits numbers per gate; gate values are their
// sums. `h` is the new state.

// Gates i, o, f, c: c = f c + i tanh(g), h = o tanh(c).
void lstm_cells(const float* g, const float* x, const GateFunction& gate, float* c, float* h);
// Gates z, r, h, linear before reset: n = tanh(x + r g), h = (1 - z) n + z before.
void gru_cells(const float* g, const float* x, const GateFunction& gate, const float* before,
               float* h);
// The first half when the reset gate comes first: z and reset = r before, from gates z, r of `g`.
void gru_gates(const float* g, const float* x, const GateFunction& gate, const float* before,
               float* z, float* reset);
// The second half: n = tanh(g + x), h = (1 - z) n + z before; one gate each.
void gru_states(const float* g, const float* x, const float* z, const float* before, float* h);
// One gate: h = f(g + x).
void rnn_cells(const float* g, const float* x, const GateFunction& gate, float* h);

}  // namespace fettle::interp
