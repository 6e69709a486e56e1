// Operators that are linear in constant weights, and the folding of an affine map that follows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace fettle::passes {

// A Conv, ConvTranspose, Gemm or MatMul with constant weights.
struct LinearNode {
  // How the output channel of a weight element follows from its first two indices (i, j).
  enum class Layout {
    kRow,      // i: Conv [M, C/g, ...], Gemm with transB [N, K]
    kColumn,   // j: Gemm and MatMul [K, N]
    kGrouped,  // (i / (C/g)) * (M/g) + j: ConvTranspose [C, M/g, ...]
  };
  ir::Node* node = nullptr;
  const ir::Tensor* weight = nullptr;
  const ir::Tensor* bias = nullptr;  // null when absent
  Layout layout = Layout::kRow;
  int64_t channels = 0;
  int64_t rows_per_group = 1;  // kGrouped: C/g
  bool channel_is_last = false;  // of the output's axes; else it is axis 1
  bool takes_bias = true;        // MatMul does not
};

// True for the operators above, whatever their operands.
bool is_linear(const ir::Node& node);
// The node when its weights (and bias) are constant and well formed; else nothing and a reason.
std::optional<LinearNode> linear_node(const PassContext& context, ir::Node& node,
                                      std::string& reason);

// y = scale[c] * x + shift[c] for every output channel c.
struct Affine {
  std::vector<double> scale;  // empty: all 1
  std::vector<double> shift;
};

// Makes the linear node compute `affine` of what it computed: W' = scale * W, b' = scale * b + shift,
// in double, rounded once. Weights become new constants. Empty on success, else the reason why
// nothing was changed: a weight that others read too, or a result that is not finite.
std::string fold_affine(PassContext& context, const LinearNode& linear, const Affine& affine);

}  // namespace fettle::passes
