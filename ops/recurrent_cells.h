// One time step of LSTM, GRU and RNN cells, in double.
#pragma once

#include <vector>

#include "ops/recurrent.h"

namespace fettle::ops {

// The weights of one direction as double; vectors over gates are [gates * hidden].
struct CellWeights {
  int64_t hidden = 0;
  int64_t gates = 0;
  // R transposed: [hidden, gates * hidden]; null when a step's input holds h R^T already (LSTM).
  const double* recurrent = nullptr;
  const double* input_bias = nullptr;      // Wb, or null
  const double* recurrent_bias = nullptr;  // Rb, or null
  const double* peepholes = nullptr;       // P [3 * hidden] in the order i, o, f, or null
};

// The state of one sequence, [hidden] each; `cell` is LSTM's only.
struct CellState {
  std::vector<double> hidden;
  std::vector<double> cell;
};

// Replaces `state` by the next one. `input` is this step's x W^T [gates * hidden].
using CellStep = void (*)(const RecurrentSpec& spec,
                          const std::vector<RecurrentActivation>& activations,
                          const CellWeights& weights, const double* input, CellState& state);

void lstm_step(const RecurrentSpec& spec, const std::vector<RecurrentActivation>& activations,
               const CellWeights& weights, const double* input, CellState& state);
void gru_step(const RecurrentSpec& spec, const std::vector<RecurrentActivation>& activations,
              const CellWeights& weights, const double* input, CellState& state);
void rnn_step(const RecurrentSpec& spec, const std::vector<RecurrentActivation>& activations,
              const CellWeights& weights, const double* input, CellState& state);

}  // namespace fettle::ops
