#include "ops/skip_normalization.h"

#include <cmath>
#include <span>

#include "ops/batch_normalization.h"
#include "ops/checked.h"
#include "ops/element_width.h"
#include "ops/elementwise.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

struct RowStatistics {
  double mean = 0;
  double inverse = 0;  // 1 / sqrt(variance + epsilon)
};

RowStatistics statistics_of(std::span<const double> row, double epsilon, bool centered) {
  const auto count = static_cast<double>(row.size());
  double sum = 0;
  if (centered) {
    for (const double v : row) sum += v;
  }
  const double mean = sum / count;
  double squares = 0;
  for (const double v : row) squares += (v - mean) * (v - mean);
  return {mean, 1.0 / std::sqrt(squares / count + epsilon)};
}

// Gamma and beta of rows of one length; beta may be missing.
struct RowNorm {
  std::vector<double> gamma;
  std::vector<double> beta;
  double epsilon = 0;
  bool centered = true;

  RowStatistics apply(std::span<double> row) const {
    const RowStatistics s = statistics_of(row, epsilon, centered);
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = (row[i] - s.mean) * s.inverse * gamma[i] + (beta.empty() ? 0.0 : beta[i]);
    }
    return s;
  }
};

double contrib_epsilon(const ir::Node& node) {
  const double epsilon = node.attr_float("epsilon", 1e-12f);
  if (epsilon >= 0) return epsilon;
  fail(ErrorCode::kBadInput, "attribute epsilon must not be negative; found {}", epsilon);
}

std::vector<double> row_parameters(const KernelContext& ctx, size_t operand, size_t like,
                                   int64_t length, const char* what) {
  if (!ctx.has(operand)) return {};
  require_same_type(ctx.input(like), ctx.input(operand), what);
  return parameters(ctx.input(operand), {length}, what);
}

bool wants(const KernelContext& ctx, size_t output) {
  return output < ctx.output_count() && ctx.wants(output);
}

// Output [..., 1] of one number per row; null when nobody reads it.
float* row_output(KernelContext& ctx, size_t output, ir::Dims dims) {
  if (!wants(ctx, output)) return nullptr;
  dims.back() = 1;
  return ctx.output(output, ir::DataType::kFloat, dims).mutable_data<float>().data();
}

// Rows of the input for which there is one row of skip each; then skip starts again.
int64_t skip_period(const ir::Dims& x, const ir::Dims& skip) {
  const bool input_fits = (x.size() == 2 || x.size() == 3) && x.back() >= 1;
  const ir::Dims one = x.size() == 3 ? ir::Dims{x[1], x[2]} : x;
  const ir::Dims batch_of_one = {1, one[0], one.back()};
  if (input_fits && (skip == x || (x.size() == 3 && (skip == one || skip == batch_of_one)))) {
    return std::max<int64_t>(1, ir::element_count(skip) / x.back());
  }
  fail(ErrorCode::kBadInput,
       "expected an input [batch, positions, size] or [tokens, size] and skip of that shape, the "
       "batch left out or 1; found {} and {}",
       ir::to_string(x), ir::to_string(skip));
}

void skip_normalization(KernelContext& ctx, bool simplified) {
  const ir::Tensor& x = ctx.input(0);
  const ir::Tensor& skip = ctx.input(1);
  require_same_type(x, skip, "skip");
  if (!is_real(x.type()) || x.rank() < 2) {
    fail(ErrorCode::kBadInput, "input: expected a floating type and rank 2 or 3, found {} of {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
  const int64_t period = skip_period(x.dims(), skip.dims());
  const int64_t length = x.dims().back();
  const size_t bias_operand = simplified ? 3 : 4;
  RowNorm norm{
      row_parameters(ctx, 2, 0, length, "gamma"), {}, contrib_epsilon(ctx.node()), !simplified};
  if (!ctx.has(2)) fail(ErrorCode::kBadInput, "operand gamma is missing");
  if (!simplified) norm.beta = row_parameters(ctx, 3, 0, length, "beta");
  const std::vector<double> bias = row_parameters(ctx, bias_operand, 0, length, "bias");
  ir::Tensor& y = ctx.output(0, x.type(), x.dims());
  float* mean = row_output(ctx, 1, x.dims());
  float* inverse = row_output(ctx, 2, x.dims());
  ir::Tensor* sum = wants(ctx, 3) ? &ctx.output(3, x.type(), x.dims()) : nullptr;
  ir::Tensor row_scratch = scratch_doubles(length);
  ir::Tensor skip_scratch = scratch_doubles(length);
  const auto row = row_scratch.mutable_data<double>();
  const auto other = skip_scratch.mutable_data<double>();
  for (int64_t r = 0; r < x.size() / length; ++r) {
    load_doubles(x, r * length, length, row.data());
    load_doubles(skip, r % period * length, length, other.data());
    for (size_t i = 0; i < row.size(); ++i) row[i] += other[i] + (bias.empty() ? 0.0 : bias[i]);
    if (sum != nullptr) store_doubles(row.data(), length, *sum, r * length);
    const RowStatistics s = norm.apply(row);
    store_doubles(row.data(), length, y, r * length);
    if (mean != nullptr) mean[r] = static_cast<float>(s.mean);
    if (inverse != nullptr) inverse[r] = static_cast<float>(s.inverse);
  }
}

// --- EmbedLayerNormalization ------------------------------------------------------------------

// A table of embeddings [rows, size] and which of its rows each token adds.
class Lookup {
 public:
  // `ids` may be null: the position of the token.
  Lookup(const ir::Tensor& table, const ir::Tensor* ids, const ir::Dims& tokens, const char* what)
      : table_(table), positions_(tokens[1]), what_(what) {
    if (table.rank() != 2) {
      fail(ErrorCode::kBadInput, "{} embeddings: expected rank 2, found {}", what,
           ir::to_string(table.dims()));
    }
    if (ids == nullptr) return;
    const bool fits = ids->dims() == tokens || ids->dims() == ir::Dims{1, tokens[1]};
    if (ids->type() != ir::DataType::kInt32 || !fits) {
      fail(ErrorCode::kBadInput, "{} ids: expected int32 of shape {}, found {} of {}", what,
           ir::to_string(tokens), ir::data_type_name(ids->type()), ir::to_string(ids->dims()));
    }
    ids_ = ids->data<int32_t>();
  }

  void add_to(std::span<double> row, int64_t token, std::span<double> scratch) const {
    const int64_t id =
        ids_.empty() ? token % positions_ : ids_[static_cast<size_t>(token) % ids_.size()];
    if (id < 0 || id >= table_.dim(0)) {
      fail(ErrorCode::kBadInput, "{} id {} is outside of a table of {} embeddings", what_, id,
           table_.dim(0));
    }
    const auto length = static_cast<int64_t>(row.size());
    load_doubles(table_, id * length, length, scratch.data());
    for (size_t i = 0; i < row.size(); ++i) row[i] += scratch[i];
  }

 private:
  const ir::Tensor& table_;
  int64_t positions_;
  const char* what_;
  std::span<const int32_t> ids_;
};

// The three tables, in operand order, that a token's embedding is the sum of.
std::vector<Lookup> lookups_of(const KernelContext& ctx, const ir::Dims& tokens) {
  std::vector<Lookup> all;
  all.emplace_back(ctx.input(2), &ctx.input(0), tokens, "word");
  all.emplace_back(ctx.input(3), ctx.optional(8), tokens, "position");
  if (ctx.has(1) != ctx.has(4)) {
    fail(ErrorCode::kBadInput, "segment_ids and segment_embedding must be given together");
  }
  if (ctx.has(4)) all.emplace_back(ctx.input(4), ctx.optional(1), tokens, "segment");
  for (const size_t operand : {3, 4}) {
    if (!ctx.has(operand)) continue;
    require_same_type(ctx.input(2), ctx.input(operand), "embeddings");
    if (ctx.input(operand).dim(1) == ctx.input(2).dim(1)) continue;
    fail(ErrorCode::kBadInput, "embeddings of size {} and {} cannot be added", ctx.input(2).dim(1),
         ctx.input(operand).dim(1));
  }
  return all;
}

// How many entries of the mask are 1, per sample; 0 without a mask.
void count_unmasked(KernelContext& ctx, const ir::Dims& tokens) {
  if (!wants(ctx, 1)) return;
  const auto counts = ctx.output(1, ir::DataType::kInt32, {tokens[0]}).mutable_data<int32_t>();
  std::fill(counts.begin(), counts.end(), 0);
  const ir::Tensor* mask = ctx.optional(7);
  if (mask == nullptr) return;
  if (mask->type() != ir::DataType::kInt32 || mask->dims() != tokens) {
    fail(ErrorCode::kBadInput, "mask: expected int32 of shape {}, found {} of {}",
         ir::to_string(tokens), ir::data_type_name(mask->type()), ir::to_string(mask->dims()));
  }
  const auto values = mask->data<int32_t>();
  const auto positions = static_cast<size_t>(tokens[1]);
  for (size_t i = 0; i < values.size(); ++i) counts[i / positions] += values[i] == 1 ? 1 : 0;
}

}  // namespace

void infer_skip_layer_normalization(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  infer_like_input(ctx);
  std::optional<ir::Shape> rows;
  if (const ir::Shape* x = ctx.shape(0)) {
    if (x->size() != 2 && x->size() != 3) {
      fail(ErrorCode::kBadInput, "input: expected rank 2 or 3, found {}", to_string(*x));
    }
    rows = *x;
    rows->back() = ir::Dim::of(1);
  }
  for (const size_t i : {1, 2}) ctx.set(i, ir::DataType::kFloat, rows);
  ctx.set_same(3, 0);
}

void skip_layer_normalization(KernelContext& ctx) {
  skip_normalization(ctx, false);
}

void skip_simplified_layer_normalization(KernelContext& ctx) {
  skip_normalization(ctx, true);
}

void infer_embed_layer_normalization(InferContext& ctx) {
  const ir::Shape* ids = ctx.shape(0);
  const ir::Shape* words = ctx.shape(2);
  if ((ids != nullptr && ids->size() != 2) || (words != nullptr && words->size() != 2)) {
    fail(ErrorCode::kBadInput, "expected input_ids and word_embedding of rank 2");
  }
  const ir::Shape tokens = ids != nullptr ? *ids : ir::Shape(2);
  const ir::Dim size = words != nullptr ? (*words)[1] : ir::Dim::unknown();
  const ir::Shape out = {tokens[0], tokens[1], size};
  ctx.set(0, ctx.element(2), out);
  ctx.set(1, ir::DataType::kInt32, ir::Shape{tokens[0]});
  ctx.set(2, ctx.element(2), out);
}

void embed_layer_normalization(KernelContext& ctx) {
  const ir::Tensor& ids = ctx.input(0);
  const ir::Tensor& words = ctx.input(2);
  if (ids.rank() != 2 || words.rank() != 2 || words.dim(1) < 1 || !is_real(words.type())) {
    fail(ErrorCode::kBadInput,
         "expected input_ids [batch, positions] and floating word_embedding [words, size], found "
         "shapes {} and {} of {}",
         ir::to_string(ids.dims()), ir::to_string(words.dims()), ir::data_type_name(words.type()));
  }
  const ir::Dims tokens = ids.dims();
  const int64_t length = words.dim(1);
  const std::vector<Lookup> lookups = lookups_of(ctx, tokens);
  const RowNorm norm{row_parameters(ctx, 5, 2, length, "gamma"),
                     row_parameters(ctx, 6, 2, length, "beta"), contrib_epsilon(ctx.node()), true};
  if (!ctx.has(5)) fail(ErrorCode::kBadInput, "operand gamma is missing");
  const ir::Dims dims = {tokens[0], tokens[1], length};
  ir::Tensor& y = ctx.output(0, words.type(), dims);
  ir::Tensor* sum = wants(ctx, 2) ? &ctx.output(2, words.type(), dims) : nullptr;
  count_unmasked(ctx, tokens);
  ir::Tensor row_scratch = scratch_doubles(length);
  ir::Tensor other_scratch = scratch_doubles(length);
  const auto row = row_scratch.mutable_data<double>();
  const auto other = other_scratch.mutable_data<double>();
  for (int64_t token = 0; token < ids.size(); ++token) {
    std::fill(row.begin(), row.end(), 0.0);
    for (const Lookup& lookup : lookups) lookup.add_to(row, token, other);
    if (sum != nullptr) store_doubles(row.data(), length, *sum, token * length);
    norm.apply(row);
    store_doubles(row.data(), length, y, token * length);
  }
}

}  // namespace fettle::ops
