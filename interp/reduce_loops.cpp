#include "interp/reduce_loops.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "interp/simd.h"
#include "interp/vector_functions.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

// Sixteen columns at a time stay in registers while rows go by.
template <typename State, typename F>
[[gnu::always_inline]] inline void fold_columns(State* states, const float* x, int64_t n,
                                                int64_t rows, int64_t stride, F f) {
  constexpr int64_t kLanes = 16;
  int64_t at = 0;
  for (; at + kLanes <= n; at += kLanes) {
    State lanes[kLanes];
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] = states[at + j];
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = x + r * stride + at;
#pragma omp simd
      for (int64_t j = 0; j < kLanes; ++j) lanes[j] = f(lanes[j], static_cast<State>(row[j]));
    }
    for (int64_t j = 0; j < kLanes; ++j) states[at + j] = lanes[j];
  }
  if (at == n) return;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * stride;
    for (int64_t j = at; j < n; ++j) states[j] = f(states[j], static_cast<State>(row[j]));
  }
}

// Sixteen partial folds, joined at the end.
template <typename State, typename F>
[[gnu::always_inline]] inline State fold_lanes(State state, State neutral, const float* x,
                                               int64_t n, F f) {
  constexpr int64_t kLanes = 16;
  State lanes[kLanes];
  for (State& lane : lanes) lane = neutral;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] = f(lanes[j], static_cast<State>(x[i + j]));
  }
  for (; i < n; ++i) state = f(state, static_cast<State>(x[i]));
  for (const State lane : lanes) state = f(state, lane);
  return state;
}

double sum_of_row(double state, const float* x, int64_t n) {
  return state + sum_row(x, n);
}
FETTLE_VECTORIZED void sum_columns(double* states, const float* x, int64_t n, int64_t rows,
                                   int64_t stride) {
  fold_columns(states, x, n, rows, stride, [](double s, double v) FETTLE_INLINED { return s + v; });
}
double magnitudes_of_row(double state, const float* x, int64_t n) {
  return state + magnitudes_row(x, n);
}
FETTLE_VECTORIZED void magnitude_columns(double* states, const float* x, int64_t n, int64_t rows,
                                         int64_t stride) {
  fold_columns(states, x, n, rows, stride,
               [](double s, double v) FETTLE_INLINED { return s + std::abs(v); });
}
double squares_of_row(double state, const float* x, int64_t n) {
  return state + squares_row(x, 0.0, n);
}
FETTLE_VECTORIZED void square_columns(double* states, const float* x, int64_t n, int64_t rows,
                                      int64_t stride) {
  fold_columns(states, x, n, rows, stride,
               [](double s, double v) FETTLE_INLINED { return s + v * v; });
}
FETTLE_VECTORIZED double product_of_row(double state, const float* x, int64_t n) {
  return fold_lanes(state, 1.0, x, n, [](double s, double v) FETTLE_INLINED { return s * v; });
}
FETTLE_VECTORIZED void product_columns(double* states, const float* x, int64_t n, int64_t rows,
                                       int64_t stride) {
  fold_columns(states, x, n, rows, stride, [](double s, double v) FETTLE_INLINED { return s * v; });
}

// The greater of both, or NaN when either is; the like for the lesser.
[[gnu::always_inline]] inline float greater(float s, float v) {
  const bool keep = static_cast<int>(v <= s) | static_cast<int>(s != s);
  return keep ? s : v;
}
[[gnu::always_inline]] inline float lesser(float s, float v) {
  const bool keep = static_cast<int>(v >= s) | static_cast<int>(s != s);
  return keep ? s : v;
}
constexpr float kInfinity = std::numeric_limits<float>::infinity();

FETTLE_VECTORIZED float greatest_of_row(float state, const float* x, int64_t n) {
  return fold_lanes(state, -kInfinity, x, n,
                    [](float s, float v) FETTLE_INLINED { return greater(s, v); });
}
FETTLE_VECTORIZED void greatest_columns(float* states, const float* x, int64_t n, int64_t rows,
                                        int64_t stride) {
  fold_columns(states, x, n, rows, stride,
               [](float s, float v) FETTLE_INLINED { return greater(s, v); });
}
FETTLE_VECTORIZED float least_of_row(float state, const float* x, int64_t n) {
  return fold_lanes(state, kInfinity, x, n,
                    [](float s, float v) FETTLE_INLINED { return lesser(s, v); });
}
FETTLE_VECTORIZED void least_columns(float* states, const float* x, int64_t n, int64_t rows,
                                     int64_t stride) {
  fold_columns(states, x, n, rows, stride,
               [](float s, float v) FETTLE_INLINED { return lesser(s, v); });
}

float as_it_is(double state, int64_t) {
  return static_cast<float>(state);
}
float divided(double state, int64_t count) {
  return static_cast<float>(state / static_cast<double>(count));
}
float rooted(double state, int64_t) {
  return static_cast<float>(std::sqrt(state));
}
float logarithm(double state, int64_t) {
  return static_cast<float>(std::log(state));
}
float same(float state, int64_t) {
  return state;
}

constexpr Fold<float, double> kSum{0.0, sum_of_row, sum_columns, as_it_is};
constexpr Fold<float, double> kMean{0.0, sum_of_row, sum_columns, divided};
constexpr Fold<float, double> kL1{0.0, magnitudes_of_row, magnitude_columns, as_it_is};
constexpr Fold<float, double> kL2{0.0, squares_of_row, square_columns, rooted};
constexpr Fold<float, double> kSquares{0.0, squares_of_row, square_columns, as_it_is};
constexpr Fold<float, double> kLogSum{0.0, sum_of_row, sum_columns, logarithm};
constexpr Fold<float, double> kProduct{1.0, product_of_row, product_columns, as_it_is};
constexpr Fold<float, float> kGreatest{-kInfinity, greatest_of_row, greatest_columns, same};
constexpr Fold<float, float> kLeast{kInfinity, least_of_row, least_columns, same};

struct Plus {
  int64_t operator()(int64_t s, int64_t v) const {
    return static_cast<int64_t>(static_cast<uint64_t>(s) + static_cast<uint64_t>(v));
  }
};
struct Times {
  int64_t operator()(int64_t s, int64_t v) const {
    return static_cast<int64_t>(static_cast<uint64_t>(s) * static_cast<uint64_t>(v));
  }
};
struct Greatest {
  int64_t operator()(int64_t s, int64_t v) const { return v > s ? v : s; }
};
struct Least {
  int64_t operator()(int64_t s, int64_t v) const { return v < s ? v : s; }
};

template <typename T, typename F>
int64_t integer_row(int64_t state, const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) state = F{}(state, x[i]);
  return state;
}
template <typename T, typename F>
void integer_columns(int64_t* states, const T* x, int64_t n, int64_t rows, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) states[j] = F{}(states[j], x[r * stride + j]);
  }
}
template <typename T>
T narrowed(int64_t state, int64_t) {
  return static_cast<T>(state);
}
// Rounded toward zero.
template <typename T>
T mean_of(int64_t state, int64_t count) {
  return count == 0 ? T{0} : static_cast<T>(state / count);
}

template <typename T, typename F>
constexpr Fold<T, int64_t> integers(int64_t initial, T (*finish)(int64_t, int64_t) = narrowed<T>) {
  return {initial, integer_row<T, F>, integer_columns<T, F>, finish};
}
template <typename T>
struct IntegerFolds {
  static constexpr Fold<T, int64_t> kSum = integers<T, Plus>(0);
  static constexpr Fold<T, int64_t> kMean = integers<T, Plus>(0, mean_of<T>);
  static constexpr Fold<T, int64_t> kProduct = integers<T, Times>(1);
  static constexpr Fold<T, int64_t> kGreatest =
      integers<T, Greatest>(std::numeric_limits<T>::min());
  static constexpr Fold<T, int64_t> kLeast = integers<T, Least>(std::numeric_limits<T>::max());
};
using Ints = IntegerFolds<int32_t>;
using Longs = IntegerFolds<int64_t>;

constexpr std::array kRows{
    FoldRow{"GlobalAveragePool", &kMean},
    FoldRow{"GlobalMaxPool", nullptr, &kGreatest},
    FoldRow{"ReduceL1", &kL1},
    FoldRow{"ReduceL2", &kL2},
    FoldRow{"ReduceLogSum", &kLogSum},
    FoldRow{"ReduceMax", nullptr, &kGreatest, &Ints::kGreatest, &Longs::kGreatest},
    FoldRow{"ReduceMean", &kMean, nullptr, &Ints::kMean, &Longs::kMean},
    FoldRow{"ReduceMin", nullptr, &kLeast, &Ints::kLeast, &Longs::kLeast},
    FoldRow{"ReduceProd", &kProduct, nullptr, &Ints::kProduct, &Longs::kProduct},
    FoldRow{"ReduceSum", &kSum, nullptr, &Ints::kSum, &Longs::kSum},
    FoldRow{"ReduceSumSquare", &kSquares},
};

}  // namespace

const FoldRow* fold_row(std::string_view op) {
  for (const FoldRow& row : kRows) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

}  // namespace fettle::interp
