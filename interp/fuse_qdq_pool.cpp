// Pools between DequantizeLinear and QuantizeLinear run on the bytes:
//
//   xq -- DQ -- MaxPool -- Q -- yq              =>   xq -- maxima, then a table of Q(DQ(v)) -- yq
//   xq -- DQ -- GlobalAveragePool -- Q -- yq    =>   xq -- exact sums, averaged and quantized -- yq
//
// Maxima are identical: Q and DQ keep the order of numbers. An average is Q(sum (xq - zero) * scale
// / count), computed in float64 from the exact sum. Conditions: 8-bit tensors with one constant
// scale each; nothing else reads what lies between.
#include <algorithm>
#include <array>

#include "interp/byte_image.h"
#include "interp/byte_kernel.h"
#include "interp/fusion.h"
#include "interp/parallel.h"
#include "interp/qdq_pattern.h"
#include "interp/simd.h"
#include "ir/error.h"
#include "ops/window.h"

namespace fettle::interp {
namespace {

void check(Call& call, ir::DataType type) {
  const ir::Dims* dims = call.dims(0);
  if (dims != nullptr && call.type(0) == type && dims->size() >= 3 && dims->size() <= 5) return;
  fail(ErrorCode::kBadInput, "expected a quantized tensor of {} and 3 to 5 axes, found {} {}",
       ir::data_type_name(type), ir::data_type_name(call.type(0)),
       dims == nullptr ? "" : ir::to_string(*dims));
}

// Channels-last bytes of operand 0; `copy` holds them when they are made.
const uint8_t* channels_last_bytes(Call& call, ir::DataType type, Blocked& copy) {
  const ByteImage image = byte_image(call, 0);
  if (image.channels_last) return image.bytes;
  return reinterpret_cast<const uint8_t*>(
      in_layout(call, 0, channels_last_desc(*call.dims(0), type), copy));
}

FETTLE_VECTORIZED
void take_unsigned(const uint8_t* __restrict x, int64_t n, uint8_t* __restrict y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] > y[i] ? x[i] : y[i];
}

FETTLE_VECTORIZED
void take_signed(const int8_t* __restrict x, int64_t n, int8_t* __restrict y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] > y[i] ? x[i] : y[i];
}

void take_greater(const uint8_t* x, int64_t n, bool is_signed, uint8_t* y) {
  if (is_signed) {
    take_signed(reinterpret_cast<const int8_t*>(x), n, reinterpret_cast<int8_t*>(y));
  } else {
    take_unsigned(x, n, y);
  }
}

class ByteMaxPool : public AcceleratedKernel {
 public:
  ByteMaxPool(const ir::Node& node, const QuantizedOperand& x, const QuantizedResult& y)
      : node_(node),
        from_(x.bytes.type),
        to_(y.bytes.type),
        same_(x.scale == y.scale && from_ == to_ && x.bytes.zero_point == y.bytes.zero_point),
        table_(requantization_table(x, y)) {}

  bool run(Call& call) override {
    check(call, from_);
    set_shape(*call.dims(0));
    auto out = ir::Buffer::allocate(static_cast<size_t>(ir::element_count(y_)));
    auto* y = reinterpret_cast<uint8_t*>(out->mutable_data());
    Blocked copy;
    const uint8_t* x = channels_last_bytes(call, from_, copy);
    const int64_t rows = x_[0] * out_[0] * out_[1];
    const int64_t row = out_[2] * x_[1];
    const int64_t taps = kernel_[0] * kernel_[1] * kernel_[2];
    for_each_row(ir::element_count(y_) == 0 ? 0 : rows, row * taps / 16, [&](int64_t r) {
      pool_row(x, r, y + r * row);
      if (!same_) byte_kernels().map(table_.data(), y + r * row, row, y + r * row);
    });
    set_image(call, 0, std::move(out), y_, to_);
    return true;
  }

 private:
  void set_shape(const ir::Dims& x) {
    if (x == x_) return;
    const ops::Window window = ops::pool_window(node_, x);
    y_ = ops::pool_output_dims(window, x);
    kernel_ = spatial_axes(window.kernel, 0, 1);
    stride_ = spatial_axes(window.strides, 0, 1);
    dilation_ = spatial_axes(window.dilations, 0, 1);
    pad_ = spatial_axes(window.pads_begin, 0, 0);
    in_ = spatial_axes(x, 2, 1);
    out_ = spatial_axes(y_, 2, 1);
    x_ = x;
  }

  // Row `r` of [N, depth, height]; a window wholly within padding gives the least value.
  void pool_row(const uint8_t* x, int64_t r, uint8_t* y) const {
    const int64_t c = x_[1];
    const int64_t h0 = r % out_[1] * stride_[1] - pad_[1];
    const int64_t d0 = r / out_[1] % out_[0] * stride_[0] - pad_[0];
    const int64_t n = r / (out_[1] * out_[0]);
    const bool is_signed = from_ == ir::DataType::kInt8;
    std::fill_n(y, out_[2] * c, is_signed ? uint8_t{0x80} : uint8_t{0});
    for (int64_t kd = 0; kd < kernel_[0]; ++kd) {
      const int64_t d = d0 + kd * dilation_[0];
      if (d < 0 || d >= in_[0]) continue;
      for (int64_t kh = 0; kh < kernel_[1]; ++kh) {
        const int64_t h = h0 + kh * dilation_[1];
        if (h < 0 || h >= in_[1]) continue;
        const uint8_t* row = x + ((n * in_[0] + d) * in_[1] + h) * in_[2] * c;
        for (int64_t kw = 0; kw < kernel_[2]; ++kw) {
          take_tap(row, kw * dilation_[2] - pad_[2], is_signed, y);
        }
      }
    }
  }

  // y[o] = max(y[o], row[o * stride + shift]) where that lies inside the row.
  void take_tap(const uint8_t* row, int64_t shift, bool is_signed, uint8_t* y) const {
    const int64_t c = x_[1];
    const int64_t stride = stride_[2];
    const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    const int64_t room = in_[2] - 1 - shift;
    const int64_t end = room < 0 ? 0 : std::min(out_[2], room / stride + 1);
    if (begin >= end) return;
    if (stride == 1) {
      take_greater(row + (begin + shift) * c, (end - begin) * c, is_signed, y + begin * c);
      return;
    }
    if (c < kPanel) {
      const uint8_t flip = is_signed ? 0x80 : 0;  // keeps the order of signed bytes
      for (int64_t o = begin; o < end; ++o) {
        for (int64_t i = 0; i < c; ++i) {
          const uint8_t v = row[(o * stride + shift) * c + i];
          uint8_t& best = y[o * c + i];
          best = (v ^ flip) > (best ^ flip) ? v : best;
        }
      }
      return;
    }
    for (int64_t o = begin; o < end; ++o) {
      take_greater(row + (o * stride + shift) * c, c, is_signed, y + o * c);
    }
  }

  const ir::Node& node_;
  ir::DataType from_, to_;
  bool same_;
  std::array<uint8_t, 256> table_;
  ir::Dims x_, y_;
  Axes kernel_{}, stride_{}, dilation_{}, pad_{}, in_{}, out_{};
};

FETTLE_VECTORIZED
void add_unsigned(const uint8_t* __restrict x, int64_t n, int32_t* __restrict sums) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) sums[i] += x[i];
}

FETTLE_VECTORIZED
void add_signed(const int8_t* __restrict x, int64_t n, int32_t* __restrict sums) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) sums[i] += x[i];
}

class ByteGlobalAverage : public AcceleratedKernel {
 public:
  ByteGlobalAverage(const QuantizedOperand& x, const QuantizedResult& y) : x_(x), y_(y) {}

  bool run(Call& call) override {
    check(call, x_.bytes.type);
    ir::Dims dims = *call.dims(0);
    const int64_t channels = dims[1];
    int64_t positions = 1;
    for (size_t i = 2; i < dims.size(); ++i) positions *= std::exchange(dims[i], 1);
    // Sums fit 32 bits.
    if (positions == 0 || positions > (int64_t{1} << 22)) return false;
    Blocked copy;
    const uint8_t* x = channels_last_bytes(call, x_.bytes.type, copy);
    ir::Tensor out(y_.bytes.type, dims);
    auto* y = reinterpret_cast<uint8_t*>(out.mutable_bytes());
    sums_.resize(static_cast<size_t>(channels));
    for (int64_t n = 0; n < dims[0]; ++n) {
      average(x + n * positions * channels, positions, channels, y + n * channels);
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  void average(const uint8_t* x, int64_t positions, int64_t channels, uint8_t* y) {
    std::fill(sums_.begin(), sums_.end(), 0);
    for (int64_t p = 0; p < positions; ++p) {
      const uint8_t* from = x + p * channels;
      if (x_.bytes.type == ir::DataType::kInt8) {
        add_signed(reinterpret_cast<const int8_t*>(from), channels, sums_.data());
      } else {
        add_unsigned(from, channels, sums_.data());
      }
    }
    const ops::QuantRange range = ops::quant_range(y_.bytes.type);
    const double scale = static_cast<double>(x_.scale) / static_cast<double>(positions);
    const int64_t zero = x_.bytes.zero_point * positions;
    for (int64_t c = 0; c < channels; ++c) {
      const auto sum = static_cast<double>(sums_[static_cast<size_t>(c)] - zero);
      y[c] = static_cast<uint8_t>(
          ops::quantize_one(static_cast<float>(sum * scale), y_.scale, y_.bytes.zero_point, range));
    }
  }

  QuantizedOperand x_;
  QuantizedResult y_;
  std::vector<int32_t> sums_;
};

// Fuses `node` and the Q after it into what make(x, y) gives.
template <typename Make>
std::optional<Fusion> fuse(const ir::Node& node, const FusionView& view, bool may_decline,
                           Make&& make) {
  if (node.outputs().size() != 1) return std::nullopt;
  const auto x = quantized_operand(node.input(0), view);
  const auto y = quantized_result(node.output(0), view);
  if (!x || !y || y->members.size() != 1) return std::nullopt;
  Fusion fusion;
  fusion.members = {&node, y->members[0]};
  fusion.inputs = {x->quantized};
  fusion.kernel = make(*x, *y);
  fusion.may_decline = may_decline;
  return fusion;
}

}  // namespace

std::optional<Fusion> fuse_qdq_max_pool(const ir::Node& node, const FusionView& view) {
  return fuse(node, view, false, [&](const QuantizedOperand& x, const QuantizedResult& y) {
    return std::make_unique<ByteMaxPool>(node, x, y);
  });
}

std::optional<Fusion> fuse_qdq_global_average(const ir::Node& node, const FusionView& view) {
  return fuse(node, view, true, [](const QuantizedOperand& x, const QuantizedResult& y) {
    return std::make_unique<ByteGlobalAverage>(x, y);
  });
}

}  // namespace fettle::interp
