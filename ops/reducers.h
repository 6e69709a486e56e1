// The folds of the Reduce operators over elements of type T: State, initial(), add(state, element,
// pass) and finish(state, count). Floating sums accumulate in double; integer sums wrap.
#pragma once

#include <cmath>
#include <limits>

#include "ops/dispatch.h"

namespace fettle::ops {

// What most folds share: one pass over an accumulator that starts at 0.
template <typename T>
struct Accumulating {
  using State = Accumulator<T>;
  static constexpr int kPasses = 1;
  static constexpr State initial() { return State{0}; }
  static T finish(State state, int64_t) { return narrow<T>(state); }
  // x in the accumulator's type; negative integers keep their two's complement.
  static State wide(T x) { return static_cast<State>(static_cast<Work<T>>(x)); }
};

template <typename T>
struct SumOf : Accumulating<T> {
  using typename Accumulating<T>::State;
  static void add(State& state, T x, int) { state += Accumulating<T>::wide(x); }
};

// Integer means round toward zero. Over an empty set: NaN, 0 for integers.
template <typename T>
struct MeanOf : SumOf<T> {
  using typename SumOf<T>::State;
  static T finish(State state, int64_t count) {
    if constexpr (kIsFloating<T>) {
      return narrow<T>(state / static_cast<double>(count));
    } else if constexpr (std::is_signed_v<T>) {
      return count == 0 ? T{0} : static_cast<T>(static_cast<int64_t>(state) / count);
    } else {
      return count == 0 ? T{0} : static_cast<T>(state / static_cast<uint64_t>(count));
    }
  }
};

template <typename T>
struct ProductOf : Accumulating<T> {
  using typename Accumulating<T>::State;
  static constexpr State initial() { return State{1}; }
  static void add(State& state, T x, int) { state *= Accumulating<T>::wide(x); }
};

template <typename T>
struct L1Of : Accumulating<T> {
  using typename Accumulating<T>::State;
  static void add(State& state, T x, int) {
    const State w = Accumulating<T>::wide(x);
    state += static_cast<Work<T>>(x) < Work<T>{0} ? State{0} - w : w;
  }
};

template <typename T>
struct SumSquareOf : Accumulating<T> {
  using typename Accumulating<T>::State;
  static void add(State& state, T x, int) {
    const State w = Accumulating<T>::wide(x);
    state += w * w;
  }
};

template <typename T>
struct L2Of : SumSquareOf<T> {
  using typename SumSquareOf<T>::State;
  static T finish(State state, int64_t) {
    return from_double<T>(std::sqrt(static_cast<double>(state)));
  }
};

// Summed in double for integers too.
template <typename T>
struct LogSumOf {
  using State = double;
  static constexpr int kPasses = 1;
  static constexpr State initial() { return 0; }
  static void add(State& state, T x, int) { state += static_cast<double>(x); }
  static T finish(State state, int64_t) { return from_double<T>(std::log(state)); }
};

// log(sum(exp(x))), with the maximum (first pass) taken out of the exponents (second pass).
template <typename T>
struct LogSumExpOf {
  struct State {
    double shift = -std::numeric_limits<double>::infinity();
    double sum = 0;
  };
  static constexpr int kPasses = 2;
  static State initial() { return {}; }
  static void add(State& state, T element, int pass) {
    const auto x = static_cast<double>(element);
    if (pass == 0) {
      if (x > state.shift) state.shift = x;
    } else {
      state.sum += std::exp(std::isfinite(state.shift) ? x - state.shift : x);
    }
  }
  static T finish(State state, int64_t) {
    const double shift = std::isfinite(state.shift) ? state.shift : 0.0;
    return from_double<T>(shift + std::log(state.sum));
  }
};

// The least value of T, as the maximum of an empty set; `greatest` for the minimum.
template <typename T>
constexpr Work<T> extreme(bool greatest) {
  using W = Work<T>;
  if constexpr (kIsFloating<T>) {
    constexpr W kInfinity = std::numeric_limits<W>::infinity();
    return greatest ? kInfinity : -kInfinity;
  } else {
    return greatest ? std::numeric_limits<W>::max() : std::numeric_limits<W>::min();
  }
}

// Bool is ordered as 0 < 1.
template <typename T>
using OrderedState = std::conditional_t<std::is_same_v<T, bool>, uint8_t, Work<T>>;

// NaN among the elements gives NaN.
template <typename T>
struct GreatestOf {
  using State = OrderedState<T>;
  static constexpr int kPasses = 1;
  static constexpr State initial() { return extreme<T>(false); }
  static void add(State& state, T element, int) {
    const State x = element;
    if constexpr (kIsFloating<T>) {
      if (std::isnan(state)) return;
      state = x <= state ? state : x;
    } else {
      state = x > state ? x : state;
    }
  }
  static T finish(State state, int64_t) { return narrow<T>(state); }
};

template <typename T>
struct LeastOf {
  using State = OrderedState<T>;
  static constexpr int kPasses = 1;
  static constexpr State initial() { return extreme<T>(true); }
  static void add(State& state, T element, int) {
    const State x = element;
    if constexpr (kIsFloating<T>) {
      if (std::isnan(state)) return;
      state = x >= state ? state : x;
    } else {
      state = x < state ? x : state;
    }
  }
  static T finish(State state, int64_t) { return narrow<T>(state); }
};

}  // namespace fettle::ops
