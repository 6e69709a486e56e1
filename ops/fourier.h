// The discrete Fourier transform of one signal, of any length, in double precision.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace fettle::ops {

using Complex = std::complex<double>;

// X[k] = sum of x[n] * exp(-+2 pi i k n / N) over n, not scaled: by Cooley and Tukey's algorithm
// for powers of two, by the sum itself for other short lengths, and as Bluestein's convolution of
// powers of two else. Time is O(N log N) for every N.
class FourierTransform {
 public:
  // Throws kLimit when the working memory exceeds the memory limit. `length` must be positive.
  FourierTransform(int64_t length, bool inverse);
  // Transforms `length` numbers in place.
  void run(Complex* x);

 private:
  void run_bluestein(Complex* x);

  int64_t length_;
  int64_t padded_ = 0;           // length of Bluestein's convolution; 0 when not needed
  std::vector<Complex> roots_;   // exp(-+2 pi i k / length), or Bluestein's chirp
  std::vector<Complex> kernel_;  // transform of the conjugated chirp
  std::vector<Complex> work_;
  std::vector<Complex> padded_roots_;
};

}  // namespace fettle::ops
