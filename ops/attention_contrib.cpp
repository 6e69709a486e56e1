#include "ops/attention_contrib.h"

#include <cmath>
#include <functional>
#include <limits>

#include "ops/checked.h"
#include "ops/real_elements.h"

namespace fettle::ops {

int64_t contrib_head_count(const ir::Node& node) {
  const int64_t heads = node.attr_int("num_heads", 0);
  if (heads >= 1) return heads;
  fail(ErrorCode::kBadInput, "attribute num_heads must be positive; found {}", heads);
}

double contrib_scale(const ir::Node& node, int64_t head_size) {
  const double scale = node.attr_float("scale", 0.0f);
  return scale != 0 ? scale : 1.0 / std::sqrt(static_cast<double>(head_size));
}

void refuse_operand(const KernelContext& ctx, size_t operand, const char* what) {
  if (ctx.has(operand)) fail(ErrorCode::kUnsupported, "operand {} is not supported", what);
}

bool wants_output(const KernelContext& ctx, size_t output) {
  return output < ctx.output_count() && ctx.wants(output);
}

ir::Dims cache_dims(const CachedHeads& cache) {
  const HeadLayout& at = cache.current.at;
  return {at.batch, at.heads, cache.positions(), at.size};
}

ContribBias::ContribBias(const KernelContext& ctx, const AttentionOperands& o, size_t mask,
                         size_t bias)
    : batch_(o.query.at.batch),
      queries_(o.query.at.positions),
      keys_(o.key.positions()),
      past_(o.key.past_positions()),
      unidirectional_(ctx.node().attr_int("unidirectional", 0) != 0),
      filter_(ctx.node().attr_float("mask_filter_value", -10000.0f)) {
  if (unidirectional_ && o.key.current.at.positions != queries_) {
    fail(ErrorCode::kUnsupported,
         "unidirectional attention of {} queries to {} new keys is not defined", queries_,
         o.key.current.at.positions);
  }
  if (ctx.has(mask)) set_mask(ctx.input(mask));
  if (ctx.has(bias)) set_bias(ctx.input(bias), ctx.input(0).type(), o.query.at.heads);
}

void ContribBias::operator()(int64_t b, int64_t h, int64_t p, std::span<double> row) const {
  if (bias_ != nullptr) {
    load_doubles(*bias_, b * strides_[0] + h * strides_[1] + p * strides_[2], keys_, row.data());
  }
  for (int64_t k = 0; k < keys_; ++k) {
    auto& value = row[static_cast<size_t>(k)];
    if (unidirectional_ && k > past_ + p) {
      value += std::numeric_limits<float>::lowest();
    } else if (mask_ != nullptr && masked(b, p, k)) {
      value += filter_;
    }
  }
}

// Shape [batch]: where the keys end; [2 * batch]: then also where they start; [batch, keys] and
// [batch, queries, keys]: positive for keys to attend to.
void ContribBias::set_mask(const ir::Tensor& mask) {
  const ir::Dims& d = mask.dims();
  const bool ends = d == ir::Dims{batch_} || d == ir::Dims{checked_mul(2, batch_)};
  if (mask.type() != ir::DataType::kInt32 ||
      !(ends || d == ir::Dims{batch_, keys_} || d == ir::Dims{batch_, queries_, keys_})) {
    fail(ErrorCode::kUnsupported,
         "mask: expected int32 of shape [{0}], [2 * {0}], [{0}, {2}] or [{0}, {1}, {2}], found "
         "{3} "
         "of shape {4}",
         batch_, queries_, keys_, ir::data_type_name(mask.type()), ir::to_string(d));
  }
  mask_ = mask.data<int32_t>().data();
  mask_rank_ = d.size();
  has_starts_ = ends && d[0] == 2 * batch_;
}

void ContribBias::set_bias(const ir::Tensor& bias, ir::DataType type, int64_t heads) {
  const ir::Dims to = {batch_, heads, queries_, keys_};
  const ir::Dims& d = bias.dims();
  if (bias.type() != type || d.size() != 4 || d[2] != queries_ || d[3] != keys_ ||
      broadcast_dims(d, to) != to) {
    fail(ErrorCode::kBadInput, "attention_bias: expected {} that broadcasts to {}, found {} of {}",
         ir::data_type_name(type), ir::to_string(to), ir::data_type_name(bias.type()),
         ir::to_string(d));
  }
  strides_ = broadcast_strides(d, to);
  bias_ = &bias;
}

bool ContribBias::masked(int64_t b, int64_t p, int64_t k) const {
  if (mask_rank_ == 1) {
    return k >= mask_[b] || (has_starts_ && k < mask_[batch_ + b]);
  }
  return mask_[((mask_rank_ == 2 ? b : b * queries_ + p)) * keys_ + k] <= 0;
}

void attend_packed(KernelContext& ctx, const AttentionKernels& kernels, const AttentionOperands& o,
                   const ContribBias& bias, const ScoreOutput& scores) {
  const HeadLayout& q = o.query.at;
  ir::Tensor& y = ctx.output(0, ctx.input(0).type(),
                             {q.batch, q.positions, checked_mul(q.heads, o.value.current.at.size)});
  const AddBias add = bias.empty() ? AddBias() : AddBias{std::cref(bias), bias.per_head()};
  kernels.attend_heads(o, add, scores, y, packed_heads(y.dims(), q.heads, "output"));
}

}  // namespace fettle::ops
