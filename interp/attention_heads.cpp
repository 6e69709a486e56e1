#include "interp/attention_heads.h"

#include <algorithm>
#include <limits>

#include "interp/float_product.h"
#include "interp/parallel.h"
#include "interp/simd.h"
#include "interp/subnormals.h"
#include "interp/vector_math.h"
#include "ops/checked.h"
#include "ops/real_elements.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// The greatest of n >= 1 numbers, those that are NaN aside.
FETTLE_VECTORIZED
double max_of(const double* x, int64_t n) {
  double greatest = -std::numeric_limits<double>::infinity();
#pragma omp simd reduction(max : greatest)
  for (int64_t i = 0; i < n; ++i) greatest = x[i] > greatest ? x[i] : greatest;
  return greatest;
}

// y[i] = x[i] - shift.
FETTLE_VECTORIZED
void shift_row(const double* x, double shift, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] - shift);
}

// The bias of a query in float32, `bias` is scratch; false when it masks all keys. Weights do not
// change when a number is added to all of it: with the greatest at 0, large ones that all keys
// share take no digits from the scores.
bool float_bias(const ops::AddBias& add, int64_t b, int64_t h, int64_t position,
                std::vector<double>& bias, float* to) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::fill(bias.begin(), bias.end(), 0.0);
  add(b, h, position, bias);
  const auto keys = static_cast<int64_t>(bias.size());
  const double greatest = max_of(bias.data(), keys);
  if (greatest == -kInfinity &&
      std::all_of(bias.begin(), bias.end(), [](double x) { return x == -kInfinity; })) {
    return false;
  }
  shift_row(bias.data(), greatest == -kInfinity ? 0.0 : greatest, to, keys);
  return true;
}

// Vectors of float32 to read.
struct FloatHeads {
  const float* data = nullptr;
  ops::HeadLayout at;
  ir::Tensor storage;  // of the data where they are not an operand's own

  const float* head(int64_t b, int64_t h) const { return data + at.offset(b, h, 0); }
};

// Copies vectors of one head, with the bias added.
void copy_vectors(const ops::Heads& from, int64_t b, int64_t h, float* to) {
  const float* data = from.tensor->data<float>().data();
  const int64_t size = from.at.size;
  for (int64_t p = 0; p < from.at.positions; ++p, to += size) {
    const float* vector = data + from.at.offset(b, h, p);
    if (from.bias == nullptr) {
      std::copy_n(vector, size, to);
      continue;
    }
    const double* add = from.bias + h * size;
    for (int64_t i = 0; i < size; ++i) to[i] = vector[i] + static_cast<float>(add[i]);
  }
}

FloatHeads float_heads(const ops::CachedHeads& heads) {
  const ops::Heads& current = heads.current;
  if (!heads.past && current.bias == nullptr) {
    return {current.tensor->data<float>().data(), current.at, {}};
  }
  const int64_t positions = heads.positions();
  const ir::Dims dims = {current.at.batch, current.at.heads, positions, current.at.size};
  FloatHeads all{nullptr, ops::stacked_heads(dims, "vectors"), ir::Tensor(kFloat, dims)};
  float* to = all.storage.mutable_data<float>().data();
  all.data = to;
  for_each_row(dims[0] * dims[1], positions * dims[3], [&](int64_t i) {
    const int64_t b = i / dims[1];
    const int64_t h = i % dims[1];
    float* head = to + i * positions * dims[3];
    if (heads.past) copy_vectors(*heads.past, b, h, head);
    copy_vectors(current, b, h, head + heads.past_positions() * dims[3]);
  });
  return all;
}

class Attention {
 public:
  Attention(const ops::AttentionOperands& operands, const ops::AddBias& add_bias, float* out,
            const ops::HeadLayout& layout)
      : query_(float_heads({std::nullopt, operands.query})),
        key_(float_heads(operands.key)),
        value_(float_heads(operands.value)),
        group_(operands.group()),
        scale_(static_cast<float>(operands.scale)),
        cap_(static_cast<float>(operands.softcap)),
        add_bias_(add_bias),
        out_(out),
        layout_(layout) {}

  void run() {
    if (add_bias_) share_bias();
    const ops::HeadLayout& q = query_.at;
    const int64_t keys = key_.at.positions;
    const int64_t rows = block_rows(q.positions, keys);
    const int64_t blocks = (q.positions + rows - 1) / rows;
    const int64_t heads = q.batch * q.heads;
    const int64_t vectors = q.size + value_.at.size + kWeightCost;
    const int64_t work = heads * q.positions * keys * vectors;
    const int64_t read = heads / group_ * keys * (q.size + value_.at.size);
    for_each_index(heads * blocks, worth_sharing(work, read), [&](int64_t task) {
      const int64_t head = task / blocks;
      const int64_t first = task % blocks * rows;
      run_block(head / q.heads, head % q.heads, first, std::min(rows, q.positions - first));
    });
  }

 private:
  static constexpr int64_t kWeightCost = 16;  // of a score and its weight, in multiplications
  static constexpr int64_t kBlockScores = 64 << 10;
  static constexpr int64_t kMostSharedBias = 4 << 20;  // floats

  // Scores of a block stay in the cache; many rows repay that keys and values are turned over and
  // packed for each block.
  static int64_t block_rows(int64_t queries, int64_t keys) {
    constexpr int64_t kStep = 8 * kTileRows;
    const int64_t rows = std::clamp(kBlockScores / keys / kStep * kStep, kStep, 4 * kStep);
    return std::min(rows, queries);
  }

  void run_block(int64_t b, int64_t h, int64_t first, int64_t rows) const {
    const int64_t keys = key_.at.positions;
    const auto floats = static_cast<size_t>(rows * (keys + 1));
    const auto storage = ir::Buffer::allocate(floats * sizeof(float));
    auto* scores = reinterpret_cast<float*>(storage->mutable_data());
    float* factors = scores + rows * keys;
    const LeftMatrix query{query_.head(b, h) + first * query_.at.position_stride, rows,
                           query_.at.position_stride, 1};
    const MatrixView key{key_.head(b, h / group_), key_.at.size, keys, 1,
                         key_.at.position_stride};
    ProductEnd end;
    end.scale = scale_;
    multiply_here(query, key, end, scores, keys);
    weigh(b, h, first, rows, scores, factors);
    const LeftMatrix weights{scores, rows, keys, 1};
    const MatrixView value{value_.head(b, h / group_), keys, value_.at.size,
                           value_.at.position_stride, 1};
    float* out = out_ + layout_.offset(b, h, first);
    multiply_here(weights, value, {}, out, layout_.position_stride);
    for (int64_t r = 0; r < rows; ++r, out += layout_.position_stride) {
      if (factors[r] == 0.0f) {
        std::fill_n(out, layout_.size, 0.0f);
      } else {
        affine_row(out, factors[r], 0.0f, out, layout_.size);
      }
    }
  }

  // Computes the bias once for all heads where it is the same for them.
  void share_bias() {
    const ops::HeadLayout& q = query_.at;
    const int64_t keys = key_.at.positions;
    const int64_t queries = q.batch * q.positions;
    if (add_bias_.per_head || q.heads == 1 || queries > kMostSharedBias / keys) return;
    shared_bias_ = ir::Tensor(kFloat, {queries, keys});
    attends_.assign(static_cast<size_t>(queries), 0);
    float* to = shared_bias_.mutable_data<float>().data();
    for_each_row(queries, keys * 4, [&](int64_t i) {
      std::vector<double> scratch(static_cast<size_t>(keys));
      attends_[static_cast<size_t>(i)] = float_bias(add_bias_, i / q.positions, 0, i % q.positions,
                                                    scratch, to + i * keys);
    });
  }

  // Adds the bias of a query to its scores; false when it masks all keys.
  bool add_bias(int64_t b, int64_t h, int64_t position, std::vector<double>& scratch, float* row,
                float* scores) const {
    const int64_t keys = key_.at.positions;
    if (!shared_bias_.defined()) {
      if (!float_bias(add_bias_, b, h, position, scratch, row)) return false;
      add_scaled_row(1.0f, row, scores, keys);
      return true;
    }
    const int64_t query = b * query_.at.positions + position;
    if (attends_[static_cast<size_t>(query)] == 0) return false;
    add_scaled_row(1.0f, shared_bias_.data<float>().data() + query * keys, scores, keys);
    return true;
  }

  // Turns rows of scores into weights, each row yet to be multiplied by its factor: 0 where there
  // is nothing to attend to.
  void weigh(int64_t b, int64_t h, int64_t first, int64_t rows, float* scores,
             float* factors) const {
    const int64_t keys = key_.at.positions;
    const bool own = add_bias_ && !shared_bias_.defined();
    std::vector<double> bias(own ? static_cast<size_t>(keys) : 0);
    std::vector<float> row(bias.size());
    for (int64_t r = 0; r < rows; ++r, scores += keys) {
      if (cap_ > 0.0f) {
        affine_row(scores, 1.0f / cap_, 0.0f, scores, keys);
        tanh_row(scores, scores, keys);
        affine_row(scores, cap_, 0.0f, scores, keys);
      }
      const bool attends = !add_bias_ || add_bias(b, h, first + r, bias, row.data(), scores);
      factors[r] = attends ? softmax(scores, keys) : 0.0f;
      if (factors[r] == 0.0f) std::fill_n(scores, keys, 0.0f);
    }
  }

  static float softmax(float* scores, int64_t keys) {
    const float greatest = max_row(scores, keys);
    constexpr float kNothing = -std::numeric_limits<float>::infinity();
    if (greatest == kNothing &&
        std::all_of(scores, scores + keys, [](float x) { return x == kNothing; })) {
      return 0.0f;
    }
    return static_cast<float>(1.0 / exp_shifted_row(scores, greatest, scores, keys));
  }

  FloatHeads query_, key_, value_;
  int64_t group_;
  float scale_;
  float cap_;  // 0: none
  const ops::AddBias& add_bias_;
  ir::Tensor shared_bias_;         // of all queries, or undefined
  std::vector<uint8_t> attends_;  // per query: 0 where that masks all keys
  float* out_;
  const ops::HeadLayout& layout_;
};

}  // namespace

void attend_floats(const ops::AttentionOperands& operands, const ops::AddBias& bias,
                   const ops::ScoreOutput& scores, ir::Tensor& out,
                   const ops::HeadLayout& layout) {
  FETTLE_ASSERT(scores.tensor == nullptr);
  if (layout.empty()) return;
  float* to = out.mutable_data<float>().data();
  if (operands.key.positions() == 0) {
    std::fill_n(to, out.size(), 0.0f);
    return;
  }
  const FlushSubnormals flush;
  Attention(operands, bias, to, layout).run();
}

}  // namespace fettle::interp
