// DFT and STFT. The last axis of a signal holds the real part, or the real and imaginary parts.
#include <algorithm>
#include <optional>

#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/families.h"
#include "ops/fourier.h"
#include "ops/real_elements.h"
#include "ops/scalar_operand.h"
#include "ops/scratch.h"

namespace fettle::ops {

namespace {

bool flag(const ir::Node& node, std::string_view name, int64_t fallback) {
  const int64_t value = node.attr_int(name, fallback);
  if (value != 0 && value != 1) {
    fail(ErrorCode::kBadInput, "attribute '{}' must be 0 or 1; found {}", name, value);
  }
  return value == 1;
}

// Which of the four transforms a DFT node is.
struct Direction {
  bool inverse = false;
  bool onesided = false;

  explicit Direction(const ir::Node& node)
      : inverse(flag(node, "inverse", 0)), onesided(flag(node, "onesided", 0)) {}
  bool to_real() const { return inverse && onesided; }
  bool to_half() const { return !inverse && onesided; }
};

// An axis of a signal of `rank` axes; the last, of complex parts, is none.
size_t signal_axis(int64_t axis, int64_t rank) {
  const int64_t result = normalized_axis(axis, rank);
  if (result == rank - 1) {
    fail(ErrorCode::kBadInput, "axis {}: the last axis holds real and imaginary parts", axis);
  }
  return static_cast<size_t>(result);
}

void require_parts(const Direction& d, int64_t parts) {
  const bool known = parts == 1 || parts == 2;
  if (!known || (d.to_half() && parts != 1) || (d.to_real() && parts != 2)) {
    fail(ErrorCode::kBadInput, "expected a last axis of {}, found {}",
         d.to_half()   ? "1 (a real signal)"
         : d.to_real() ? "2 (a complex spectrum)"
                       : "1 or 2",
         parts);
  }
}

// One transform along a strided line of a tensor of doubles [count, parts].
class LineTransform {
 public:
  LineTransform(const Direction& direction, int64_t length)
      : direction_(direction),
        length_(length),
        transform_(length, direction.inverse),
        line_(scratch<Complex>(length)) {}

  // Reads up to `count` numbers of `parts` doubles each, `stride` doubles apart, padded with zeros.
  void read(const double* from, int64_t count, int64_t stride, int64_t parts) {
    const int64_t given = direction_.to_real() ? length_ / 2 + 1 : length_;
    std::fill(line_.begin(), line_.end(), Complex());
    for (int64_t i = 0; i < std::min(count, given); ++i) {
      line_[static_cast<size_t>(i)] = {from[i * stride], parts == 2 ? from[i * stride + 1] : 0.0};
    }
    if (!direction_.to_real()) return;
    // The spectrum of a real signal: X[N - k] is the conjugate of X[k], X[0] and X[N/2] are real.
    line_[0] = line_[0].real();
    for (int64_t k = 1; k <= length_ / 2; ++k) {
      auto& value = line_[static_cast<size_t>(k)];
      if (2 * k == length_) value = value.real();
      line_[static_cast<size_t>(length_ - k)] = std::conj(value);
    }
  }
  Complex& operator[](int64_t i) { return line_[static_cast<size_t>(i)]; }
  // Transforms, scaled by 1 / length when inverse.
  void run() {
    transform_.run(line_.data());
    if (!direction_.inverse) return;
    for (Complex& value : line_) value /= static_cast<double>(length_);
  }

 private:
  Direction direction_;
  int64_t length_;
  FourierTransform transform_;
  std::vector<Complex> line_;
};

int64_t dft_length(const KernelContext& context, const Direction& direction, int64_t extent) {
  const int64_t length = context.has(1)        ? scalar_operand(context, 1, "dft_length")
                         : direction.to_real() ? checked_mul(2, extent - 1)
                                               : extent;
  if (length < 1) {
    fail(ErrorCode::kBadInput, "expected a positive dft_length, found {}", length);
  }
  return length;
}

void dft(KernelContext& context, int64_t wanted_axis) {
  const ir::Tensor& x = context.input(0);
  const Direction direction(context.node());
  if (x.rank() < 2 || !is_real(x.type())) {
    fail(ErrorCode::kBadInput, "expected a floating-point signal [..., 1 or 2], found {} {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
  const size_t axis = signal_axis(wanted_axis, static_cast<int64_t>(x.rank()));
  const int64_t parts = x.dims().back();
  require_parts(direction, parts);
  const int64_t length = dft_length(context, direction, x.dim(axis));
  ir::Dims dims = x.dims();
  dims[axis] = direction.to_half() ? length / 2 + 1 : length;
  dims.back() = direction.to_real() ? 1 : 2;
  ir::Tensor& y = context.output(0, x.type(), dims);
  if (y.size() == 0) return;
  const ir::Tensor values = as_doubles(x);
  LineTransform line(direction, length);
  int64_t inner = 1;
  for (size_t i = axis + 1; i + 1 < x.rank(); ++i) inner *= x.dim(i);
  const int64_t outer = y.size() / (inner * dims[axis] * dims.back());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      const int64_t from = (o * x.dim(axis) * inner + i) * parts;
      line.read(values.data<double>().data() + from, x.dim(axis), inner * parts, parts);
      line.run();
      for (int64_t k = 0; k < dims[axis]; ++k) {
        const int64_t to = ((o * dims[axis] + k) * inner + i) * dims.back();
        store_double(line[k].real(), y, to);
        if (dims.back() == 2) store_double(line[k].imag(), y, to + 1);
      }
    }
  }
}

void dft_17(KernelContext& context) {
  dft(context, context.node().attr_int("axis", 1));
}
void dft_20(KernelContext& context) {
  dft(context, context.has(2) ? scalar_operand(context, 2, "the axis") : -2);
}

void infer_dft(InferContext& context, std::optional<int64_t> wanted_axis) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, context.element(0));
  const Direction direction(context.node());
  ir::Shape out(x->size());
  if (out.size() < 2) {
    fail(ErrorCode::kBadInput, "expected a signal of at least 2 axes, found {}", ir::to_string(*x));
  }
  if (x->back().known()) require_parts(direction, x->back().value);
  if (wanted_axis) {
    const size_t axis = signal_axis(*wanted_axis, static_cast<int64_t>(x->size()));
    out = *x;
    const ir::Dim one = ir::Dim::of(1);
    ir::Dim& extent = out[axis];
    if (context.has(1)) {
      extent = known_scalar(context, 1);
    } else if (direction.to_real()) {
      extent = dim_mul(dim_sub(extent, one), ir::Dim::of(2));
    }
    if (direction.to_half()) extent = dim_add(dim_floor_div(extent, ir::Dim::of(2)), one);
  }
  out.back() = ir::Dim::of(direction.to_real() ? 1 : 2);
  context.set(0, context.element(0), std::move(out));
}

void infer_dft_17(InferContext& context) {
  infer_dft(context, context.node().attr_int("axis", 1));
}
void infer_dft_20(InferContext& context) {
  if (!context.has(2)) return infer_dft(context, -2);
  infer_dft(context, int_value(known_scalar(context, 2)));
}

// --- STFT ------------------------------------------------------------------------------------

struct Frames {
  int64_t step = 1;
  int64_t length = 0;
  int64_t count = 0;
  int64_t bins = 0;
};

Frames frames_of(const KernelContext& context, bool onesided) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor* window = context.optional(2);
  const bool fits = x.rank() == 3 && (x.dim(2) == 1 || (x.dim(2) == 2 && !onesided)) &&
                    is_real(x.type()) &&
                    (window == nullptr || (window->rank() == 1 && window->type() == x.type()));
  if (!fits) {
    fail(ErrorCode::kBadInput,
         "expected a floating-point signal [batch, length, {}] and a window [frame_length] of its "
         "type; found {} {}",
         onesided ? "1" : "1 or 2", ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
  Frames f;
  f.step = scalar_operand(context, 1, "frame_step");
  f.length = context.has(3)      ? scalar_operand(context, 3, "frame_length")
             : window != nullptr ? window->dim(0)
                                 : x.dim(1);
  if (f.step < 1 || f.length < 1 || f.length > x.dim(1)) {
    fail(ErrorCode::kBadInput,
         "expected frame_step >= 1 and frame_length in [1, {}], found {} and {}", x.dim(1), f.step,
         f.length);
  }
  if (window != nullptr && window->dim(0) != f.length) {
    fail(ErrorCode::kBadInput, "the window has {} elements, the frame {}", window->dim(0),
         f.length);
  }
  f.count = (x.dim(1) - f.length) / f.step + 1;
  f.bins = onesided ? f.length / 2 + 1 : f.length;
  return f;
}

void stft(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  const bool onesided = flag(context.node(), "onesided", 1);
  const Frames f = frames_of(context, onesided);
  ir::Tensor& y = context.output(0, x.type(), {x.dim(0), f.count, f.bins, 2});
  if (y.size() == 0) return;
  const ir::Tensor values = as_doubles(x);
  const ir::Tensor window = context.has(2) ? as_doubles(context.input(2)) : ir::Tensor();
  const double* factors = window.defined() ? window.data<double>().data() : nullptr;
  const int64_t parts = x.dim(2);
  FourierTransform transform(f.length, false);
  std::vector<Complex> frame = scratch<Complex>(f.length);
  int64_t to = 0;
  for (int64_t n = 0; n < x.dim(0); ++n) {
    for (int64_t i = 0; i < f.count; ++i) {
      const double* from = values.data<double>().data() + (n * x.dim(1) + i * f.step) * parts;
      for (int64_t k = 0; k < f.length; ++k) {
        const Complex value(from[k * parts], parts == 2 ? from[k * parts + 1] : 0.0);
        frame[static_cast<size_t>(k)] = factors != nullptr ? value * factors[k] : value;
      }
      transform.run(frame.data());
      for (int64_t k = 0; k < f.bins; ++k) {
        store_double(frame[static_cast<size_t>(k)].real(), y, to++);
        store_double(frame[static_cast<size_t>(k)].imag(), y, to++);
      }
    }
  }
}

void infer_stft(InferContext& context) {
  ir::Shape out(4);
  out[3] = ir::Dim::of(2);
  const ir::Shape* x = context.shape(0);
  const ir::Shape* window = context.shape(2);
  if (x != nullptr && x->size() != 3) {
    fail(ErrorCode::kBadInput, "expected a signal [batch, length, parts], found {}",
         ir::to_string(*x));
  }
  if (x != nullptr) out[0] = (*x)[0];
  ir::Dim length = ir::Dim::unknown();
  if (context.has(3)) length = known_scalar(context, 3);
  if (!length.known() && window != nullptr && window->size() == 1) length = window->front();
  if (!context.has(2) && !context.has(3) && x != nullptr) length = (*x)[1];
  const ir::Dim step = known_scalar(context, 1);
  if (x != nullptr && step.known() && step.value > 0) {
    out[1] = dim_add(int_floor_div(int_sub((*x)[1], length), step), ir::Dim::of(1));
  }
  out[2] = flag(context.node(), "onesided", 1)
               ? dim_add(dim_floor_div(length, ir::Dim::of(2)), ir::Dim::of(1))
               : length;
  context.set(0, context.element(0), std::move(out));
}

constexpr OpDef kOps[] = {
    {"", "DFT", 17, infer_dft_17, dft_17, kNoFacts, 0b10},
    {"", "DFT", 20, infer_dft_20, dft_20, kNoFacts, 0b110},
    {"", "STFT", 17, infer_stft, stft, kNoFacts, 0b1010},
};

}  // namespace

std::span<const OpDef> signal_ops() {
  return kOps;
}

}  // namespace fettle::ops
