// Attention and MultiHeadAttention of com.microsoft, as ONNX Runtime's CPU kernels define them.
#include <cmath>
#include <limits>

#include "ops/attention.h"
#include "ops/batch_normalization.h"
#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/matrix_product.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

int64_t head_count(const ir::Node& node) {
  const int64_t heads = node.attr_int("num_heads", 0);
  if (heads >= 1) return heads;
  fail(ErrorCode::kBadInput, "attribute num_heads must be positive; found {}", heads);
}

double scale_of(const ir::Node& node, int64_t head_size) {
  const double scale = node.attr_float("scale", 0.0f);
  return scale != 0 ? scale : 1.0 / std::sqrt(static_cast<double>(head_size));
}

void refuse_operand(const KernelContext& ctx, size_t operand, const char* what) {
  if (ctx.has(operand)) fail(ErrorCode::kUnsupported, "operand {} is not supported", what);
}

// What is added to the scores: mask_filter_value where the mask says so, the attention bias, and
// the lowest float for keys behind a query of unidirectional attention.
class ContribBias {
 public:
  ContribBias(const KernelContext& ctx, const AttentionOperands& o, size_t mask, size_t bias)
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

  bool empty() const { return !unidirectional_ && mask_ == nullptr && bias_ == nullptr; }

  void operator()(int64_t b, int64_t h, int64_t p, std::span<double> row) const {
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

 private:
  // Shape [batch]: where the keys end; [2 * batch]: then also where they start; [batch, keys] and
  // [batch, queries, keys]: positive for keys to attend to.
  void set_mask(const ir::Tensor& mask) {
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

  void set_bias(const ir::Tensor& bias, ir::DataType type, int64_t heads) {
    const ir::Dims to = {batch_, heads, queries_, keys_};
    const ir::Dims& d = bias.dims();
    if (bias.type() != type || d.size() != 4 || d[2] != queries_ || d[3] != keys_ ||
        broadcast_dims(d, to) != to) {
      fail(ErrorCode::kBadInput,
           "attention_bias: expected {} that broadcasts to {}, found {} of {}",
           ir::data_type_name(type), ir::to_string(to), ir::data_type_name(bias.type()),
           ir::to_string(d));
    }
    strides_ = broadcast_strides(d, to);
    bias_ = &bias;
  }

  bool masked(int64_t b, int64_t p, int64_t k) const {
    if (mask_rank_ == 1) {
      return k >= mask_[b] || (has_starts_ && k < mask_[batch_ + b]);
    }
    return mask_[((mask_rank_ == 2 ? b : b * queries_ + p)) * keys_ + k] <= 0;
  }

  int64_t batch_, queries_, keys_, past_;
  bool unidirectional_;
  double filter_;
  const int32_t* mask_ = nullptr;
  size_t mask_rank_ = 0;
  bool has_starts_ = false;
  const ir::Tensor* bias_ = nullptr;
  std::vector<int64_t> strides_;
};

void attend_packed(KernelContext& ctx, const AttentionOperands& o, const ContribBias& bias,
                   const ScoreOutput& scores) {
  const HeadLayout& q = o.query.at;
  ir::Tensor& y = ctx.output(0, ctx.input(0).type(),
                             {q.batch, q.positions, checked_mul(q.heads, o.value.current.at.size)});
  attend(o, bias.empty() ? AddBias() : AddBias(std::cref(bias)), scores, y,
         packed_heads(y.dims(), q.heads, "output"));
}

bool wants(const KernelContext& ctx, size_t output) {
  return output < ctx.output_count() && ctx.wants(output);
}

// --- Attention: the projections of Q, K and V are part of the operator ------------------------

// Columns of the weights that make Q, K and V.
struct Projections {
  int64_t query, key, value;
  int64_t total() const { return checked_add(checked_add(query, key), value); }
};

Projections projections_of(const ir::Node& node, const ir::Dims& weights) {
  const std::vector<int64_t> sizes = node.attr_ints("qkv_hidden_sizes");
  const int64_t heads = head_count(node);
  const int64_t columns = weights.back();
  Projections p{columns / 3, columns / 3, columns / 3};
  if (!sizes.empty())
    p = sizes.size() == 3 ? Projections{sizes[0], sizes[1], sizes[2]} : Projections{0, 0, 0};
  const bool fits = p.query > 0 && p.query == p.key && p.value > 0 && p.query % heads == 0 &&
                    p.value % heads == 0 && p.total() == columns;
  if (fits) return p;
  fail(ErrorCode::kBadInput,
       "weights of {} columns do not hold projections of {} heads (qkv_hidden_sizes [{}])", columns,
       heads, fmt::join(sizes, ", "));
}

void check_projection(const ir::Dims& x, const ir::Dims& w) {
  if (x.size() == 3 && w.size() == 2 && x[2] == w[0]) return;
  fail(ErrorCode::kBadInput,
       "expected input [batch, positions, size] and weights [size, columns], found {} and {}",
       ir::to_string(x), ir::to_string(w));
}

// input times weights, plus bias, in double: [batch, positions, columns].
ir::Tensor project(const ir::Tensor& x, const ir::Tensor& w, const ir::Tensor* bias) {
  const int64_t rows = x.dim(2) == 0 ? 0 : x.size() / x.dim(2);
  const int64_t columns = w.dim(1);
  ir::Tensor out(ir::DataType::kDouble, {x.dim(0), x.dim(1), columns});
  if (rows == 0) {
    fail(ErrorCode::kBadInput, "expected a non-empty input, found shape {}",
         ir::to_string(x.dims()));
  }
  double* to = out.mutable_data<double>().data();
  multiply({plain_loader(x), 0, rows, x.dim(2)}, {plain_loader(w), 0, x.dim(2), columns}, to);
  if (bias == nullptr) return out;
  const std::vector<double> add = parameters(*bias, {columns}, "bias");
  for (int64_t i = 0; i < out.size(); ++i) to[i] += add[static_cast<size_t>(i % columns)];
  return out;
}

// `size` columns from `begin` on of [batch, positions, columns], as heads.
Heads column_heads(const ir::Tensor& t, int64_t heads, int64_t begin, int64_t size) {
  const int64_t columns = t.dim(2);
  return {
      &t,
      {t.dim(0), heads, t.dim(1), size / heads, begin, t.dim(1) * columns, size / heads, columns}};
}

// Past keys or values: half of [2, batch, heads, positions, size].
std::optional<Heads> past_heads(const KernelContext& ctx, size_t operand, int64_t half) {
  if (!ctx.has(operand)) return std::nullopt;
  const ir::Tensor& past = ctx.input(operand);
  const ir::Dims& d = past.dims();
  require_same_type(ctx.input(0), past, "past");
  if (d.size() != 5 || d[0] != 2) {
    fail(ErrorCode::kBadInput, "past: expected shape [2, batch, heads, positions, size], found {}",
         ir::to_string(d));
  }
  Heads h{&past, stacked_heads(ir::Dims(d.begin() + 1, d.end()), "past")};
  h.at.begin = half * (past.size() / 2);
  return h;
}

void check_packed_features(const KernelContext& ctx) {
  for (const char* attribute : {"do_rotary", "past_present_share_buffer"}) {
    if (ctx.node().attr_int(attribute, 0) == 0) continue;
    fail(ErrorCode::kUnsupported, "attribute {} is not supported", attribute);
  }
  refuse_operand(ctx, 6, "past_sequence_length");
}

// --- MultiHeadAttention -----------------------------------------------------------------------

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

ir::Dims cache_dims(const CachedHeads& cache) {
  const HeadLayout& at = cache.current.at;
  return {at.batch, at.heads, cache.positions(), at.size};
}

}  // namespace

void infer_packed_attention(InferContext& ctx) {
  const ir::Node& node = ctx.node();
  const int64_t heads = head_count(node);
  const ir::Shape* x = ctx.shape(0);
  const ir::Shape* w = ctx.shape(1);
  if ((x != nullptr && x->size() != 3) || (w != nullptr && w->size() != 2)) {
    fail(ErrorCode::kBadInput, "expected an input of rank 3 and weights of rank 2");
  }
  const std::vector<int64_t> sizes = node.attr_ints("qkv_hidden_sizes");
  const ir::Dim hidden = sizes.size() == 3 ? ir::Dim::of(std::max<int64_t>(sizes[2], 0))
                         : w != nullptr    ? dim_floor_div((*w)[1], ir::Dim::of(3))
                                           : ir::Dim::unknown();
  const ir::Dim batch = x != nullptr ? (*x)[0] : ir::Dim::unknown();
  const ir::Dim positions = x != nullptr ? (*x)[1] : ir::Dim::unknown();
  ctx.set(0, ctx.element(0), ir::Shape{batch, positions, hidden});
  ir::Dim past = ir::Dim::of(0);
  if (ctx.has(4)) {
    const ir::Shape* s = ctx.shape(4);
    past = s != nullptr && s->size() == 5 ? (*s)[3] : ir::Dim::unknown();
  }
  ctx.set(1, ctx.element(0),
          ir::Shape{ir::Dim::of(2), batch, ir::Dim::of(heads), dim_add(past, positions),
                    dim_floor_div(hidden, ir::Dim::of(heads))});
}

void packed_attention(KernelContext& ctx) {
  check_packed_features(ctx);
  const ir::Tensor& x = ctx.input(0);
  const ir::Tensor& w = ctx.input(1);
  require_same_type(x, w, "weights");
  check_projection(x.dims(), w.dims());
  const Projections p = projections_of(ctx.node(), w.dims());
  const int64_t heads = head_count(ctx.node());
  const ir::Tensor projected = project(x, w, ctx.optional(2));
  AttentionOperands o;
  o.query = column_heads(projected, heads, 0, p.query);
  o.key = {past_heads(ctx, 4, 0), column_heads(projected, heads, p.query, p.key)};
  o.value = {past_heads(ctx, 4, 1), column_heads(projected, heads, p.query + p.key, p.value)};
  o.scale = scale_of(ctx.node(), o.query.at.size);
  check_operands(o);
  const ContribBias bias(ctx, o, 3, 5);
  if (wants(ctx, 1)) {
    if (p.key != p.value) {
      fail(ErrorCode::kBadInput, "keys and values of sizes {} and {} cannot share output present",
           p.key, p.value);
    }
    ir::Dims dims = cache_dims(o.key);
    dims.insert(dims.begin(), 2);
    ir::Tensor& present = ctx.output(1, x.type(), dims);
    store_cache(o.key, present);
    store_cache(o.value, present, present.size() / 2);
  }
  attend_packed(ctx, o, bias, {});
}

void infer_multi_head_attention(InferContext& ctx) {
  const ir::Dim heads = ir::Dim::of(head_count(ctx.node()));
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
  refuse_operand(ctx, 8, "past_sequence_length");
  refuse_operand(ctx, 9, "cache_indirection");
  const int64_t heads = head_count(ctx.node());
  AttentionOperands o;
  set_operands(ctx, heads, o);
  set_past(ctx, o);
  const std::vector<double> biases = set_biases(ctx, heads, o);
  o.scale = scale_of(ctx.node(), o.query.at.size);
  check_operands(o);
  if (o.key.current.at.heads != heads) {
    fail(ErrorCode::kBadInput, "key: expected {} heads, found {}", heads, o.key.current.at.heads);
  }
  const ContribBias bias(ctx, o, 4, 5);
  const ir::DataType type = ctx.input(0).type();
  if (wants(ctx, 1)) store_cache(o.key, ctx.output(1, type, cache_dims(o.key)));
  if (wants(ctx, 2)) store_cache(o.value, ctx.output(2, type, cache_dims(o.value)));
  ScoreOutput scores;
  if (wants(ctx, 3)) {
    const HeadLayout& q = o.query.at;
    scores = {&ctx.output(3, type, {q.batch, q.heads, q.positions, o.key.positions()}),
              ScoreStage::kBiased};
  }
  attend_packed(ctx, o, bias, scores);
}

}  // namespace fettle::ops
