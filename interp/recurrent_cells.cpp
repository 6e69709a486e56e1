#include "interp/recurrent_cells.h"

#include "interp/simd.h"
#include "interp/vector_functions.h"

namespace fettle::interp {
namespace {

#define FETTLE_CELLS [[gnu::always_inline]] inline

struct Sigmoid {
  FETTLE_CELLS float operator()(float v) const { return vec::sigmoid(v); }
};
struct HardSigmoid {
  float alpha, beta;
  FETTLE_CELLS float operator()(float v) const {
    const float line = alpha * v + beta;
    const float above = line < 0.0f ? 0.0f : line;
    return above > 1.0f ? 1.0f : above;
  }
};
struct Tanh {
  FETTLE_CELLS float operator()(float v) const { return vec::hyperbolic_tangent(v); }
};
struct Relu {
  FETTLE_CELLS float operator()(float v) const { return v < 0.0f ? 0.0f : v; }
};

template <typename Gate>
FETTLE_CELLS void lstm(const float* g, const float* x, Gate gate, float* c, float* h) {
#pragma omp simd
  for (int64_t i = 0; i < kUnits; ++i) {
    const float in = gate(g[i] + x[i]);
    const float out = gate(g[i + kUnits] + x[i + kUnits]);
    const float forget = gate(g[i + 2 * kUnits] + x[i + 2 * kUnits]);
    const float cell = vec::hyperbolic_tangent(g[i + 3 * kUnits] + x[i + 3 * kUnits]);
    const float next = forget * c[i] + in * cell;
    c[i] = next;
    h[i] = out * vec::hyperbolic_tangent(next);
  }
}

template <typename Gate>
FETTLE_CELLS void gru(const float* g, const float* x, Gate gate, const float* before, float* h) {
#pragma omp simd
  for (int64_t i = 0; i < kUnits; ++i) {
    const float z = gate(g[i] + x[i]);
    const float r = gate(g[i + kUnits] + x[i + kUnits]);
    const float n = vec::hyperbolic_tangent(x[i + 2 * kUnits] + r * g[i + 2 * kUnits]);
    h[i] = (1.0f - z) * n + z * before[i];
  }
}

template <typename Gate>
FETTLE_CELLS void gates(const float* g, const float* x, Gate gate, const float* before, float* z,
                        float* reset) {
#pragma omp simd
  for (int64_t i = 0; i < kUnits; ++i) {
    z[i] = gate(g[i] + x[i]);
    reset[i] = gate(g[i + kUnits] + x[i + kUnits]) * before[i];
  }
}

template <typename Gate>
FETTLE_CELLS void rnn(const float* g, const float* x, Gate gate, float* h) {
#pragma omp simd
  for (int64_t i = 0; i < kUnits; ++i) h[i] = gate(g[i] + x[i]);
}

FETTLE_VECTORIZED void lstm_sigmoid(const float* g, const float* x, float* c, float* h) {
  lstm(g, x, Sigmoid(), c, h);
}
FETTLE_VECTORIZED void lstm_hard(const float* g, const float* x, float alpha, float beta, float* c,
                                 float* h) {
  lstm(g, x, HardSigmoid{alpha, beta}, c, h);
}
FETTLE_VECTORIZED void gru_sigmoid(const float* g, const float* x, const float* before, float* h) {
  gru(g, x, Sigmoid(), before, h);
}
FETTLE_VECTORIZED void gru_hard(const float* g, const float* x, float alpha, float beta,
                                const float* before, float* h) {
  gru(g, x, HardSigmoid{alpha, beta}, before, h);
}
FETTLE_VECTORIZED void gates_sigmoid(const float* g, const float* x, const float* before, float* z,
                                     float* reset) {
  gates(g, x, Sigmoid(), before, z, reset);
}
FETTLE_VECTORIZED void gates_hard(const float* g, const float* x, float alpha, float beta,
                                  const float* before, float* z, float* reset) {
  gates(g, x, HardSigmoid{alpha, beta}, before, z, reset);
}
FETTLE_VECTORIZED void states(const float* g, const float* x, const float* z, const float* before,
                              float* h) {
#pragma omp simd
  for (int64_t i = 0; i < kUnits; ++i) {
    const float n = vec::hyperbolic_tangent(g[i] + x[i]);
    h[i] = (1.0f - z[i]) * n + z[i] * before[i];
  }
}
FETTLE_VECTORIZED void rnn_sigmoid(const float* g, const float* x, float* h) {
  rnn(g, x, Sigmoid(), h);
}
FETTLE_VECTORIZED void rnn_tanh(const float* g, const float* x, float* h) {
  rnn(g, x, Tanh(), h);
}
FETTLE_VECTORIZED void rnn_relu(const float* g, const float* x, float* h) {
  rnn(g, x, Relu(), h);
}
FETTLE_VECTORIZED void rnn_hard(const float* g, const float* x, float alpha, float beta, float* h) {
  rnn(g, x, HardSigmoid{alpha, beta}, h);
}

#undef FETTLE_CELLS

bool hard(const GateFunction& gate) {
  return gate.kind == GateFunction::Kind::kHardSigmoid;
}

}  // namespace

void lstm_cells(const float* g, const float* x, const GateFunction& gate, float* c, float* h) {
  if (hard(gate)) {
    lstm_hard(g, x, gate.alpha, gate.beta, c, h);
  } else {
    lstm_sigmoid(g, x, c, h);
  }
}

void gru_cells(const float* g, const float* x, const GateFunction& gate, const float* before,
               float* h) {
  if (hard(gate)) {
    gru_hard(g, x, gate.alpha, gate.beta, before, h);
  } else {
    gru_sigmoid(g, x, before, h);
  }
}

void gru_gates(const float* g, const float* x, const GateFunction& gate, const float* before,
               float* z, float* reset) {
  if (hard(gate)) {
    gates_hard(g, x, gate.alpha, gate.beta, before, z, reset);
  } else {
    gates_sigmoid(g, x, before, z, reset);
  }
}

void gru_states(const float* g, const float* x, const float* z, const float* before, float* h) {
  states(g, x, z, before, h);
}

void rnn_cells(const float* g, const float* x, const GateFunction& gate, float* h) {
  switch (gate.kind) {
    case GateFunction::Kind::kSigmoid:
      rnn_sigmoid(g, x, h);
      break;
    case GateFunction::Kind::kHardSigmoid:
      rnn_hard(g, x, gate.alpha, gate.beta, h);
      break;
    case GateFunction::Kind::kTanh:
      rnn_tanh(g, x, h);
      break;
    case GateFunction::Kind::kRelu:
      rnn_relu(g, x, h);
      break;
  }
}

}  // namespace fettle::interp
