// Which tensors of a model are weights that pruning may touch.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace fettle::passes {

struct PrunableWeight {
  ir::Value* value = nullptr;
  std::string node;  // Node::describe() of the first node that uses it
};

struct SkippedWeight {
  std::string name;
  std::string reason;
};

struct WeightSearch {
  std::vector<PrunableWeight> found;  // in order of first use; each value once
  std::vector<SkippedWeight> skipped;
};

// Constant floating weights of rank >= 2 of Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU and RNN, in
// all graphs. Skipped, with a reason: weights of nodes whose name, or which by their own name, match
// a pattern of `exclude` (* and ? as in file names); tensors that something else reads too, such as
// an embedding; defaults of inputs, which callers may override (IR version 4 and later).
WeightSearch find_weights(ir::Model& model, const std::vector<std::string>& exclude);

// True when `text` matches the pattern, in which * stands for any text and ? for one character.
bool matches_pattern(const std::string& text, const std::string& pattern);

}  // namespace fettle::passes
