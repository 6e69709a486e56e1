// What the attention operators of com.microsoft share. Their definition is what ONNX Runtime's CPU
// kernels compute.
#pragma once

#include "ops/attention.h"

namespace fettle::ops {

// Attribute num_heads.
int64_t contrib_head_count(const ir::Node& node);
// Attribute scale, by default 1 / sqrt(head_size).
double contrib_scale(const ir::Node& node, int64_t head_size);
// Throws kUnsupported when the operand is given.
void refuse_operand(const KernelContext& ctx, size_t operand, const char* what);
bool wants_output(const KernelContext& ctx, size_t output);
// [batch, heads, positions, size] of past and current vectors.
ir::Dims cache_dims(const CachedHeads& cache);

// What is added to the scores: mask_filter_value where the mask says so, the attention bias, and
// the lowest float for keys behind a query of unidirectional attention.
class ContribBias {
 public:
  // Operands `mask` and `bias` may be omitted. Throws when they do not fit the scores.
  ContribBias(const KernelContext& ctx, const AttentionOperands& o, size_t mask, size_t bias);
  bool empty() const { return !unidirectional_ && mask_ == nullptr && bias_ == nullptr; }
  bool per_head() const { return bias_ != nullptr && strides_[1] != 0; }
  void operator()(int64_t b, int64_t h, int64_t p, std::span<double> row) const;

 private:
  void set_mask(const ir::Tensor& mask);
  void set_bias(const ir::Tensor& bias, ir::DataType type, int64_t heads);
  bool masked(int64_t b, int64_t p, int64_t k) const;

  int64_t batch_, queries_, keys_, past_;
  bool unidirectional_;
  double filter_;
  const int32_t* mask_ = nullptr;
  size_t mask_rank_ = 0;
  bool has_starts_ = false;
  const ir::Tensor* bias_ = nullptr;
  std::vector<int64_t> strides_;
};

// Output 0 [batch, positions, heads * size] = attention of the operands.
void attend_packed(KernelContext& ctx, const AttentionKernels& kernels, const AttentionOperands& o,
                   const ContribBias& bias, const ScoreOutput& scores);

}  // namespace fettle::ops
