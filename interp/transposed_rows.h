// The output of a transposed convolution of one sample, row by row.
#pragma once

#include "interp/transposed_image.h"

namespace fettle::interp {

constexpr int64_t floor_div(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}
constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return -floor_div(-a, b);
}

class TransposedRows {
 public:
  TransposedRows(const TransposedGeometry& g, const TransposedOperands& o, int64_t sample)
      : g_(g), o_(o), row_(g.width.output * g.filters), first_(sample * g.height.output * row_) {}

  float* out_row(int64_t y) const { return o_.out + first_ + y * row_; }
  // Output rows start as bias and residual.
  void start(int64_t y) const;
  // Adds the products of input positions [begin, end) of a row with one row of taps, which lie
  // `step` floats apart, to the output row `to`, which begins with the first filter of the group.
  void add_row(const float* from, int64_t step, int64_t begin, int64_t end, float* to) const;
  // Rows [first, last): the clamp, unless it is done, and the function.
  void finish(int64_t first, int64_t last, bool clamped = false) const;

 private:
  void add_taps(const float* from, int64_t step, int64_t origin, int64_t begin, int64_t end,
                float* to) const;
  void add_inner(const float* from, int64_t step, int64_t begin, int64_t end, float* to) const;

 protected:
  const TransposedGeometry& g_;
  const TransposedOperands& o_;
  int64_t row_;    // floats of an output row
  int64_t first_;  // the sample's output
};

}  // namespace fettle::interp
