// Attention of ai.onnx, and the table of the operators around attention.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/attention.h"
#include "ops/causal_convolution.h"
#include "ops/checked.h"
#include "ops/convolution.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/linear_attention.h"
#include "ops/real_elements.h"
#include "ops/rotary_embedding.h"
#include "ops/tensor_scatter.h"

namespace fettle::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kMask = 3;
constexpr size_t kPastKey = 4;
constexpr size_t kPastValue = 5;
constexpr size_t kValidKeys = 6;  // nonpad_kv_seqlen
// Versions that brought something new.
constexpr int kPadded = 24;    // nonpad_kv_seqlen, masks shorter than the keys
constexpr int kWindowed = 25;  // left_window_size and right_window_size

int64_t head_count(const ir::Node& node, const char* name) {
  const int64_t heads = node.attr_int(name, 0);
  if (heads >= 1) return heads;
  fail(ErrorCode::kBadInput,
       "attribute {} must be a positive number for inputs of rank 3; found {}", name, heads);
}

Heads heads_of(const KernelContext& ctx, size_t operand, const char* heads, const char* what) {
  const ir::Tensor& tensor = ctx.input(operand);
  if (tensor.rank() == 3) return packed_heads(tensor, head_count(ctx.node(), heads), what);
  Heads h = stacked_heads(tensor, what);
  const int64_t stated = ctx.node().attr_int(heads, h.at.heads);
  if (stated == h.at.heads) return h;
  fail(ErrorCode::kBadInput, "attribute {} is {}, but {} has shape {}", heads, stated, what,
       ir::to_string(tensor.dims()));
}

CachedHeads cached(const KernelContext& ctx, size_t operand, size_t past, const char* what) {
  CachedHeads cache;
  cache.current = heads_of(ctx, operand, "kv_num_heads", what);
  if (!ctx.has(past)) return cache;
  require_same_type(ctx.input(past), ctx.input(operand), what);
  cache.past = stacked_heads(ctx.input(past), what);
  return cache;
}

AttentionOperands operands_of(const KernelContext& ctx) {
  const size_t rank = ctx.input(0).rank();
  if ((rank != 3 && rank != 4) || ctx.input(1).rank() != rank || ctx.input(2).rank() != rank) {
    fail(ErrorCode::kBadInput,
         "Q, K and V must all have rank 3 or all rank 4; found shapes {}, {} "
         "and {}",
         ir::to_string(ctx.input(0).dims()), ir::to_string(ctx.input(1).dims()),
         ir::to_string(ctx.input(2).dims()));
  }
  if (ctx.has(kPastKey) != ctx.has(kPastValue)) {
    fail(ErrorCode::kBadInput, "past_key and past_value must be given together");
  }
  require_same_type(ctx.input(0), ctx.input(1), "Q and K");
  AttentionOperands o;
  o.query = heads_of(ctx, 0, "q_num_heads", "Q");
  o.key = cached(ctx, 1, kPastKey, "K");
  o.value = cached(ctx, 2, kPastValue, "V");
  o.scale = ctx.node().has_attribute("scale")
                ? static_cast<double>(ctx.node().attr_float("scale", 1.0f))
                : 1.0 / std::sqrt(static_cast<double>(o.query.at.size));
  o.softcap = ctx.node().attr_float("softcap", 0.0f);
  if (!(o.softcap >= 0)) {
    fail(ErrorCode::kBadInput, "attribute softcap must not be negative; found {}", o.softcap);
  }
  check_operands(o);
  return o;
}

// attn_mask, broadcast to [batch, query heads, query positions, key positions].
class Mask {
 public:
  Mask(const ir::Tensor& tensor, const AttentionOperands& o, bool may_be_short) : mask_(tensor) {
    const HeadLayout& q = o.query.at;
    const int64_t keys = o.key.positions();
    width_ = tensor.rank() == 0 ? 1 : tensor.dims().back();
    repeat_ = width_ == 1 && (tensor.rank() == 0 || !may_be_short);
    ir::Dims to = {q.batch, q.heads, q.positions, repeat_ ? keys : width_};
    const bool fits = repeat_ || (may_be_short ? width_ <= keys : width_ == keys);
    if (tensor.rank() > 4 || !fits || broadcast_dims(tensor.dims(), to) != to) {
      fail(ErrorCode::kBadInput, "attn_mask of shape {} does not broadcast to {}",
           ir::to_string(tensor.dims()),
           ir::to_string(ir::Dims{q.batch, q.heads, q.positions, keys}));
    }
    strides_ = broadcast_strides(tensor.dims(), to);
    const bool known = tensor.type() == ir::DataType::kBool || is_real(tensor.type()) ||
                       ir::is_integer(tensor.type());
    if (!known || ir::is_sub_byte(tensor.type())) {
      fail(ErrorCode::kBadInput, "attn_mask: expected bool or numbers, found {}",
           ir::data_type_name(tensor.type()));
    }
  }

  bool per_head() const { return strides_[1] != 0; }
  // Keys beyond a short mask are masked.
  void add_to(std::span<double> bias, int64_t b, int64_t h, int64_t p) const {
    if (bias.empty()) return;
    const int64_t begin = b * strides_[0] + h * strides_[1] + p * strides_[2];
    load_doubles(mask_, begin, width_, bias.data());
    if (mask_.type() == ir::DataType::kBool) {
      for (int64_t i = 0; i < width_; ++i) {
        bias[static_cast<size_t>(i)] = bias[static_cast<size_t>(i)] != 0 ? 0.0 : -kInfinity;
      }
    }
    const double rest = repeat_ ? bias[0] : -kInfinity;
    for (auto i = static_cast<size_t>(width_); i < bias.size(); ++i) bias[i] = rest;
  }

 private:
  const ir::Tensor& mask_;
  int64_t width_ = 0;    // elements stored per row
  bool repeat_ = false;  // one element stands for the whole row
  std::vector<int64_t> strides_;
};

// Which keys a query may see by its position: counted from the first key, query p is at
// `offset` + p and sees keys in [that - left, that + right], of which those from `valid` on are
// padding.
struct Sight {
  bool causal = false;
  int64_t left = -1;  // -1: unbounded
  int64_t right = -1;
  std::vector<int64_t> valid;  // per batch; empty: all
  int64_t past = 0;
  int64_t queries = 0;

  bool unlimited() const { return !causal && left < 0 && right < 0 && valid.empty(); }

  void add_to(std::span<double> bias, int64_t b, int64_t p) const {
    const auto keys = static_cast<int64_t>(bias.size());
    const int64_t end = valid.empty() ? keys : valid[static_cast<size_t>(b)];
    const int64_t at = p + (valid.empty() ? past : end - queries);
    int64_t last = end;
    if (causal) last = std::min(last, at + 1);
    if (right >= 0 && right < keys - at) last = std::min(last, at + right + 1);
    const int64_t first = left >= 0 && left < at ? std::min(at - left, keys) : 0;
    last = std::max(last, first);
    for (int64_t k = 0; k < first; ++k) bias[static_cast<size_t>(k)] += -kInfinity;
    for (int64_t k = last; k < keys; ++k) bias[static_cast<size_t>(k)] += -kInfinity;
  }
};

std::vector<int64_t> valid_keys(const KernelContext& ctx, const AttentionOperands& o) {
  if (!ctx.has(kValidKeys)) return {};
  const ir::Tensor& counts = ctx.input(kValidKeys);
  if (counts.type() != ir::DataType::kInt64 || counts.dims() != ir::Dims{o.query.at.batch}) {
    fail(ErrorCode::kBadInput,
         "nonpad_kv_seqlen: expected int64 of shape [{}], found {} of shape {}", o.query.at.batch,
         ir::data_type_name(counts.type()), ir::to_string(counts.dims()));
  }
  if (o.key.past) {
    fail(ErrorCode::kBadInput, "nonpad_kv_seqlen must not be combined with past_key");
  }
  std::vector<int64_t> valid = ir::elements_as_ints(counts);
  for (const int64_t v : valid) {
    if (v >= 0 && v <= o.key.positions()) continue;
    fail(ErrorCode::kBadInput, "nonpad_kv_seqlen: expected numbers in [0, {}], found {}",
         o.key.positions(), v);
  }
  return valid;
}

int64_t window_size(const ir::Node& node, const char* name) {
  const int64_t size = node.attr_int(name, -1);
  if (size >= -1) return size;
  fail(ErrorCode::kBadInput, "attribute {} must be -1 or more; found {}", name, size);
}

Sight sight_of(const KernelContext& ctx, int64_t version, const AttentionOperands& o) {
  Sight s;
  s.causal = ctx.node().attr_int("is_causal", 0) != 0;
  s.past = o.key.past_positions();
  s.queries = o.query.at.positions;
  if (version >= kPadded) s.valid = valid_keys(ctx, o);
  if (version >= kWindowed) {
    s.left = window_size(ctx.node(), "left_window_size");
    s.right = window_size(ctx.node(), "right_window_size");
  }
  return s;
}

void check_softmax_precision(const ir::Node& node) {
  const int64_t number =
      node.attr_int("softmax_precision", static_cast<int64_t>(ir::DataType::kFloat));
  // Scores are kept in double, which is no less than any type that may be asked for.
  if (number > 0 && number < 64 && is_real(static_cast<ir::DataType>(number))) return;
  fail(ErrorCode::kBadInput, "attribute softmax_precision must name a floating type; found {}",
       number);
}

ScoreStage score_stage(const ir::Node& node) {
  const int64_t mode = node.attr_int("qk_matmul_output_mode", 0);
  if (mode >= 0 && mode <= 3) return static_cast<ScoreStage>(mode);
  fail(ErrorCode::kBadInput, "attribute qk_matmul_output_mode must be 0, 1, 2 or 3; found {}",
       mode);
}

ir::Tensor* present(KernelContext& ctx, size_t output, const CachedHeads& cache) {
  if (output >= ctx.output_count() || !ctx.wants(output)) return nullptr;
  const HeadLayout& at = cache.current.at;
  return &ctx.output(output, cache.current.tensor->type(),
                     {at.batch, at.heads, cache.positions(), at.size});
}

template <int version>
void attention_since(KernelContext& ctx) {
  attention(ctx, version, reference_attention());
}

// --- Shapes ----------------------------------------------------------------------------------

struct HeadDims {
  ir::Dim batch, heads, positions, size;
};

HeadDims head_dims(const InferContext& ctx, size_t operand, const char* heads) {
  const ir::Shape* s = ctx.shape(operand);
  if (s == nullptr) return {};
  if (s->size() == 4) return {(*s)[0], (*s)[1], (*s)[2], (*s)[3]};
  if (s->size() != 3) {
    fail(ErrorCode::kBadInput, "expected operands of rank 3 or 4, found {}", to_string(*s));
  }
  const int64_t count = head_count(ctx.node(), heads);
  if ((*s)[2].known() && (*s)[2].value % count != 0) {
    fail(ErrorCode::kBadInput, "expected {} heads of one size, found shape {}", count,
         to_string(*s));
  }
  return {(*s)[0], ir::Dim::of(count), (*s)[1], dim_floor_div((*s)[2], ir::Dim::of(count))};
}

ir::Dim past_positions(const InferContext& ctx, size_t operand) {
  if (!ctx.has(operand)) return ir::Dim::of(0);
  const ir::Shape* s = ctx.shape(operand);
  return s != nullptr && s->size() == 4 ? (*s)[2] : ir::Dim::unknown();
}

void infer_attention(InferContext& ctx) {
  const HeadDims q = head_dims(ctx, 0, "q_num_heads");
  const HeadDims k = head_dims(ctx, 1, "kv_num_heads");
  const HeadDims v = head_dims(ctx, 2, "kv_num_heads");
  const ir::Dim keys = dim_add(past_positions(ctx, kPastKey), k.positions);
  const ir::Dim values = dim_add(past_positions(ctx, kPastValue), v.positions);
  const ir::DataType type = ctx.element(0);
  if (const ir::Shape* s = ctx.shape(0); s == nullptr) {
    ctx.set(0, type);
  } else if (s->size() == 3) {
    ctx.set(0, type, ir::Shape{q.batch, q.positions, dim_mul(q.heads, v.size)});
  } else {
    ctx.set(0, type, ir::Shape{q.batch, q.heads, q.positions, v.size});
  }
  ctx.set(1, ctx.element(1), ir::Shape{k.batch, k.heads, keys, k.size});
  ctx.set(2, ctx.element(2), ir::Shape{v.batch, v.heads, values, v.size});
  ctx.set(3, type, ir::Shape{q.batch, q.heads, q.positions, keys});
}

// Of attention over operands [batch, heads, positions, size] or [batch, positions, hidden]; scores
// and mixtures cost the same where the head sizes are equal.
int64_t attention_macs(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                       const std::vector<ir::Dims>&) {
  if (inputs.size() < 3 || (inputs[0].size() != 3 && inputs[0].size() != 4) ||
      inputs[1].size() != inputs[0].size() || inputs[2].size() != inputs[0].size()) {
    return 0;
  }
  const bool packed = inputs[0].size() == 3;
  const size_t axis = packed ? 1 : 2;
  int64_t keys = inputs[1][axis];
  if (inputs.size() > kPastKey && inputs[kPastKey].size() == 4) keys += inputs[kPastKey][2];
  const int64_t shared = packed ? std::max<int64_t>(1, node.attr_int("q_num_heads", 1)) /
                                      std::max<int64_t>(1, node.attr_int("kv_num_heads", 1))
                                : 1;
  const int64_t scores = saturating_product({ir::element_count(inputs[0]), keys});
  const int64_t heads = packed ? shared : inputs[0][1];
  const int64_t mixtures =
      saturating_product({inputs[0][0], heads, inputs[0][axis], keys, inputs[2].back()});
  int64_t sum = 0;
  return __builtin_add_overflow(scores, mixtures, &sum) ? INT64_MAX : sum;
}

constexpr const char* kMicrosoft = "com.microsoft";

constexpr OpDef kRows[] = {
    {"", "Attention", 23, infer_attention, attention_since<23>, kNoFacts, 0, attention_macs},
    {"", "Attention", 24, infer_attention, attention_since<24>, kNoFacts, 0, attention_macs},
    {"", "Attention", 25, infer_attention, attention_since<25>, kNoFacts, 0, attention_macs},
    {"", "RotaryEmbedding", 23, infer_rotary_embedding, rotary_embedding},
    {"", "TensorScatter", 24, infer_tensor_scatter, by_width<tensor_scatter, 0b11>},
    {"", "LinearAttention", 27, infer_linear_attention, linear_attention},
    {"", "CausalConvWithState", 27, infer_causal_convolution, causal_convolution},
    {"ai.onnx.preview", "FlexAttention", 1, infer_flex_attention, flex_attention, kControlFlow, 0,
     attention_macs},
    {kMicrosoft, "Attention", 1, infer_packed_attention, packed_attention},
    {kMicrosoft, "MultiHeadAttention", 1, infer_multi_head_attention, multi_head_attention},
    {kMicrosoft, "RotaryEmbedding", 1, infer_contrib_rotary_embedding, contrib_rotary_embedding},
};

}  // namespace

void attention(KernelContext& ctx, int64_t version, const AttentionKernels& kernels) {
  check_softmax_precision(ctx.node());
  AttentionOperands o = operands_of(ctx);
  const HeadLayout& q = o.query.at;
  const Sight sight = sight_of(ctx, version, o);
  std::optional<Mask> mask;
  if (ctx.has(kMask)) mask.emplace(ctx.input(kMask), o, version >= kPadded);
  if (ir::Tensor* keys = present(ctx, 1, o.key)) move_to_cache(o.key, *keys);
  if (ir::Tensor* values = present(ctx, 2, o.value)) move_to_cache(o.value, *values);
  ScoreOutput scores;
  scores.stage = score_stage(ctx.node());
  const ir::DataType type = ctx.input(0).type();
  if (ctx.output_count() > 3 && ctx.wants(3)) {
    scores.tensor = &ctx.output(3, type, {q.batch, q.heads, q.positions, o.key.positions()});
  }
  const int64_t value_size = o.value.current.at.size;
  const bool packed = ctx.input(0).rank() == 3;
  ir::Tensor& y =
      ctx.output(0, type,
                 packed ? ir::Dims{q.batch, q.positions, checked_mul(q.heads, value_size)}
                        : ir::Dims{q.batch, q.heads, q.positions, value_size});
  AddBias bias;
  bias.per_head = mask && mask->per_head();
  if (mask || !sight.unlimited()) {
    bias.add = [&](int64_t b, int64_t h, int64_t p, std::span<double> row) {
      if (mask) mask->add_to(row, b, h, p);
      if (!sight.unlimited()) sight.add_to(row, b, p);
    };
  }
  const HeadLayout layout =
      packed ? packed_heads(y.dims(), q.heads, "Y") : stacked_heads(y.dims(), "Y");
  kernels.attend_heads(o, bias, scores, y, layout);
}

std::span<const OpDef> attention_ops() {
  return kRows;
}

}  // namespace fettle::ops
