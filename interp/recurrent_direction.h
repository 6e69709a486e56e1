// One direction of a recurrent layer: its weights as the kernels read them, and its steps.
#pragma once

#include <vector>

#include "interp/packed_matrix.h"
#include "interp/recurrent_cells.h"

namespace fettle::interp {

struct RecurrentExtents {
  int64_t steps, batch, input, hidden, gates;
  int64_t blocks() const { return (hidden + kUnits - 1) / kUnits; }
  // Gate values of one row: by block of units, then gate, then unit, with zeros for units that the
  // last block lacks.
  int64_t width() const { return blocks() * gates * kUnits; }
};

enum class CellKind { kLstm, kGruLinear, kGruResetFirst, kRnn };

class RecurrentDirection {
 public:
  // w [gates * hidden, input], r [gates * hidden, hidden], b [2 * gates * hidden] or null.
  RecurrentDirection(CellKind kind, const GateFunction& gate, const RecurrentExtents& extents,
                     const float* w, const float* r, const float* b);

  // x [steps * batch, input] times the weights, plus bias: to [steps * batch, width].
  void input_gates(const float* x, const RecurrentExtents& e, float* to) const;

  // Runs all steps. `y` is where the first of them in time order stores its states, `y_step` the
  // distance to the next time; backwards from the last time when asked. `h` holds the initial
  // states, `c` (LSTM) the initial cells and then the last; both [batch, hidden]. Returns where the
  // last states are.
  const float* run(const RecurrentExtents& e, const float* gates, bool backwards, bool shared,
                   const float* h, float* c, float* y, int64_t y_step);

  // Whether the threads should share a step.
  static bool worth_sharing_step(const RecurrentExtents& e);

 private:
  struct Step;
  std::vector<float> ordered(const RecurrentExtents& e, const float* rows, int64_t columns,
                             int64_t first_gate, int64_t gates) const;
  PackedMatrix packed(const RecurrentExtents& e, const float* rows, int64_t columns,
                      int64_t first_gate, int64_t gates) const;
  void set_bias(const RecurrentExtents& e, const float* b);
  void advance(const Step& step, bool shared);
  void lstm_block(const Step& step, int64_t block);
  void gru_block(const Step& step, int64_t block);
  void gate_block(const Step& step, int64_t block);
  void state_block(const Step& step, int64_t block);
  void rnn_block(const Step& step, int64_t block);

  CellKind kind_;
  GateFunction gate_;
  PackedMatrix input_;           // W'
  PackedMatrix state_;           // R', of gates z and r where the reset gate comes first
  PackedMatrix candidate_;       // the third gate of R' where the reset gate comes first
  std::vector<float> bias_;      // of the input product: Wb, plus Rb where that only adds
  std::vector<float> inner_;     // of the state product: Rb of the hidden gate, linear before reset
  std::vector<float> cells_;     // [batch, blocks * kUnits]
  std::vector<float> z_;         // the same
  std::vector<float> reset_;     // [batch, hidden]: r * h
  std::vector<float> products_;  // [blocks, batch, gates * kUnits]
};

}  // namespace fettle::interp
