#include "interp/byte_convolution.h"

#include <algorithm>

#include "interp/byte_depthwise.h"
#include "interp/byte_image.h"
#include "interp/byte_kernel.h"
#include "interp/convolution_geometry.h"
#include "interp/parallel.h"
#include "ops/requantize.h"

namespace fettle::interp {
namespace {

constexpr int64_t kRows = 48;       // outputs computed together; a multiple of the kernels' tiles
constexpr int64_t kMostRows = 192;  // the same where a pass over the rows makes all columns
constexpr int64_t kSlack = 64;      // bytes readable after an image
constexpr int64_t kColumns = 256;   // columns computed together when there are few outputs
constexpr int64_t kShared = 3'000'000;  // multiply-accumulates worth a parallel region

int64_t padded_columns(int64_t n) {
  return (n + kPanel - 1) / kPanel * kPanel;
}

// What is the same for all calls with one input shape.
struct Shape {
  ir::Dims x, y;
  int64_t samples = 1;
  ImagePadding padding;
  bool copies = false;           // padding is needed
  Axes out{};                    // positions of the output
  Axes stride{};                 // bytes of the padded image per position of the output
  int64_t sample_bytes = 0;      // of the padded image
  std::vector<int64_t> offsets;  // of the segments
  int64_t macs = 0;
  int64_t block_rows = kRows;
  int64_t outputs() const { return samples * out[0] * out[1] * out[2]; }
};

class ByteConvolution : public AcceleratedKernel {
 public:
  ByteConvolution(const IntegerConvolutionSpec& spec, const ir::Tensor& w)
      : node_(spec.node), x_(spec.x), y_(spec.y), w_dims_(w.dims()) {
    groups_ = std::max<int64_t>(1, node_->attr_int("group", 1));
    m_ = w.dim(0) / groups_;
    c_ = w.dim(1);
    kernel_ = spatial_axes(w.dims(), 2, 1);
    const std::vector<int64_t> dilations = node_->attr_ints("dilations");
    contiguous_ = groups_ == 1 && (dilations.empty() || dilations.back() == 1 || kernel_[2] == 1);
    segments_ = kernel_[0] * kernel_[1] * (contiguous_ ? 1 : kernel_[2]);
    segment_bytes_ = contiguous_ ? kernel_[2] * c_ : c_;
    flip_ = x_.type == ir::DataType::kInt8 ? 0x80 : 0;
    pack(spec, w);
  }

  bool run(Call& call) override {
    if (shape_.x != *call.dims(0) && !prepare(*call.dims(0))) return false;
    const ByteImage image = byte_image(call, 0);
    const uint8_t* x = image.bytes;
    if (shape_.copies || !image.channels_last) {
      auto* copy = static_cast<uint8_t*>(
          scratch(static_cast<size_t>(shape_.samples * shape_.sample_bytes + kSlack)));
      pad_image(image, shape_.padding, copy);
      x = copy;
    }
    readable_end_ = x + shape_.samples * shape_.sample_bytes + (x != image.bytes ? kSlack : 0);
    auto out = ir::Buffer::allocate(static_cast<size_t>(ir::element_count(shape_.y)));
    auto* y = reinterpret_cast<uint8_t*>(out->mutable_data());
    convolve(x, y);
    set_image(call, 0, std::move(out), shape_.y, y_.type);
    return true;
  }

  std::string describe() const override { return byte_kernels().name; }

 private:
  // Bias and multiplier of column j of group g, in the padded arrays of the group.
  void set_column(const IntegerConvolutionSpec& spec, size_t at, size_t channel, int64_t sum,
                  int32_t x_zero) {
    const uint32_t bias = spec.bias.empty() ? 0 : static_cast<uint32_t>(spec.bias[channel]);
    bias_[at] =
        static_cast<int32_t>(bias - static_cast<uint32_t>(x_zero) * static_cast<uint32_t>(sum));
    multiplier_[at] = spec.multiplier[channel];
  }

  void pack(const IntegerConvolutionSpec& spec, const ir::Tensor& w) {
    const int64_t padded = padded_columns(m_);
    const int64_t panel = panel_bytes(segments_, segment_bytes_);
    group_bytes_ = padded / kPanel * panel;
    packed_ = ir::Buffer::allocate(static_cast<size_t>(groups_ * group_bytes_));
    auto* packed = reinterpret_cast<int8_t*>(packed_->mutable_data());
    std::fill_n(packed, groups_ * group_bytes_, int8_t{0});
    bias_.assign(static_cast<size_t>(groups_ * padded), 0);
    multiplier_.assign(static_cast<size_t>(groups_ * padded), 0.0f);
    const int64_t quads = (segment_bytes_ + 3) / 4;
    const int64_t positions = w.size() / (w.dim(0) * c_);
    const int64_t width = contiguous_ ? kernel_[2] : 1;
    const int8_t* values = w.data<int8_t>().data();
    for (int64_t channel = 0; channel < groups_ * m_; ++channel) {
      const int64_t j = channel % m_;
      int8_t* to = packed + channel / m_ * group_bytes_ + j / kPanel * panel + j % kPanel * 4;
      int64_t sum = 0;
      for (int64_t c = 0; c < c_; ++c) {
        for (int64_t p = 0; p < positions; ++p) {
          const int8_t v = values[(channel * c_ + c) * positions + p];
          const int64_t k = p % width * c_ + c;  // within the segment
          to[((p / width) * quads + k / 4) * 4 * kPanel + k % 4] = v;
          sum += v;
        }
      }
      set_column(spec, static_cast<size_t>(channel / m_ * padded + j), static_cast<size_t>(channel),
                 sum, x_.zero_point + flip_);
    }
  }

  bool prepare(const ir::Dims& x) {
    const ConvolutionGeometry g = convolution_geometry(*node_, x, w_dims_, false);
    if (std::any_of(g.pads_begin.begin(), g.pads_begin.end(), [](int64_t p) { return p < 0; })) {
      return false;
    }
    Shape s;
    s.x = x;
    s.y = g.dst;
    s.samples = x[0];
    s.macs = g.macs();
    s.out = spatial_axes(g.dst, 2, 1);
    const Axes step = spatial_axes(g.strides, 0, 1);
    const Axes dilation = spatial_axes(g.dilations, 0, 0);
    ImagePadding& p = s.padding;
    p.samples = x[0];
    p.channels = x[1];
    p.size = spatial_axes(x, 2, 1);
    p.before = spatial_axes(g.pads_begin, 0, 0);
    p.zero = static_cast<uint8_t>(x_.zero_point);
    for (size_t i = 0; i < 3; ++i) {
      const int64_t needed = (s.out[i] - 1) * step[i] + (kernel_[i] - 1) * (dilation[i] + 1) + 1;
      p.padded[i] = std::max(needed, p.size[i] + p.before[i]);
      s.copies = s.copies || p.padded[i] != p.size[i];
    }
    const Axes bytes{p.padded[1] * p.padded[2] * p.channels, p.padded[2] * p.channels, p.channels};
    for (size_t i = 0; i < 3; ++i) s.stride[i] = step[i] * bytes[i];
    s.sample_bytes = p.padded[0] * bytes[0];
    const int64_t width = contiguous_ ? 1 : kernel_[2];
    for (int64_t d = 0; d < kernel_[0]; ++d) {
      for (int64_t h = 0; h < kernel_[1]; ++h) {
        for (int64_t w = 0; w < width; ++w) {
          s.offsets.push_back(d * (dilation[0] + 1) * bytes[0] + h * (dilation[1] + 1) * bytes[1] +
                              w * (dilation[2] + 1) * bytes[2]);
        }
      }
    }
    if (m_ <= 2 * kPanel && s.outputs() >= 16 * kMostRows) s.block_rows = kMostRows;
    shape_ = std::move(s);
    return true;
  }

  ByteResult result(int64_t at) const {
    ByteResult r;
    const ops::QuantRange range = ops::quant_range(y_.type);
    r.bias = bias_.data() + at;
    r.multiplier = multiplier_.data() + at;
    r.zero_point = y_.zero_point;
    r.lowest = range.lowest;
    r.highest = range.highest;
    return r;
  }

  // Where the windows of outputs [begin, begin + count) begin.
  void windows(const uint8_t* x, int64_t begin, int64_t count, const uint8_t** to) const {
    const Shape& s = shape_;
    int64_t w = begin % s.out[2];
    int64_t h = begin / s.out[2] % s.out[1];
    int64_t d = begin / (s.out[2] * s.out[1]) % s.out[0];
    int64_t n = begin / (s.out[2] * s.out[1] * s.out[0]);
    for (int64_t i = 0; i < count;) {
      const uint8_t* row = x + n * s.sample_bytes + d * s.stride[0] + h * s.stride[1];
      const int64_t run = std::min(s.out[2] - w, count - i);
      for (int64_t j = 0; j < run; ++j) to[i + j] = row + (w + j) * s.stride[2];
      i += run;
      w = 0;
      if (++h < s.out[1]) continue;
      h = 0;
      if (++d < s.out[0]) continue;
      d = 0;
      ++n;
    }
  }

  // Outputs [begin, end), columns [first, last) of every group.
  void block(const uint8_t* x, uint8_t* y, int64_t begin, int64_t end, int64_t first,
             int64_t last) const {
    const uint8_t* rows[kMostRows];
    windows(x, begin, end - begin, rows);
    ByteBlock b;
    b.rows = rows;
    b.row_count = end - begin;
    b.offsets = shape_.offsets.data();
    b.segments = segments_;
    b.segment_bytes = segment_bytes_;
    const uint8_t* last_end =
        rows[end - begin - 1] + (groups_ - 1) * c_ + shape_.offsets.back() + segment_bytes_;
    b.beyond = readable_end_ - last_end >= kReadAfter;
    b.flip = flip_;
    b.columns = last - first;
    b.out_stride = groups_ * m_;
    const auto* packed = reinterpret_cast<const int8_t*>(packed_->data()) +
                         first / kPanel * panel_bytes(segments_, segment_bytes_);
    for (int64_t g = 0; g < groups_; ++g) {
      b.packed = packed + g * group_bytes_;
      b.result = result(g * padded_columns(m_) + first);
      b.out = y + begin * groups_ * m_ + g * m_ + first;
      if (g > 0) std::for_each(rows, rows + b.row_count, [&](const uint8_t*& row) { row += c_; });
      byte_kernels().multiply(b);
    }
  }

  void convolve(const uint8_t* x, uint8_t* y) const {
    const int64_t outputs = shape_.outputs();
    const int64_t rows = shape_.block_rows;
    const int64_t blocks = (outputs + rows - 1) / rows;
    const bool shared = shape_.macs > kShared;
    const int64_t columns = shared && blocks < 8 ? std::min(m_, kColumns) : m_;
    const int64_t slices = (m_ + columns - 1) / columns;
    for_each_index(blocks * slices, shared, [&](int64_t task) {
      const int64_t begin = task / slices * rows;
      const int64_t first = task % slices * columns;
      block(x, y, begin, std::min(outputs, begin + rows), first, std::min(m_, first + columns));
    });
  }

  const ir::Node* node_;
  ByteTarget x_, y_;
  ir::Dims w_dims_;
  int64_t groups_ = 1;
  int64_t m_ = 0;            // output channels of a group
  int64_t c_ = 0;            // input channels of a group
  bool contiguous_ = false;  // a row of the window lies together
  Axes kernel_{};
  int64_t segments_ = 0;
  int64_t segment_bytes_ = 0;
  uint8_t flip_ = 0;
  int64_t group_bytes_ = 0;
  std::shared_ptr<ir::Buffer> packed_;
  std::vector<int32_t> bias_;
  std::vector<float> multiplier_;
  Shape shape_;
  const uint8_t* readable_end_ = nullptr;  // of the image of this call, with the room after it
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_byte_convolution(const IntegerConvolutionSpec& spec,
                                                         const ir::Tensor& w) {
  const int64_t groups = spec.node->attr_int("group", 1);
  if (groups > 1 && groups == w.dim(0) && w.dim(1) == 1) return make_byte_depthwise(spec, w);
  return std::make_unique<ByteConvolution>(spec, w);
}

}  // namespace fettle::interp
