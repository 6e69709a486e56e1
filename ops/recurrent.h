// Attributes and dimensions of LSTM, GRU and RNN, checked; shared by the reference kernels and the
// accelerated ones.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

enum class ActivationKind {
  kRelu,
  kTanh,
  kSigmoid,
  kAffine,
  kLeakyRelu,
  kThresholdedRelu,
  kScaledTanh,
  kHardSigmoid,
  kElu,
  kSoftsign,
  kSoftplus,
};

struct RecurrentActivation {
  ActivationKind kind = ActivationKind::kTanh;
  double alpha = 0;
  double beta = 0;
  double operator()(double x) const;
};

struct RecurrentSpec {
  int64_t gates = 0;         // 4 LSTM, 3 GRU, 1 RNN
  int64_t directions = 1;    // 2 when bidirectional
  bool reverse = false;      // the only direction runs backwards
  bool batch_first = false;  // layout = 1
  bool linear_before_reset = false;
  bool input_forget = false;
  double clip = 0;        // 0: no clipping
  bool clip_cell = true;  // clip LSTM's cell state in front of h too
  // Functions per direction, in the specification's order: f, g, h (LSTM), f, g (GRU), f (RNN).
  std::vector<std::vector<RecurrentActivation>> activations;

  // Whether direction `d` runs from the last step to the first.
  bool backwards(int64_t d) const { return d == 1 || reverse; }
};

struct RecurrentDims {
  int64_t steps = 0;
  int64_t batch = 0;
  int64_t input = 0;
  int64_t hidden = 0;
};

// Throws kBadInput for attributes out of range. The operator must be LSTM, GRU, RNN or
// DynamicQuantizeLSTM.
RecurrentSpec recurrent_spec(const ir::Node& node);
// Checks X, W [directions, gates*hidden, input], R [directions, gates*hidden, hidden], B
// [directions, 2*gates*hidden], sequence_lens [batch] with entries in [0, steps], initial_h and
// initial_c [directions, batch, hidden] (layout 1: batch first), P [directions, 3*hidden].
RecurrentDims recurrent_dims(const RecurrentSpec& spec, const KernelContext& context);
// Output dimensions: Y [steps, directions, batch, hidden] or, for layout 1, [batch, steps,
// directions, hidden]; Y_h and Y_c [directions, batch, hidden] or [batch, directions, hidden].
ir::Dims recurrent_output_dims(const RecurrentSpec& spec, const RecurrentDims& dims);
ir::Dims recurrent_state_dims(const RecurrentSpec& spec, const RecurrentDims& dims);

}  // namespace fettle::ops
