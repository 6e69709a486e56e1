// Scaled dot product attention over heads, whatever the layout that holds them. Computed in double
// one row of scores at a time; shared by the operators of ai.onnx, ai.onnx.preview and
// com.microsoft.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Where vectors of `size` adjacent elements lie in a tensor, one per (batch, head, position).
struct HeadLayout {
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t positions = 0;
  int64_t size = 0;
  int64_t begin = 0;
  int64_t batch_stride = 0;
  int64_t head_stride = 0;
  int64_t position_stride = 0;

  int64_t offset(int64_t b, int64_t h, int64_t p) const {
    return begin + b * batch_stride + h * head_stride + p * position_stride;
  }
  bool empty() const { return batch == 0 || heads == 0 || positions == 0; }
};

// Of dimensions [batch, heads, positions, size]. `what` names the tensor in errors, here and below;
// vectors of no elements throw kBadInput.
HeadLayout stacked_heads(const ir::Dims& dims, const char* what);
// Of dimensions [batch, positions, heads * size]. Throws kBadInput unless `heads` divides evenly.
HeadLayout packed_heads(const ir::Dims& dims, int64_t heads, const char* what);

// Vectors to read, with an optional bias [heads, size] that is added to each.
struct Heads {
  const ir::Tensor* tensor = nullptr;
  HeadLayout at;
  const double* bias = nullptr;

  void load(int64_t b, int64_t h, int64_t p, double* out) const;
};
// The same of a tensor, which must hold real numbers and outlive the result.
Heads stacked_heads(const ir::Tensor& tensor, const char* what);
Heads packed_heads(const ir::Tensor& tensor, int64_t heads, const char* what);

// Keys or values: those of earlier steps, then the new ones.
struct CachedHeads {
  std::optional<Heads> past;
  Heads current;

  int64_t past_positions() const { return past ? past->at.positions : 0; }
  int64_t positions() const { return past_positions() + current.at.positions; }
  void load(int64_t b, int64_t h, int64_t p, double* out) const {
    p < past_positions() ? past->load(b, h, p, out) : current.load(b, h, p - past_positions(), out);
  }
};
// Writes past and current vectors to `out` [batch, heads, positions, size] from `begin` on.
void store_cache(const CachedHeads& cache, ir::Tensor& out, int64_t begin = 0);
// The same to the whole of `out`, in which the vectors are read from then on where they lie there
// as they are. `out` must outlive `cache`.
void move_to_cache(CachedHeads& cache, ir::Tensor& out);

struct AttentionOperands {
  Heads query;
  CachedHeads key;
  CachedHeads value;
  double scale = 1;
  double softcap = 0;  // 0: none

  // Query heads that share one head of keys and values, in ascending order of heads.
  int64_t group() const { return query.at.heads / key.current.at.heads; }
};
// Throws kBadInput when batches, heads, positions and sizes do not fit together.
void check_operands(const AttentionOperands& operands);

// The products of one head at a time.
class HeadProducts {
 public:
  // `operands` must have passed check_operands() and outlive this.
  explicit HeadProducts(const AttentionOperands& operands);
  void select(int64_t batch, int64_t query_head);
  // out [key positions] = scale * (query at `position` . keys).
  void scores(int64_t position, double* out);
  // out [value size] = weights [key positions] times the values.
  void mix(const double* weights, double* out) const;

 private:
  const AttentionOperands& operands_;
  ir::Tensor keys_;    // [size, positions]
  ir::Tensor values_;  // [positions, size]
  ir::Tensor vector_;
  int64_t batch_ = -1;
  int64_t query_head_ = -1;
  int64_t key_head_ = -1;
};

// exp(x - max) / sum. A row of -inf alone becomes NaN.
void softmax_row(std::span<double> row);

// Numbers of attribute qk_matmul_output_mode.
enum class ScoreStage { kProduct = 0, kCapped = 1, kBiased = 2, kWeights = 3 };
// Adds to the scores' bias [key positions], zeros before, of a query. May be empty.
struct AddBias {
  std::function<void(int64_t batch, int64_t head, int64_t position, std::span<double> bias)> add;
  bool per_head = true;  // false: the same for all heads

  explicit operator bool() const { return static_cast<bool>(add); }
  void operator()(int64_t batch, int64_t head, int64_t position, std::span<double> bias) const {
    add(batch, head, position, bias);
  }
};
// Where the scores of one stage go: [batch, query heads, query positions, key positions].
struct ScoreOutput {
  ir::Tensor* tensor = nullptr;
  ScoreStage stage = ScoreStage::kProduct;
};
// out, at `layout`, = softmax(softcap(scale * Q K^T) + bias) V. Weights of a row whose bias is -inf
// throughout are zero. `bias` may be empty.
void attend(const AttentionOperands& operands, const AddBias& bias, const ScoreOutput& scores,
            ir::Tensor& out, const HeadLayout& layout);

// What the operators leave to others, which may compute it faster than here.
struct AttentionKernels {
  decltype(&attend) attend_heads;
  // x [batch, positions, size] times w [size, columns], plus `bias` [columns] where it is given.
  std::function<ir::Tensor(const ir::Tensor& x, const ir::Tensor& w, const ir::Tensor* bias)>
      project;
};
// attend() and the product in double.
const AttentionKernels& reference_attention();

// Attention of ai.onnx as of version 23, 24 or 25, in attention_ops.cpp.
void attention(KernelContext& ctx, int64_t version, const AttentionKernels& kernels);

// In flex_attention.cpp, and of com.microsoft in packed_attention.cpp and multi_head_attention.cpp.
void infer_flex_attention(InferContext& ctx);
void flex_attention(KernelContext& ctx);
void infer_packed_attention(InferContext& ctx);
void packed_attention(KernelContext& ctx);
void packed_attention(KernelContext& ctx, const AttentionKernels& kernels);
void infer_multi_head_attention(InferContext& ctx);
void multi_head_attention(KernelContext& ctx);
void multi_head_attention(KernelContext& ctx, const AttentionKernels& kernels);

}  // namespace fettle::ops
