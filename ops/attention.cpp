#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/checked.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void require_vectors(const HeadLayout& layout, const ir::Dims& dims, const char* what) {
  if (layout.size >= 1) return;
  fail(ErrorCode::kBadInput, "{}: expected heads of at least one element, found shape {}", what,
       ir::to_string(dims));
}

void require_real(const ir::Tensor& tensor, const char* what) {
  if (is_real(tensor.type())) return;
  fail(ErrorCode::kBadInput, "{}: expected a floating type, found {}", what,
       ir::data_type_name(tensor.type()));
}

void require_equal(int64_t expected, int64_t found, const char* what) {
  if (expected == found) return;
  fail(ErrorCode::kBadInput, "{}: expected {}, found {}", what, expected, found);
}

void check_cache(const CachedHeads& cache, const char* what) {
  if (!cache.past) return;
  const HeadLayout& past = cache.past->at;
  const HeadLayout& now = cache.current.at;
  if (past.batch == now.batch && past.heads == now.heads && past.size == now.size) return;
  fail(ErrorCode::kBadInput,
       "past {}: expected {} batches of {} heads of size {}, found {} of {} of size {}", what,
       now.batch, now.heads, now.size, past.batch, past.heads, past.size);
}

// scores <- cap * tanh(scores / cap)
void apply_softcap(std::span<double> scores, double cap) {
  for (double& s : scores) s = cap * std::tanh(s / cap);
}

// Turns scores into weights; false when there is nothing to attend to.
bool to_weights(std::span<double> scores, std::span<const double> bias) {
  const auto is_masked = [](double b) { return b == -kInfinity; };
  const bool masked = std::all_of(bias.begin(), bias.end(), is_masked) && !bias.empty();
  if (scores.empty() || masked || std::all_of(scores.begin(), scores.end(), is_masked)) {
    std::fill(scores.begin(), scores.end(), 0.0);
    return false;
  }
  softmax_row(scores);
  return true;
}

}  // namespace

HeadLayout stacked_heads(const ir::Dims& dims, const char* what) {
  if (dims.size() != 4) {
    fail(ErrorCode::kBadInput, "{}: expected shape [batch, heads, positions, size], found {}", what,
         ir::to_string(dims));
  }
  HeadLayout l{dims[0], dims[1], dims[2], dims[3]};
  require_vectors(l, dims, what);
  if (l.empty()) return l;
  l.position_stride = l.size;
  l.head_stride = checked_mul(l.positions, l.size);
  l.batch_stride = checked_mul(l.heads, l.head_stride);
  return l;
}

HeadLayout packed_heads(const ir::Dims& dims, int64_t heads, const char* what) {
  if (heads < 1 || dims.size() != 3 || dims[2] % heads != 0) {
    fail(ErrorCode::kBadInput, "{}: expected shape [batch, positions, {} heads * size], found {}",
         what, heads, ir::to_string(dims));
  }
  HeadLayout l{dims[0], heads, dims[1], dims[2] / heads};
  require_vectors(l, dims, what);
  if (l.empty()) return l;
  l.head_stride = l.size;
  l.position_stride = dims[2];
  l.batch_stride = checked_mul(l.positions, dims[2]);
  return l;
}

Heads stacked_heads(const ir::Tensor& tensor, const char* what) {
  require_real(tensor, what);
  return {&tensor, stacked_heads(tensor.dims(), what)};
}

Heads packed_heads(const ir::Tensor& tensor, int64_t heads, const char* what) {
  require_real(tensor, what);
  return {&tensor, packed_heads(tensor.dims(), heads, what)};
}

void Heads::load(int64_t b, int64_t h, int64_t p, double* out) const {
  load_doubles(*tensor, at.offset(b, h, p), at.size, out);
  if (bias == nullptr) return;
  const double* add = bias + h * at.size;
  for (int64_t i = 0; i < at.size; ++i) out[i] += add[i];
}

void store_cache(const CachedHeads& cache, ir::Tensor& out, int64_t begin) {
  const HeadLayout& at = cache.current.at;
  const int64_t positions = cache.positions();
  if (at.batch == 0 || at.heads == 0 || positions == 0) return;
  const auto width = static_cast<size_t>(ir::data_type_bits(out.type()) / 8);
  std::byte* to = out.mutable_bytes();
  ir::Tensor scratch = scratch_doubles(at.size);
  double* vector = scratch.mutable_data<double>().data();
  const auto store = [&](const Heads& heads, int64_t b, int64_t h, int64_t p) {
    if (heads.bias == nullptr && heads.tensor->type() == out.type()) {
      std::memcpy(to + static_cast<size_t>(begin) * width,
                  heads.tensor->bytes() + static_cast<size_t>(heads.at.offset(b, h, p)) * width,
                  static_cast<size_t>(at.size) * width);
    } else {
      heads.load(b, h, p, vector);
      store_doubles(vector, at.size, out, begin);
    }
    begin += at.size;
  };
  for (int64_t b = 0; b < at.batch; ++b) {
    for (int64_t h = 0; h < at.heads; ++h) {
      for (int64_t p = 0; p < cache.past_positions(); ++p) store(*cache.past, b, h, p);
      for (int64_t p = 0; p < at.positions; ++p) store(cache.current, b, h, p);
    }
  }
}

void move_to_cache(CachedHeads& cache, ir::Tensor& out) {
  store_cache(cache, out);
  if (cache.current.bias != nullptr || out.type() != cache.current.tensor->type()) return;
  cache = {std::nullopt, stacked_heads(out, "present")};
}

void check_operands(const AttentionOperands& o) {
  const HeadLayout& q = o.query.at;
  const HeadLayout& k = o.key.current.at;
  const HeadLayout& v = o.value.current.at;
  require_equal(q.batch, k.batch, "batch size of keys");
  require_equal(q.batch, v.batch, "batch size of values");
  require_equal(q.size, k.size, "head size of keys");
  require_equal(k.heads, v.heads, "heads of values");
  check_cache(o.key, "keys");
  check_cache(o.value, "values");
  require_equal(o.key.positions(), o.value.positions(), "positions of values");
  if (k.heads < 1 || q.heads % k.heads != 0) {
    fail(ErrorCode::kBadInput,
         "heads of the query must be a multiple of those of keys; found {} "
         "and {}",
         q.heads, k.heads);
  }
}

HeadProducts::HeadProducts(const AttentionOperands& operands)
    : operands_(operands),
      keys_(scratch_doubles(checked_mul(operands.key.positions(), operands.query.at.size))),
      values_(
          scratch_doubles(checked_mul(operands.key.positions(), operands.value.current.at.size))),
      vector_(scratch_doubles(operands.query.at.size)) {}

void HeadProducts::select(int64_t batch, int64_t query_head) {
  const int64_t head = query_head / operands_.group();
  query_head_ = query_head;
  if (batch == batch_ && head == key_head_) return;
  batch_ = batch;
  key_head_ = head;
  const int64_t positions = operands_.key.positions();
  const int64_t size = operands_.query.at.size;
  const int64_t value_size = operands_.value.current.at.size;
  double* keys = keys_.mutable_data<double>().data();
  double* values = values_.mutable_data<double>().data();
  double* key = vector_.mutable_data<double>().data();
  for (int64_t p = 0; p < positions; ++p) {
    operands_.key.load(batch, head, p, key);
    for (int64_t i = 0; i < size; ++i) keys[i * positions + p] = key[i];
    operands_.value.load(batch, head, p, values + p * value_size);
  }
}

void HeadProducts::scores(int64_t position, double* out) {
  const int64_t positions = operands_.key.positions();
  const int64_t size = operands_.query.at.size;
  double* query = vector_.mutable_data<double>().data();
  operands_.query.load(batch_, query_head_, position, query);
  std::fill_n(out, positions, 0.0);
  const double* line = keys_.data<double>().data();
  for (int64_t i = 0; i < size; ++i, line += positions) {
    for (int64_t p = 0; p < positions; ++p) out[p] += query[i] * line[p];
  }
  for (int64_t p = 0; p < positions; ++p) out[p] *= operands_.scale;
}

void HeadProducts::mix(const double* weights, double* out) const {
  const int64_t positions = operands_.key.positions();
  const int64_t size = operands_.value.current.at.size;
  std::fill_n(out, size, 0.0);
  const double* value = values_.data<double>().data();
  for (int64_t p = 0; p < positions; ++p, value += size) {
    for (int64_t i = 0; i < size; ++i) out[i] += weights[p] * value[i];
  }
}

void softmax_row(std::span<double> row) {
  double top = -kInfinity;
  for (const double x : row) top = std::isnan(x) || x > top ? x : top;
  double sum = 0;
  for (double& x : row) sum += x = std::exp(x - top);
  for (double& x : row) x /= sum;
}

void attend(const AttentionOperands& operands, const AddBias& add_bias, const ScoreOutput& output,
            ir::Tensor& out, const HeadLayout& layout) {
  if (layout.empty()) return;
  const HeadLayout& q = operands.query.at;
  const int64_t positions = operands.key.positions();
  HeadProducts products(operands);
  ir::Tensor row_scratch = scratch_doubles(positions);
  ir::Tensor bias_scratch = scratch_doubles(add_bias ? positions : 0);
  ir::Tensor mixed_scratch = scratch_doubles(layout.size);
  const std::span<double> row = row_scratch.mutable_data<double>();
  const std::span<double> bias = bias_scratch.mutable_data<double>();
  double* mixed = mixed_scratch.mutable_data<double>().data();
  int64_t written = 0;
  const auto emit = [&](ScoreStage stage) {
    if (output.tensor == nullptr || output.stage != stage) return;
    store_doubles(row.data(), positions, *output.tensor, written);
    written += positions;
  };
  for (int64_t b = 0; b < q.batch; ++b) {
    for (int64_t h = 0; h < q.heads; ++h) {
      products.select(b, h);
      for (int64_t p = 0; p < q.positions; ++p) {
        products.scores(p, row.data());
        emit(ScoreStage::kProduct);
        if (operands.softcap > 0) apply_softcap(row, operands.softcap);
        emit(ScoreStage::kCapped);
        if (add_bias) {
          std::fill(bias.begin(), bias.end(), 0.0);
          add_bias(b, h, p, bias);
          for (size_t i = 0; i < row.size(); ++i) row[i] += bias[i];
        }
        emit(ScoreStage::kBiased);
        const bool attends = to_weights(row, bias);
        emit(ScoreStage::kWeights);
        if (attends) {
          products.mix(row.data(), mixed);
        } else {
          std::fill_n(mixed, layout.size, 0.0);
        }
        store_doubles(mixed, layout.size, out, layout.offset(b, h, p));
      }
    }
  }
}

}  // namespace fettle::ops
