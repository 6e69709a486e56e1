// FlexAttention: attention whose scores and weights pass through subgraphs of the node.
#include <cmath>

#include "ops/attention.h"
#include "ops/cast_tensor.h"
#include "ops/checked.h"
#include "ops/element_width.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// The type in which subgraphs see scores and weights.
ir::DataType score_type(const ir::Node& node, ir::DataType input) {
  const auto fallback = input == ir::DataType::kDouble ? input : ir::DataType::kFloat;
  const int64_t number = node.attr_int("softmax_precision", static_cast<int64_t>(fallback));
  if (number > 0 && number < 64 && is_real(static_cast<ir::DataType>(number))) {
    return static_cast<ir::DataType>(number);
  }
  fail(ErrorCode::kBadInput, "attribute softmax_precision must name a floating type; found {}",
       number);
}

// The subgraph of this attribute, which maps one value to one; null when absent.
ir::Graph* modifier(const ir::Node& node, const char* attribute) {
  ir::Graph* body = node.attr_graph(attribute);
  if (body == nullptr || (body->inputs().size() == 1 && body->outputs().size() == 1)) return body;
  fail(ErrorCode::kBadInput, "{} must have one input and one output; found {} and {}", attribute,
       body->inputs().size(), body->outputs().size());
}

ir::Tensor modified(KernelContext& ctx, const char* attribute, ir::Tensor scores) {
  const ir::Graph* body = modifier(ctx.node(), attribute);
  if (body == nullptr) return scores;
  const ir::Dims dims = scores.dims();
  const ir::DataType type = scores.type();
  std::vector<RuntimeValue> inputs;
  inputs.emplace_back(std::move(scores));
  std::vector<RuntimeValue> outputs = ctx.subgraphs().run(*body, std::move(inputs));
  if (outputs.size() != 1 || !outputs[0].is_tensor()) {
    fail(ErrorCode::kBadInput, "{} must give a tensor", attribute);
  }
  ir::Tensor result = std::move(outputs[0].tensor);
  if (result.type() == type && result.dims() == dims) return result;
  fail(ErrorCode::kBadInput, "{}: expected {} of shape {}, found {} of shape {}", attribute,
       ir::data_type_name(type), ir::to_string(dims), ir::data_type_name(result.type()),
       ir::to_string(result.dims()));
}

AttentionOperands operands_of(const KernelContext& ctx) {
  require_same_type(ctx.input(0), ctx.input(1), "Q and K");
  require_same_type(ctx.input(0), ctx.input(2), "Q and V");
  AttentionOperands o;
  o.query = stacked_heads(ctx.input(0), "Q");
  o.key.current = stacked_heads(ctx.input(1), "K");
  o.value.current = stacked_heads(ctx.input(2), "V");
  o.scale = ctx.node().has_attribute("scale")
                ? static_cast<double>(ctx.node().attr_float("scale", 1.0f))
                : 1.0 / std::sqrt(static_cast<double>(o.query.at.size));
  check_operands(o);
  return o;
}

// Calls visit(products, position, index of the row) for every query.
template <typename Visit>
void for_each_row(const AttentionOperands& o, Visit&& visit) {
  const HeadLayout& q = o.query.at;
  if (q.empty()) return;
  HeadProducts products(o);
  int64_t row = 0;
  for (int64_t b = 0; b < q.batch; ++b) {
    for (int64_t h = 0; h < q.heads; ++h) {
      products.select(b, h);
      for (int64_t p = 0; p < q.positions; ++p) visit(products, p, row++);
    }
  }
}

ir::Tensor all_scores(const AttentionOperands& o, ir::DataType type) {
  const HeadLayout& q = o.query.at;
  const int64_t keys = o.key.positions();
  ir::Tensor scores(type, {q.batch, q.heads, q.positions, keys});
  ir::Tensor scratch = scratch_doubles(keys);
  double* row = scratch.mutable_data<double>().data();
  for_each_row(o, [&](HeadProducts& products, int64_t position, int64_t index) {
    products.scores(position, row);
    store_doubles(row, keys, scores, index * keys);
  });
  return scores;
}

ir::Tensor softmax_of(ir::Tensor scores) {
  const int64_t keys = scores.dims().back();
  ir::Tensor scratch = scratch_doubles(keys);
  const auto row = scratch.mutable_data<double>();
  for (int64_t at = 0; at < scores.size(); at += keys) {
    load_doubles(scores, at, keys, row.data());
    softmax_row(row);
    store_doubles(row.data(), keys, scores, at);
  }
  return scores;
}

}  // namespace

void infer_flex_attention(InferContext& ctx) {
  const ir::Shape* q = ctx.shape(0);
  const ir::Shape* k = ctx.shape(1);
  const ir::Shape* v = ctx.shape(2);
  for (const ir::Shape* s : {q, k, v}) {
    if (s == nullptr || s->size() == 4) continue;
    fail(ErrorCode::kBadInput, "expected operands of rank 4, found {}", to_string(*s));
  }
  const auto dim = [](const ir::Shape* s, size_t i) {
    return s != nullptr ? (*s)[i] : ir::Dim::unknown();
  };
  const bool known = ctx.element(0) != ir::DataType::kUndefined;
  const ir::DataType type =
      known ? score_type(ctx.node(), ctx.element(0)) : ir::DataType::kUndefined;
  const ir::Shape scores = {dim(q, 0), dim(q, 1), dim(q, 2), dim(k, 2)};
  for (const char* attribute : {"score_mod", "prob_mod"}) {
    ir::Graph* body = modifier(ctx.node(), attribute);
    if (body == nullptr) continue;
    ctx.infer_subgraph(*body, {ValueFacts{ir::Type::tensor(type, scores), nullptr, {}, nullptr}});
  }
  ctx.set(0, ctx.element(0), ir::Shape{dim(q, 0), dim(q, 1), dim(q, 2), dim(v, 3)});
}

void flex_attention(KernelContext& ctx) {
  const AttentionOperands o = operands_of(ctx);
  const HeadLayout& q = o.query.at;
  const ir::DataType type = score_type(ctx.node(), ctx.input(0).type());
  const int64_t value_size = o.value.current.at.size;
  ir::Tensor scores = modified(ctx, "score_mod", all_scores(o, type));
  const ir::Tensor weights = modified(ctx, "prob_mod", softmax_of(std::move(scores)));
  ir::Tensor& y = ctx.output(0, ctx.input(0).type(), {q.batch, q.heads, q.positions, value_size});
  const int64_t keys = o.key.positions();
  ir::Tensor row_scratch = scratch_doubles(keys);
  ir::Tensor mixed_scratch = scratch_doubles(value_size);
  double* row = row_scratch.mutable_data<double>().data();
  double* mixed = mixed_scratch.mutable_data<double>().data();
  for_each_row(o, [&](HeadProducts& products, int64_t, int64_t index) {
    load_doubles(weights, index * keys, keys, row);
    products.mix(row, mixed);
    store_doubles(mixed, value_size, y, index * value_size);
  });
}

}  // namespace fettle::ops
