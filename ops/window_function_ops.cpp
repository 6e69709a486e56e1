// HannWindow, HammingWindow, BlackmanWindow and MelWeightMatrix.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/dispatch.h"
#include "ops/families.h"
#include "ops/real_elements.h"
#include "ops/scalar_operand.h"
#include "ops/type_attribute.h"

namespace fettle::ops {
namespace {

ir::DataType output_type(const ir::Node& node) {
  return type_attribute(node, "output_datatype", ir::DataType::kFloat);
}

// a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N).
struct CosineWindow {
  double a0;
  double a1;
  double a2;
};
constexpr CosineWindow kHann = {0.5, 0.5, 0.0};
constexpr CosineWindow kHamming = {25.0 / 46.0, 21.0 / 46.0, 0.0};
constexpr CosineWindow kBlackman = {0.42, 0.5, 0.08};

template <const CosineWindow& window>
void window_function(KernelContext& context) {
  const int64_t size = scalar_operand(context, 0, "the size");
  if (size < 0) fail(ErrorCode::kBadInput, "expected a size >= 0, found {}", size);
  const bool periodic = context.node().attr_int("periodic", 1) != 0;
  // A symmetric window of one point is its peak.
  const double period = static_cast<double>(periodic ? size : std::max<int64_t>(size - 1, 1));
  const double phase = !periodic && size == 1 ? 0.5 : 0.0;
  const ir::DataType type = output_type(context.node());
  ir::Tensor& out = context.output(0, type, {size});
  dispatch(NumericTypes{}, type, [&]<typename T>(Tag<T>) {
    T* to = out.mutable_data<T>().data();
    for (int64_t n = 0; n < size; ++n) {
      const double angle = 2.0 * std::numbers::pi * (static_cast<double>(n) / period + phase);
      to[n] = from_double<T>(window.a2 * std::cos(2.0 * angle) -
                             window.a1 * std::cos(angle) + window.a0);
    }
  });
}

void infer_window_function(InferContext& context) {
  context.set(0, output_type(context.node()), ir::Shape{known_scalar(context, 0)});
}

// --- MelWeightMatrix -------------------------------------------------------------------------

double to_mel(double hertz) {
  return 2595.0 * std::log1p(hertz / 700.0) / std::numbers::ln10;
}
double from_mel(double mel) {
  return 700.0 * std::expm1(mel / 2595.0 * std::numbers::ln10);
}

double scalar_hertz(const KernelContext& context, size_t operand) {
  const ir::Tensor& tensor = context.input(operand);
  if (tensor.size() != 1 || !is_real(tensor.type())) {
    fail(ErrorCode::kBadInput, "input {}: expected one frequency, found {} {}", operand,
         ir::data_type_name(tensor.type()), ir::to_string(tensor.dims()));
  }
  return ir::element_as_double(tensor, 0);
}

// The filters' edges as bins of the spectrum: filter i rises over [edge i, edge i + 1] and falls
// over [edge i + 1, edge i + 2].
class MelEdges {
 public:
  explicit MelEdges(const KernelContext& context)
      : filters_(scalar_operand(context, 0, "num_mel_bins")),
        length_(scalar_operand(context, 1, "dft_length")),
        rate_(scalar_operand(context, 2, "sample_rate")) {
    const double low = scalar_hertz(context, 3);
    const double high = scalar_hertz(context, 4);
    if (filters_ < 0 || length_ < 0 || rate_ < 1 || !(low >= 0) || !(high >= low) ||
        !std::isfinite(high)) {
      fail(ErrorCode::kBadInput,
           "expected sizes >= 0, sample_rate >= 1 and 0 <= lower edge <= upper edge; found {} "
           "bins, dft_length {}, sample_rate {} and edges {} and {}",
           filters_, length_, rate_, low, high);
    }
    low_ = to_mel(low);
    step_ = (to_mel(high) - low_) / (static_cast<double>(filters_) + 2.0);
  }

  int64_t filters() const { return filters_; }
  int64_t bins() const { return length_ / 2 + 1; }
  int64_t at(int64_t i) const {
    const double hertz = from_mel(static_cast<double>(i) * step_ + low_);
    const double bin =
        std::floor((static_cast<double>(length_) + 1) * hertz / static_cast<double>(rate_));
    if (!(bin >= 0) || bin >= static_cast<double>(bins())) {
      fail(ErrorCode::kBadInput, "a mel filter reaches bin {} of {}: lower the upper edge", bin,
           bins());
    }
    return static_cast<int64_t>(bin);
  }

 private:
  int64_t filters_;
  int64_t length_;
  int64_t rate_;
  double low_ = 0;
  double step_ = 0;
};

template <typename T>
void fill_filter(T* column, int64_t stride, int64_t low, int64_t center, int64_t high) {
  const auto ratio = [](int64_t a, int64_t b) {
    return from_double<T>(static_cast<double>(a) / static_cast<double>(b));
  };
  if (low == center) column[center * stride] = T(1);
  for (int64_t j = low; low < center && j <= center; ++j) {
    column[j * stride] = ratio(j - low, center - low);
  }
  for (int64_t j = center; j < high; ++j) column[j * stride] = ratio(high - j, high - center);
}

void mel_weight_matrix(KernelContext& context) {
  const MelEdges edges(context);
  const ir::DataType type = output_type(context.node());
  ir::Tensor& out = context.output(0, type, {edges.bins(), edges.filters()});
  dispatch(NumericTypes{}, type, [&]<typename T>(Tag<T>) {
    T* to = out.mutable_data<T>().data();
    std::fill_n(to, out.size(), T(0));
    for (int64_t i = 0; i < edges.filters(); ++i) {
      fill_filter(to + i, edges.filters(), edges.at(i), edges.at(i + 1), edges.at(i + 2));
    }
  });
}

void infer_mel_weight_matrix(InferContext& context) {
  const ir::Dim bins =
      dim_add(dim_floor_div(known_scalar(context, 1), ir::Dim::of(2)), ir::Dim::of(1));
  context.set(0, output_type(context.node()), ir::Shape{bins, known_scalar(context, 0)});
}

constexpr OpDef kOps[] = {
    {"", "BlackmanWindow", 17, infer_window_function, window_function<kBlackman>, kNoFacts, 0b1},
    {"", "HammingWindow", 17, infer_window_function, window_function<kHamming>, kNoFacts, 0b1},
    {"", "HannWindow", 17, infer_window_function, window_function<kHann>, kNoFacts, 0b1},
    {"", "MelWeightMatrix", 17, infer_mel_weight_matrix, mel_weight_matrix, kNoFacts, 0b111},
};

}  // namespace

std::span<const OpDef> window_function_ops() {
  return kOps;
}

}  // namespace fettle::ops
