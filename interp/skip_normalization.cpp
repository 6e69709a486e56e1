#include "interp/skip_normalization.h"

#include <algorithm>
#include <cmath>

#include "interp/parallel.h"
#include "interp/simd.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// y[i] = a[i] + b[i] [+ c[i]]; c may be null.
FETTLE_VECTORIZED
void sum_rows(const float* a, const float* b, const float* c, float* y, int64_t n) {
  if (c == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i] + c[i];
  }
}

// The normalization of rows of one length.
struct RowNorm {
  int64_t length = 0;
  double epsilon = 0;
  bool centered = true;
  const float* gamma = nullptr;
  const float* beta = nullptr;  // may be null

  // y may be x.
  void apply(const float* x, float* y) const {
    const auto count = static_cast<double>(length);
    const double mean = centered ? sum_row(x, length) / count : 0.0;
    const double deviation = std::sqrt(squares_row(x, mean, length) / count + epsilon);
    normalize_row(x, static_cast<float>(mean), static_cast<float>(1.0 / deviation), gamma, beta, y,
                  length);
  }
};

// An optional operand [length] of float32; false when it is something else.
bool take_vector(Call& call, size_t i, int64_t length, const float*& data) {
  if (!call.has(i)) return true;
  if (call.type(i) != kFloat || *call.dims(i) != ir::Dims{length}) return false;
  data = call.tensor(i)->data<float>().data();
  return true;
}

// Null when the node does not want output `i`.
float* wanted(const ir::Node& node, size_t i, const ir::Dims& dims, ir::Tensor& storage) {
  if (node.output(i) == nullptr) return nullptr;
  storage = ir::Tensor(kFloat, dims);
  return storage.mutable_data<float>().data();
}

// Operands input, skip, gamma, beta and bias; the simplified one has no beta.
class SkipNormalization : public AcceleratedKernel {
 public:
  SkipNormalization(const ir::Node& node, bool simplified)
      : node_(node), epsilon_(node.attr_float("epsilon", 1e-12f)), simplified_(simplified) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.type(1) != kFloat || !call.has(2)) return false;
    const ir::Tensor& x = *call.tensor(0);
    const ir::Tensor& skip = *call.tensor(1);
    if ((x.rank() != 2 && x.rank() != 3) || x.size() == 0 || !fits(skip.dims(), x.dims())) {
      return false;
    }
    const int64_t length = x.dims().back();
    RowNorm norm{length, epsilon_, !simplified_};
    const float* bias = nullptr;
    if (!take_vector(call, 2, length, norm.gamma) ||
        !take_vector(call, simplified_ ? 3 : 4, length, bias) ||
        (!simplified_ && !take_vector(call, 3, length, norm.beta))) {
      return false;
    }
    ir::Tensor y(kFloat, x.dims());
    ir::Tensor sums;
    float* to = y.mutable_data<float>().data();
    float* sum = wanted(node_, kSum, x.dims(), sums);
    if (sum == nullptr) sum = to;
    const float* from = x.data<float>().data();
    const float* other = skip.data<float>().data();
    const int64_t period = skip.size() / length;
    for_each_row(x.size() / length, length * 6, [&](int64_t row) {
      const int64_t at = row * length;
      sum_rows(from + at, other + row % period * length, bias, sum + at, length);
      norm.apply(sum + at, to + at);
    });
    call.set(0, std::move(y));
    if (sums.defined()) call.set(kSum, std::move(sums));
    return true;
  }

 private:
  static constexpr size_t kSum = 3;

  // The shape of x, the batch left out or 1.
  static bool fits(const ir::Dims& skip, const ir::Dims& x) {
    if (skip == x) return true;
    return x.size() == 3 && (skip == ir::Dims{x[1], x[2]} || skip == ir::Dims{1, x[1], x[2]});
  }

  const ir::Node& node_;
  double epsilon_;
  bool simplified_;
};

// A table of embeddings, and which of its rows each token adds.
struct Lookup {
  const float* table = nullptr;
  int64_t rows = 0;
  const int32_t* ids = nullptr;  // null: the position of the token
  int64_t count = 1;             // ids, after which they start again; positions without ids

  int64_t row(int64_t token) const { return ids != nullptr ? ids[token % count] : token % count; }
};

// Operands input_ids, segment_ids, tables of words, positions and segments, gamma, beta, mask and
// position_ids.
class EmbedNormalization : public AcceleratedKernel {
 public:
  explicit EmbedNormalization(const ir::Node& node)
      : node_(node), epsilon_(node.attr_float("epsilon", 1e-12f)) {}

  bool run(Call& call) override {
    if (call.type(0) != ir::DataType::kInt32 || call.type(2) != kFloat) return false;
    const ir::Dims tokens = *call.dims(0);
    const ir::Dims words = *call.dims(2);
    if (tokens.size() != 2 || words.size() != 2 || !call.has(5)) return false;
    if (call.has(1) != call.has(4)) return false;
    const int64_t length = words[1];
    const int64_t count = ir::element_count(tokens);
    RowNorm norm{length, epsilon_, true};
    if (count == 0 || length == 0 || !take_vector(call, 5, length, norm.gamma) ||
        !take_vector(call, 6, length, norm.beta)) {
      return false;
    }
    std::vector<Lookup> lookups;
    if (!take_lookup(call, 2, 0, tokens, length, lookups) ||
        !take_lookup(call, 3, 8, tokens, length, lookups) ||
        (call.has(4) && !take_lookup(call, 4, 1, tokens, length, lookups))) {
      return false;
    }
    ir::Tensor counts;
    if (node_.output(kCounts) != nullptr && !count_unmasked(call, tokens, counts)) return false;
    const ir::Dims dims = {tokens[0], tokens[1], length};
    ir::Tensor y(kFloat, dims);
    ir::Tensor sums;
    float* to = y.mutable_data<float>().data();
    float* sum = wanted(node_, kSum, dims, sums);
    if (sum == nullptr) sum = to;
    for_each_row(count, length * 6, [&](int64_t token) {
      float* row = sum + token * length;
      const auto vector = [&](const Lookup& l) { return l.table + l.row(token) * length; };
      sum_rows(vector(lookups[0]), vector(lookups[1]),
               lookups.size() > 2 ? vector(lookups[2]) : nullptr, row, length);
      norm.apply(row, to + token * length);
    });
    call.set(0, std::move(y));
    if (counts.defined()) call.set(kCounts, std::move(counts));
    if (sums.defined()) call.set(kSum, std::move(sums));
    return true;
  }

 private:
  static constexpr size_t kCounts = 1;
  static constexpr size_t kSum = 2;

  // How many entries of the mask are 1, per sample, 0 without a mask; false when it does not fit.
  static bool count_unmasked(Call& call, const ir::Dims& tokens, ir::Tensor& counts) {
    counts = ir::Tensor(ir::DataType::kInt32, {tokens[0]});
    const auto out = counts.mutable_data<int32_t>();
    std::fill(out.begin(), out.end(), 0);
    if (!call.has(7)) return true;
    if (call.type(7) != ir::DataType::kInt32 || *call.dims(7) != tokens) return false;
    const int32_t* mask = call.tensor(7)->data<int32_t>().data();
    for (int32_t& sum : out) {
      sum = static_cast<int32_t>(std::count(mask, mask + tokens[1], 1));
      mask += tokens[1];
    }
    return true;
  }

  // False for operands that do not fit, an index out of range among them.
  static bool take_lookup(Call& call, size_t table, size_t ids, const ir::Dims& tokens,
                          int64_t length, std::vector<Lookup>& lookups) {
    if (call.type(table) != kFloat) return false;
    const ir::Dims& dims = *call.dims(table);
    if (dims.size() != 2 || dims[1] != length) return false;
    Lookup lookup{call.tensor(table)->data<float>().data(), dims[0], nullptr, tokens[1]};
    if (!call.has(ids)) {
      lookups.push_back(lookup);
      return tokens[1] <= dims[0];
    }
    if (call.type(ids) != ir::DataType::kInt32) return false;
    const ir::Dims& of_ids = *call.dims(ids);
    if (of_ids != tokens && of_ids != ir::Dims{1, tokens[1]}) return false;
    const auto values = call.tensor(ids)->data<int32_t>();
    lookup.ids = values.data();
    lookup.count = static_cast<int64_t>(values.size());
    lookups.push_back(lookup);
    return std::all_of(values.begin(), values.end(),
                       [&](int32_t id) { return id >= 0 && id < lookup.rows; });
  }

  const ir::Node& node_;
  double epsilon_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_skip_normalization(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (node.output(1) != nullptr || node.output(2) != nullptr) return nullptr;
  if (!(node.attr_float("epsilon", 1e-12f) >= 0.0f)) return nullptr;
  return std::make_unique<SkipNormalization>(node,
                                             node.op_type == "SkipSimplifiedLayerNormalization");
}

std::unique_ptr<AcceleratedKernel> accelerate_embed_normalization(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (!(node.attr_float("epsilon", 1e-12f) >= 0.0f)) return nullptr;
  return std::make_unique<EmbedNormalization>(node);
}

}  // namespace fettle::interp
