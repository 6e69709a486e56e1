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
#include <cstring>

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

using Unsigned64 = uint8_t __attribute__((vector_size(64)));
using Unsigned16 = uint8_t __attribute__((vector_size(16)));
using Signed64 = int8_t __attribute__((vector_size(64)));
using Signed16 = int8_t __attribute__((vector_size(16)));

template <typename Vector>
inline __attribute__((always_inline)) void greatest_at(const uint8_t* const* rows, int64_t count,
                                                       int64_t i, uint8_t* y) {
  Vector best;
  std::memcpy(&best, rows[0] + i, sizeof best);
  for (int64_t r = 1; r < count; ++r) {
    Vector v;
    std::memcpy(&v, rows[r] + i, sizeof v);
    best = v > best ? v : best;
  }
  std::memcpy(y + i, &best, sizeof best);
}

// The last vector overlaps the one before it.
template <typename Vector>
inline __attribute__((always_inline)) void greatest_by(const uint8_t* const* rows, int64_t count,
                                                       int64_t n, uint8_t* y) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(Vector));
  for (int64_t i = 0; i + kSize <= n; i += kSize) greatest_at<Vector>(rows, count, i, y);
  if (n % kSize != 0) greatest_at<Vector>(rows, count, n - kSize, y);
}

template <typename Byte, typename Vector16, typename Vector64>
inline __attribute__((always_inline)) void greatest_of(const uint8_t* const* rows, int64_t count,
                                                       int64_t n, uint8_t* y) {
  if (n >= 64) return greatest_by<Vector64>(rows, count, n, y);
  if (n >= 16) return greatest_by<Vector16>(rows, count, n, y);
  for (int64_t i = 0; i < n; ++i) {
    auto best = static_cast<Byte>(rows[0][i]);
    for (int64_t r = 1; r < count; ++r) best = std::max(best, static_cast<Byte>(rows[r][i]));
    y[i] = static_cast<uint8_t>(best);
  }
}

// y[i] = the greatest of rows[r][i] for r < count (at least one); y overlaps no row.
FETTLE_VECTORIZED
void greatest_unsigned(const uint8_t* const* rows, int64_t count, int64_t n, uint8_t* y) {
  greatest_of<uint8_t, Unsigned16, Unsigned64>(rows, count, n, y);
}

FETTLE_VECTORIZED
void greatest_signed(const uint8_t* const* rows, int64_t count, int64_t n, uint8_t* y) {
  greatest_of<int8_t, Signed16, Signed64>(rows, count, n, y);
}

// Every `stride`-th group of `bytes` bytes of x, `count` of them.
template <int64_t kBytes>
void pick(const uint8_t* x, int64_t stride, int64_t bytes, int64_t count, uint8_t* y) {
  for (int64_t o = 0; o < count; ++o) {
    std::memcpy(y + o * bytes, x + o * stride * bytes,
                static_cast<size_t>(kBytes != 0 ? kBytes : bytes));
  }
}

FETTLE_VECTORIZED
void pick_pairs(const uint8_t* __restrict x, int64_t count, uint8_t* __restrict y) {
#pragma omp simd
  for (int64_t o = 0; o < count; ++o) y[o] = x[2 * o];
}

void pick_groups(const uint8_t* x, int64_t stride, int64_t bytes, int64_t count, uint8_t* y) {
  switch (bytes) {
    case 1:
      return stride == 2 ? pick_pairs(x, count, y) : pick<1>(x, stride, 1, count, y);
    case 8:
      return pick<8>(x, stride, 8, count, y);
    case 16:
      return pick<16>(x, stride, 16, count, y);
    case 32:
      return pick<32>(x, stride, 32, count, y);
    case 64:
      return pick<64>(x, stride, 64, count, y);
    default:
      return pick<0>(x, stride, bytes, count, y);
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

  // Row `r` of [N, depth, height]: the greatest of the rows of the window, then along the row at
  // every position, of which every stride-th is kept. A window wholly within padding gives the
  // least value.
  void pool_row(const uint8_t* x, int64_t r, uint8_t* y) const {
    const int64_t c = x_[1];
    const int64_t width = in_[2] * c;
    const int64_t before = std::max<int64_t>(0, pad_[2]) * c;
    const int64_t positions = (out_[2] - 1) * stride_[2] + 1;
    const int64_t span = (positions + (kernel_[2] - 1) * dilation_[2]) * c;
    thread_local std::vector<const uint8_t*> rows;
    thread_local std::vector<uint8_t> storage;
    window_rows(x, r, rows);
    const uint8_t* line = rows.empty() ? nullptr : rows[0];
    const int64_t skipped = std::max<int64_t>(0, -pad_[2]) * c;
    const int64_t padded = std::max(skipped + span, before + width);
    const bool pads = before != 0 || skipped + span > width || rows.empty();
    storage.resize(static_cast<size_t>(padded + positions * c));
    if (pads || rows.size() > 1) {
      uint8_t* to = storage.data();
      if (pads) std::fill_n(to, padded, from_ == ir::DataType::kInt8 ? uint8_t{0x80} : uint8_t{0});
      if (!rows.empty()) greatest(rows, width, to + before);
      line = to;
    }
    line += skipped;
    rows.clear();
    for (int64_t k = 0; k < kernel_[2]; ++k) rows.push_back(line + k * dilation_[2] * c);
    if (stride_[2] == 1) return greatest(rows, out_[2] * c, y);
    greatest(rows, positions * c, storage.data() + padded);
    pick_groups(storage.data() + padded, stride_[2], c, out_[2], y);
  }

  // The rows of the image within the window of row `r`.
  void window_rows(const uint8_t* x, int64_t r, std::vector<const uint8_t*>& rows) const {
    const int64_t h0 = r % out_[1] * stride_[1] - pad_[1];
    const int64_t d0 = r / out_[1] % out_[0] * stride_[0] - pad_[0];
    const int64_t n = r / (out_[1] * out_[0]);
    rows.clear();
    for (int64_t kd = 0; kd < kernel_[0]; ++kd) {
      const int64_t d = d0 + kd * dilation_[0];
      if (d < 0 || d >= in_[0]) continue;
      for (int64_t kh = 0; kh < kernel_[1]; ++kh) {
        const int64_t h = h0 + kh * dilation_[1];
        if (h < 0 || h >= in_[1]) continue;
        rows.push_back(x + ((n * in_[0] + d) * in_[1] + h) * in_[2] * x_[1]);
      }
    }
  }

  void greatest(const std::vector<const uint8_t*>& rows, int64_t n, uint8_t* y) const {
    const auto count = static_cast<int64_t>(rows.size());
    if (from_ == ir::DataType::kInt8) {
      greatest_signed(rows.data(), count, n, y);
    } else {
      greatest_unsigned(rows.data(), count, n, y);
    }
  }

  const ir::Node& node_;
  ir::DataType from_, to_;
  bool same_;
  std::array<uint8_t, 256> table_;
  ir::Dims x_, y_;
  Axes kernel_{}, stride_{}, dilation_{}, pad_{}, in_{}, out_{};
};

// sums[c] = the sum of x[p][c] over p < positions; the last block of channels overlaps the one
// before it.
template <typename Byte>
inline __attribute__((always_inline)) void sum_of(const uint8_t* x, int64_t positions,
                                                  int64_t channels, int32_t* sums) {
  if (channels < 16) {
    std::fill_n(sums, channels, 0);
    for (int64_t p = 0; p < positions; ++p) {
      for (int64_t c = 0; c < channels; ++c) sums[c] += static_cast<Byte>(x[p * channels + c]);
    }
    return;
  }
  for (int64_t at = 0; at < channels; at += 16) {
    const int64_t c = std::min(at, channels - 16);
    int32_t sum[16] = {};
    const auto* from = reinterpret_cast<const Byte*>(x + c);
    int64_t p = 0;
    for (; p + 4 <= positions; p += 4, from += 4 * channels) {
#pragma omp simd
      for (int64_t j = 0; j < 16; ++j) {
        sum[j] += from[j] + from[channels + j] + from[2 * channels + j] + from[3 * channels + j];
      }
    }
    for (; p < positions; ++p, from += channels) {
#pragma omp simd
      for (int64_t j = 0; j < 16; ++j) sum[j] += from[j];
    }
    std::memcpy(sums + c, &sum, sizeof sum);
  }
}

FETTLE_VECTORIZED
void sum_unsigned(const uint8_t* x, int64_t positions, int64_t channels, int32_t* sums) {
  sum_of<uint8_t>(x, positions, channels, sums);
}

FETTLE_VECTORIZED
void sum_signed(const uint8_t* x, int64_t positions, int64_t channels, int32_t* sums) {
  sum_of<int8_t>(x, positions, channels, sums);
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
    if (x_.bytes.type == ir::DataType::kInt8) {
      sum_signed(x, positions, channels, sums_.data());
    } else {
      sum_unsigned(x, positions, channels, sums_.data());
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
