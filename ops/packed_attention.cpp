// Attention of com.microsoft: the projections of Q, K and V are part of the operator.
#include "ops/attention_contrib.h"
#include "ops/batch_normalization.h"
#include "ops/checked.h"
#include "ops/element_width.h"
#include "ops/matrix_product.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// Columns of the weights that make Q, K and V.
struct Projections {
  int64_t query, key, value;
  int64_t total() const { return checked_add(checked_add(query, key), value); }
};

Projections projections_of(const ir::Node& node, const ir::Dims& weights) {
  const std::vector<int64_t> sizes = node.attr_ints("qkv_hidden_sizes");
  const int64_t heads = contrib_head_count(node);
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

}  // namespace

void infer_packed_attention(InferContext& ctx) {
  const ir::Node& node = ctx.node();
  const int64_t heads = contrib_head_count(node);
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

const AttentionKernels& reference_attention() {
  static const AttentionKernels kKernels{attend, project};
  return kKernels;
}

void packed_attention(KernelContext& ctx) {
  packed_attention(ctx, reference_attention());
}

void packed_attention(KernelContext& ctx, const AttentionKernels& kernels) {
  check_packed_features(ctx);
  const ir::Tensor& x = ctx.input(0);
  const ir::Tensor& w = ctx.input(1);
  require_same_type(x, w, "weights");
  check_projection(x.dims(), w.dims());
  const Projections p = projections_of(ctx.node(), w.dims());
  const int64_t heads = contrib_head_count(ctx.node());
  const ir::Tensor projected = kernels.project(x, w, ctx.optional(2));
  AttentionOperands o;
  o.query = column_heads(projected, heads, 0, p.query);
  o.key = {past_heads(ctx, 4, 0), column_heads(projected, heads, p.query, p.key)};
  o.value = {past_heads(ctx, 4, 1), column_heads(projected, heads, p.query + p.key, p.value)};
  o.scale = contrib_scale(ctx.node(), o.query.at.size);
  check_operands(o);
  const ContribBias bias(ctx, o, 3, 5);
  if (wants_output(ctx, 1)) {
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
  attend_packed(ctx, kernels, o, bias, {});
}

}  // namespace fettle::ops
