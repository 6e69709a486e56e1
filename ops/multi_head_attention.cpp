// MultiHeadAttention of com.microsoft.
#include "ops/attention_contrib.h"
#include "ops/batch_normalization.h"
#include "ops/checked.h"
#include "ops/element_width.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// Heads stored one after another within each position: [batch, positions, heads, parts, size].
Heads interleaved_heads(const ir::Tensor& t, int64_t part) {
  const ir::Dims& d = t.dims();
  const int64_t size = d[4];
  if (size < 1) {
    fail(ErrorCode::kBadInput, "expected heads of at least one element, found shape {}",
         ir::to_string(d));
  }
  HeadLayout at{d[0], d[2], d[1], size};
  if (at.empty()) return {&t, at};
  at.begin = part * size;
  at.head_stride = d[3] * size;
  at.position_stride = d[2] * at.head_stride;
  at.batch_stride = d[1] * at.position_stride;
  return {&t, at};
}

bool is_interleaved(const ir::Tensor& t, int64_t parts, int64_t heads) {
  return is_real(t.type()) && t.rank() == 5 && t.dim(2) == heads && t.dim(3) == parts;
}

// Keys or values [batch, positions, hidden], or [batch, heads, positions, size].
Heads key_heads(const ir::Tensor& t, int64_t heads, const char* what) {
  return t.rank() == 4 ? stacked_heads(t, what) : packed_heads(t, heads, what);
}

void set_operands(const KernelContext& ctx, int64_t heads, AttentionOperands& o) {
  const ir::Tensor& query = ctx.input(0);
  if (!ctx.has(1) && is_interleaved(query, 3, heads)) {
    o.query = interleaved_heads(query, 0);
    o.key.current = interleaved_heads(query, 1);
    o.value.current = interleaved_heads(query, 2);
    return;
  }
  o.query = packed_heads(query, heads, "query");
  const ir::Tensor& key = ctx.input(1);
  require_same_type(query, key, "key");
  if (!ctx.has(2) && is_interleaved(key, 2, heads)) {
    o.key.current = interleaved_heads(key, 0);
    o.value.current = interleaved_heads(key, 1);
    return;
  }
  require_same_type(query, ctx.input(2), "value");
  o.key.current = key_heads(key, heads, "key");
  o.value.current = key_heads(ctx.input(2), heads, "value");
}

void set_past(const KernelContext& ctx, AttentionOperands& o) {
  if (ctx.has(6) != ctx.has(7)) {
    fail(ErrorCode::kBadInput, "past_key and past_value must be given together");
  }
  if (!ctx.has(6)) return;
  require_same_type(ctx.input(0), ctx.input(6), "past_key");
  require_same_type(ctx.input(0), ctx.input(7), "past_value");
  o.key.past = stacked_heads(ctx.input(6), "past_key");
  o.value.past = stacked_heads(ctx.input(7), "past_value");
}

// The bias of Q, K and V, one after another. Keys and values that come as
// [batch, heads, positions, size] have theirs already.
std::vector<double> set_biases(const KernelContext& ctx, int64_t heads, AttentionOperands& o) {
  if (!ctx.has(3)) return {};
  const int64_t hidden = heads * o.query.at.size;
  const int64_t value_hidden = heads * o.value.current.at.size;
  std::vector<double> bias =
      parameters(ctx.input(3), {checked_add(checked_mul(2, hidden), value_hidden)}, "bias");
  o.query.bias = bias.data();
  if (ctx.has(1) && ctx.input(1).rank() == 4) return bias;
  o.key.current.bias = bias.data() + hidden;
  o.value.current.bias = bias.data() + 2 * hidden;
  return bias;
}

}  // namespace

void infer_multi_head_attention(InferContext& ctx) {
  const ir::Dim heads = ir::Dim::of(contrib_head_count(ctx.node()));
  const ir::DataType type = ctx.element(0);
  const ir::Shape* q = ctx.shape(0);
  if (q == nullptr) return ctx.set(0, type);
  const bool packed = q->size() == 5;
  if (!packed && q->size() != 3) {
    fail(ErrorCode::kBadInput, "query: expected rank 3 or 5, found {}", to_string(*q));
  }
  const ir::Dim key_size = packed ? (*q)[4] : dim_floor_div((*q)[2], heads);
  const ir::Shape* k = packed ? q : ctx.shape(1);
  const ir::Shape* v = packed ? q : k != nullptr && k->size() == 5 ? k : ctx.shape(2);
  ir::Dim keys;
  ir::Dim value_size;
  if (k != nullptr && k->size() >= 3) keys = (*k)[k->size() == 4 ? 2 : 1];
  if (v != nullptr && v->size() >= 3) {
    value_size = v->size() == 3 ? dim_floor_div((*v)[2], heads) : v->back();
  }
  ir::Dim total = keys;
  if (ctx.has(6)) {
    const ir::Shape* s = ctx.shape(6);
    total = s != nullptr && s->size() == 4 ? dim_add((*s)[2], keys) : ir::Dim::unknown();
  }
  ctx.set(0, type, ir::Shape{(*q)[0], (*q)[1], dim_mul(heads, value_size)});
  ctx.set(1, type, ir::Shape{(*q)[0], heads, total, key_size});
  ctx.set(2, type, ir::Shape{(*q)[0], heads, total, value_size});
  ctx.set(3, type, ir::Shape{(*q)[0], heads, (*q)[1], total});
}

void multi_head_attention(KernelContext& ctx) {
  multi_head_attention(ctx, reference_attention());
}

void multi_head_attention(KernelContext& ctx, const AttentionKernels& kernels) {
  refuse_operand(ctx, 8, "past_sequence_length");
  refuse_operand(ctx, 9, "cache_indirection");
  const int64_t heads = contrib_head_count(ctx.node());
  AttentionOperands o;
  set_operands(ctx, heads, o);
  set_past(ctx, o);
  const std::vector<double> biases = set_biases(ctx, heads, o);
  o.scale = contrib_scale(ctx.node(), o.query.at.size);
  check_operands(o);
  if (o.key.current.at.heads != heads) {
    fail(ErrorCode::kBadInput, "key: expected {} heads, found {}", heads, o.key.current.at.heads);
  }
  const ContribBias bias(ctx, o, 4, 5);
  const ir::DataType type = ctx.input(0).type();
  if (wants_output(ctx, 1)) move_to_cache(o.key, ctx.output(1, type, cache_dims(o.key)));
  if (wants_output(ctx, 2)) move_to_cache(o.value, ctx.output(2, type, cache_dims(o.value)));
  ScoreOutput scores;
  if (wants_output(ctx, 3)) {
    const HeadLayout& q = o.query.at;
    scores = {&ctx.output(3, type, {q.batch, q.heads, q.positions, o.key.positions()}),
              ScoreStage::kBiased};
  }
  attend_packed(ctx, kernels, o, bias, scores);
}

}  // namespace fettle::ops
