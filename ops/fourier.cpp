#include "ops/fourier.h"

#include <algorithm>
#include <bit>
#include <numbers>
#include <utility>

#include "ops/checked.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

// Lengths up to which the defining sum is at least as fast as a convolution, and more exact.
constexpr int64_t kDirect = 64;

bool power_of_two(int64_t n) {
  return (n & (n - 1)) == 0;
}

// exp(sign * 2 pi i k / n) for k in [0, count).
std::vector<Complex> roots_of_unity(int64_t n, int64_t count, double sign) {
  std::vector<Complex> roots = scratch<Complex>(count);
  for (int64_t k = 0; k < count; ++k) {
    const double angle =
        sign * 2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    roots[static_cast<size_t>(k)] = std::polar(1.0, angle);
  }
  return roots;
}

// Plain products: infinities need no recovery here, the sums they enter are not finite anyway.
Complex times(const Complex& a, const Complex& b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// Transforms n = 2^m numbers in place; roots[k] = exp(-+2 pi i k / n), conjugated when `conjugate`.
void radix_two(Complex* x, int64_t n, const std::vector<Complex>& roots, bool conjugate) {
  for (int64_t i = 1, j = 0; i < n; ++i) {
    int64_t bit = n >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (int64_t half = 1; half < n; half *= 2) {
    const int64_t step = n / (2 * half);
    for (int64_t begin = 0; begin < n; begin += 2 * half) {
      for (int64_t k = 0; k < half; ++k) {
        const Complex root = roots[static_cast<size_t>(k * step)];
        const Complex odd = times(x[begin + half + k], conjugate ? std::conj(root) : root);
        const Complex even = x[begin + k];
        x[begin + k] = even + odd;
        x[begin + half + k] = even - odd;
      }
    }
  }
}

}  // namespace

FourierTransform::FourierTransform(int64_t length, bool inverse) : length_(length) {
  const double sign = inverse ? 1.0 : -1.0;
  if (power_of_two(length)) {
    roots_ = roots_of_unity(length, length / 2 + 1, sign);
    return;
  }
  if (length <= kDirect) {
    roots_ = roots_of_unity(length, length, sign);
    work_ = scratch<Complex>(length);
    return;
  }
  // k n = (k^2 + n^2 - (k - n)^2) / 2 makes the sum a convolution with the chirp exp(-+pi i k^2/N).
  padded_ = static_cast<int64_t>(
      std::bit_ceil(static_cast<uint64_t>(checked_add(checked_mul(length, 2), -1))));
  const std::vector<Complex> twice = roots_of_unity(2 * length, 2 * length, sign);
  roots_ = scratch<Complex>(length);
  int64_t square = 0;  // k^2 modulo 2 N
  for (int64_t k = 0; k < length; ++k) {
    roots_[static_cast<size_t>(k)] = twice[static_cast<size_t>(square)];
    square = (square + 2 * k + 1) % (2 * length);
  }
  padded_roots_ = roots_of_unity(padded_, padded_ / 2 + 1, -1.0);
  kernel_ = scratch<Complex>(padded_);
  work_ = scratch<Complex>(padded_);
  for (int64_t k = 0; k < length; ++k) {
    const Complex value = std::conj(roots_[static_cast<size_t>(k)]);
    kernel_[static_cast<size_t>(k)] = value;
    if (k > 0) kernel_[static_cast<size_t>(padded_ - k)] = value;
  }
  radix_two(kernel_.data(), padded_, padded_roots_, false);
}

void FourierTransform::run(Complex* x) {
  if (padded_ != 0) return run_bluestein(x);
  if (power_of_two(length_)) return radix_two(x, length_, roots_, false);
  for (int64_t k = 0; k < length_; ++k) {
    Complex sum = 0;
    for (int64_t n = 0; n < length_; ++n) {
      sum += times(x[n], roots_[static_cast<size_t>(k * n % length_)]);
    }
    work_[static_cast<size_t>(k)] = sum;
  }
  for (int64_t k = 0; k < length_; ++k) x[k] = work_[static_cast<size_t>(k)];
}

void FourierTransform::run_bluestein(Complex* x) {
  std::fill(work_.begin(), work_.end(), Complex());
  for (int64_t k = 0; k < length_; ++k) {
    work_[static_cast<size_t>(k)] = times(x[k], roots_[static_cast<size_t>(k)]);
  }
  radix_two(work_.data(), padded_, padded_roots_, false);
  for (size_t k = 0; k < work_.size(); ++k) work_[k] = times(work_[k], kernel_[k]);
  radix_two(work_.data(), padded_, padded_roots_, true);
  const double scale = 1.0 / static_cast<double>(padded_);
  for (int64_t k = 0; k < length_; ++k) {
    x[k] = times(work_[static_cast<size_t>(k)], roots_[static_cast<size_t>(k)]) * scale;
  }
}

}  // namespace fettle::ops
