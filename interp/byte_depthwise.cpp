#include "interp/byte_depthwise.h"

#include <algorithm>
#include <cstring>

#include "interp/byte_image.h"
#include "interp/byte_kernel.h"
#include "interp/convolution_geometry.h"
#include "interp/depthwise_window.h"
#include "interp/parallel.h"
#include "ops/requantize.h"

namespace fettle::interp {
namespace {

constexpr int64_t kTileBytes = 32768;  // of gathered taps; they stay in the nearest cache
constexpr int64_t kWhole = 12;         // channels from which whole rows are gathered
constexpr int64_t kApart = 40;         // channels from which positions begin with a register
constexpr int64_t kFewest = 16;        // outputs of a tile, so that little of it is margin
constexpr int64_t kWork = 2'500'000;   // instructions per 64 outputs, times outputs, worth sharing

// `count` pieces of `bytes` bytes, `step` apart, side by side.
void join_pieces(const uint8_t* from, int64_t step, int64_t bytes, int64_t count, uint8_t* to) {
  if (step == bytes) {
    std::memcpy(to, from, static_cast<size_t>(bytes * count));
  } else if (bytes == 8) {
    for (int64_t i = 0; i < count; ++i) std::memcpy(to + 8 * i, from + step * i, 8);
  } else {
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t k = 0; k < bytes; ++k) to[bytes * i + k] = from[step * i + k];
    }
  }
}

// At the start of a cache line.
uint8_t* room_of_thread(int64_t bytes) {
  thread_local std::shared_ptr<ir::Buffer> room;
  if (room == nullptr || room->size() < static_cast<size_t>(bytes)) {
    room = nullptr;
    room = ir::Buffer::allocate(static_cast<size_t>(bytes));
  }
  return reinterpret_cast<uint8_t*>(room->mutable_data());
}

// What is the same for all calls with one input shape.
struct Shape {
  ir::Dims x, y;
  int64_t samples = 1;
  Axes size{}, out{}, before{};  // of the image, of the output, padding
  int64_t row_groups = 1;        // of rows of outputs that are computed together
  int64_t tiles = 1;             // of such rows
  int64_t width = 0;             // outputs of a tile
  int64_t block = 0;             // channels of a tile
  int64_t blocks = 1;
  int64_t pitch = 0;             // lanes of a position of a section
  int64_t section = 0;           // bytes of gathered taps
  std::vector<int64_t> offsets;  // of the lanes of an output
  std::vector<uint8_t> zeros;    // a row of padding
  bool shared = false;
};

// The rows of outputs from y on that are computed together, columns [x, x + width) and channels
// [c, c + block) of them.
struct Tile {
  const uint8_t* image = nullptr;  // the sample's
  const uint8_t* end = nullptr;    // of all samples
  int64_t d = 0, y = 0, x = 0;
  int64_t c = 0;
  int64_t width = 0;
  int64_t block = 0;
};

class ByteDepthwise : public AcceleratedKernel {
 public:
  ByteDepthwise(const IntegerConvolutionSpec& spec, const ir::Tensor& w)
      : node_(spec.node),
        x_(spec.x),
        y_(spec.y),
        w_dims_(w.dims()),
        channels_(w.dim(0)),
        window_(*spec.node, spatial_axes(w.dims(), 2, 1), byte_kernels().taps,
                channels_ >= kWhole) {
    flip_ = x_.type == ir::DataType::kInt8 ? 0x80 : 0;
    pack(w);
    add_parameters(spec, w);
  }

  bool run(Call& call) override {
    if (shape_.x != *call.dims(0) && !prepare(*call.dims(0))) return false;
    const ByteImage image = byte_image(call, 0);
    const uint8_t* x = image.bytes;
    const int64_t bytes = ir::element_count(shape_.x);
    if (!image.channels_last) {
      auto* ordered = static_cast<uint8_t*>(scratch(static_cast<size_t>(bytes)));
      const Shape& s = shape_;
      pad_image(image, {s.samples, channels_, s.size, {}, s.size, 0}, ordered);
      x = ordered;
    }
    auto out = ir::Buffer::allocate(static_cast<size_t>(ir::element_count(shape_.y)));
    convolve(x, x + bytes, reinterpret_cast<uint8_t*>(out->mutable_data()));
    set_image(call, 0, std::move(out), shape_.y, y_.type);
    return true;
  }

  std::string describe() const override { return std::string(byte_kernels().name) + ":depthwise"; }

 private:
  // Sections are gathered from the image itself.
  bool direct() const { return window_.kind == DepthwiseWindow::Kind::kWhole; }
  int64_t lane_row() const { return depthwise_lanes(channels_) * kLane; }  // bytes of weights
  // Positions of a section and of a row for outputs side by side.
  int64_t section_positions(int64_t outputs) const {
    return (outputs - 1) * window_.step + 1 + window_.margin;
  }
  int64_t row_positions(int64_t outputs) const {
    return (outputs - 1) * window_.step + 1 + window_.row_margin;
  }

  void pack(const ir::Tensor& w) {
    const int64_t taps = w.size() / channels_;
    const auto lanes = static_cast<int64_t>(window_.lanes.size());
    const int64_t row_lanes = depthwise_lanes(channels_);
    const auto values = w.data<int8_t>();
    const auto size = static_cast<size_t>(window_.together * lanes * lane_row());
    packed_ = ir::Buffer::allocate(size);
    auto* to = reinterpret_cast<uint8_t*>(packed_->mutable_data());
    std::memset(to, 0, size);
    for (int64_t i = 0; i < window_.together * lanes * row_lanes; ++i, to += kLane) {
      const int64_t c = i % row_lanes % channels_;
      const int64_t lane = i / row_lanes % lanes;
      const int64_t row = i / row_lanes / lanes;
      for (int64_t p = 0; p < window_.lane_taps; ++p) {
        const int64_t tap = window_.tap(row, lane, p);
        if (tap < 0) continue;
        const int16_t v = values[static_cast<size_t>(c * taps + tap)];
        std::memcpy(to + p * kLane / window_.lane_taps, &v, window_.lane_taps == 2 ? 2 : 1);
      }
    }
  }

  void add_parameters(const IntegerConvolutionSpec& spec, const ir::Tensor& w) {
    const int64_t taps = w.size() / channels_;
    const auto values = w.data<int8_t>();
    for (int64_t i = 0; i < channels_ + kSpan; ++i) {
      const auto c = static_cast<size_t>(i % channels_);
      const int8_t* from = values.data() + static_cast<int64_t>(c) * taps;
      int64_t sum = 0;
      for (int64_t t = 0; t < taps; ++t) sum += from[t];
      const uint32_t bias = spec.bias.empty() ? 0 : static_cast<uint32_t>(spec.bias[c]);
      const auto zero = static_cast<uint32_t>(x_.zero_point + flip_);
      bias_.push_back(static_cast<int32_t>(bias - zero * static_cast<uint32_t>(sum)));
      multiplier_.push_back(spec.multiplier[c]);
    }
  }

  // Tiles whose sections fit, first of fewer channels, then of fewer outputs.
  void choose_tiles(Shape& s) const {
    const auto round = [](int64_t n, int64_t to) { return (n + to - 1) / to * to; };
    const int64_t position = kLane * window_.sections;  // bytes per channel
    const int64_t outputs = std::max<int64_t>(1, s.out[2]);
    s.block = channels_;
    if (direct()) {
      const int64_t least = section_positions(std::min(kFewest, outputs));
      const int64_t fits = std::max<int64_t>(kSpan, kTileBytes / (least * position));
      s.blocks = (channels_ + fits - 1) / fits;
      s.block = s.blocks == 1 ? channels_ : round((channels_ + s.blocks - 1) / s.blocks, kSpan);
      s.blocks = (channels_ + s.block - 1) / s.block;
    }
    const bool apart = direct() && channels_ >= (window_.step == 1 ? kApart : 1);
    s.pitch = apart ? round(s.block, kPanel) : s.block;
    const int64_t most = kTileBytes / (s.pitch * position) - window_.margin;
    const int64_t width = std::max(kFewest, most / window_.step);
    s.tiles = (outputs + width - 1) / width;
    s.width = (outputs + s.tiles - 1) / s.tiles;
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
    s.size = spatial_axes(x, 2, 1);
    s.out = spatial_axes(g.dst, 2, 1);
    s.before = spatial_axes(g.pads_begin, 0, 0);
    s.row_groups = (s.out[1] + window_.together - 1) / window_.together;
    choose_tiles(s);
    s.section = (section_positions(s.width) * s.pitch + 2 * kSpan) / kSpan * kSpan * kLane;
    for (const DepthwiseWindow::Place& lane : window_.lanes) {
      s.offsets.push_back(lane.index * s.section + lane.shift * s.pitch * kLane);
    }
    s.zeros.assign(static_cast<size_t>(row_positions(s.width) * channels_ + kSpan),
                   static_cast<uint8_t>(x_.zero_point));
    const auto lanes = static_cast<int64_t>(window_.lanes.size());
    s.shared = ir::element_count(s.y) * (26 + 4 * lanes) > kWork;
    shape_ = std::move(s);
    return true;
  }

  // Row `i` of the window's rows in the image; null for padding.
  const uint8_t* image_row(const Tile& t, int64_t i) const {
    const Shape& s = shape_;
    if (i >= window_.rows) return nullptr;
    const int64_t d = t.d * window_.stride[0] - s.before[0] + window_.row_depth(i);
    const int64_t h = t.y * window_.stride[1] - s.before[1] + window_.row_height(i);
    if (d < 0 || d >= s.size[0] || h < 0 || h >= s.size[1]) return nullptr;
    return t.image + (d * s.size[1] + h) * s.size[2] * channels_;
  }

  // Positions of a section: padding, the image's elements, and padding again.
  void gather_direct(const Tile& t, int64_t group, uint8_t* to) const {
    const Shape& s = shape_;
    const int64_t needed = section_positions(t.width);
    const int64_t first = t.x * window_.stride[2] - s.before[2];
    const int64_t left = std::clamp<int64_t>(-first, 0, needed);
    const int64_t end = std::clamp<int64_t>(s.size[2] - first, left, needed);
    const uint8_t* rows[4];
    const auto gather = [&](int64_t begin, int64_t count, bool beyond) {
      if (count <= 0) return;
      DepthwiseGather g{rows, t.block, count, channels_, s.pitch, beyond, flip_, nullptr};
      g.to = to + begin * s.pitch * kLane;
      if (s.pitch == channels_) {
        g.n *= count;
        g.pieces = 1;
      }
      byte_kernels().gather(g);
    };
    std::fill_n(rows, window_.lane_taps, s.zeros.data());
    gather(0, left, true);
    bool beyond = true;
    for (int64_t i = 0; i < window_.lane_taps; ++i) {
      const uint8_t* row = image_row(t, group * window_.lane_taps + i);
      if (row == nullptr) continue;
      rows[i] = row + (first + left) * channels_ + t.c;
      beyond = beyond && t.end - rows[i] >= (end - left) * channels_ + kSpan;
    }
    gather(left, end - left, beyond);
    std::fill_n(rows, window_.lane_taps, s.zeros.data());
    gather(end, needed - end, true);
  }

  // Positions of one class of a row, with padding; null for padding only.
  const uint8_t* copy_class(const Tile& t, const uint8_t* row, int64_t residue, uint8_t* to) const {
    if (row == nullptr) return shape_.zeros.data();
    const int64_t step = window_.stride[2];
    const int64_t needed = row_positions(t.width);
    const int64_t first = t.x * step - shape_.before[2] + residue;
    const int64_t left = std::clamp<int64_t>((step - 1 - first) / step, 0, needed);
    const int64_t inside = (shape_.size[2] - first + step - 1) / step;
    const int64_t end = std::clamp<int64_t>(inside, left, needed);
    std::memset(to, static_cast<uint8_t>(x_.zero_point), static_cast<size_t>(left * channels_));
    join_pieces(row + (first + left * step) * channels_, step * channels_, channels_, end - left,
                to + left * channels_);
    std::memset(to + end * channels_, static_cast<uint8_t>(x_.zero_point),
                static_cast<size_t>((needed - end) * channels_));
    return to;
  }

  // Sections of classes from copies of as many rows as a lane has taps.
  void gather_classes(const Tile& t, uint8_t* copies, uint8_t* to) const {
    const int64_t taps = window_.lane_taps;
    const auto room = static_cast<int64_t>(shape_.zeros.size());
    const uint8_t* rows[4];
    DepthwiseGather g{rows, section_positions(t.width) * channels_, 1, 0, 0, true, flip_, to};
    for (const int64_t residue : window_.classes) {
      for (int64_t group = 0; group < window_.row_groups; ++group, g.to += shape_.section) {
        for (int64_t i = 0; i < taps; ++i) {
          rows[i] = copy_class(t, image_row(t, group * taps + i), residue, copies + i * room);
        }
        byte_kernels().gather(g);
      }
    }
  }

  // Sections of taps along the row, from copies of its classes.
  void gather_along(const Tile& t, uint8_t* copies, uint8_t* to) const {
    const auto room = static_cast<int64_t>(shape_.zeros.size());
    std::vector<const uint8_t*> classes;
    for (const int64_t residue : window_.classes) {
      classes.push_back(copy_class(t, image_row(t, 0), residue, copies));
      copies += room;
    }
    const uint8_t* rows[4];
    DepthwiseGather g{rows, section_positions(t.width) * channels_, 1, 0, 0, true, flip_, to};
    for (int64_t section = 0; section < window_.sections; ++section, g.to += shape_.section) {
      for (int64_t i = 0; i < window_.lane_taps; ++i) {
        const auto& column = window_.columns[static_cast<size_t>(section * window_.lane_taps + i)];
        rows[i] = classes[static_cast<size_t>(column.index)] + column.shift * channels_;
      }
      byte_kernels().gather(g);
    }
  }

  // `y` are the outputs of the tile's sample.
  void compute(const Tile& t, uint8_t* y) const {
    const Shape& s = shape_;
    const auto classes = static_cast<int64_t>(window_.classes.size());
    const int64_t copies = direct() ? 0 : std::max(window_.lane_taps, classes);
    const int64_t taps = window_.sections * s.section + kSpan * kLane;
    uint8_t* const lanes = room_of_thread(taps + copies * static_cast<int64_t>(s.zeros.size()));
    if (direct()) {
      for (int64_t group = 0; group < window_.row_groups; ++group) {
        gather_direct(t, group, lanes + group * s.section);
      }
    } else if (window_.kind == DepthwiseWindow::Kind::kClasses) {
      gather_classes(t, lanes + taps, lanes);
    } else {
      gather_along(t, lanes + taps, lanes);
    }
    const ops::QuantRange range = ops::quant_range(y_.type);
    DepthwiseBlock b;
    b.taps = lanes;
    b.offsets = s.offsets.data();
    b.groups = static_cast<int64_t>(window_.lanes.size());
    b.channels = channels_;
    b.count = t.block;
    b.positions = t.width;
    b.step = window_.step * s.pitch;
    b.result.bias = bias_.data() + t.c;
    b.result.multiplier = multiplier_.data() + t.c;
    b.result.zero_point = y_.zero_point;
    b.result.lowest = range.lowest;
    b.result.highest = range.highest;
    const int64_t rows = std::min(window_.together, s.out[1] - t.y);
    for (int64_t r = 0; r < rows; ++r) {
      b.w = reinterpret_cast<const uint8_t*>(packed_->data()) + r * b.groups * lane_row() +
            t.c * kLane;
      b.out = y + ((t.d * s.out[1] + t.y + r) * s.out[2] + t.x) * channels_ + t.c;
      byte_kernels().depthwise(b);
    }
  }

  void convolve(const uint8_t* x, const uint8_t* end, uint8_t* y) const {
    const Shape& s = shape_;
    const int64_t x_sample = s.size[0] * s.size[1] * s.size[2] * channels_;
    const int64_t y_sample = s.out[0] * s.out[1] * s.out[2] * channels_;
    const int64_t tasks = s.samples * s.out[0] * s.row_groups * s.tiles * s.blocks;
    for_each_index(tasks, s.shared, [&](int64_t task) {
      const int64_t row = task / s.blocks / s.tiles;
      const int64_t plane = row / s.row_groups;
      const int64_t n = plane / s.out[0];
      Tile t;
      t.image = x + n * x_sample;
      t.end = end;
      t.d = plane % s.out[0];
      t.y = row % s.row_groups * window_.together;
      t.x = task / s.blocks % s.tiles * s.width;
      t.c = task % s.blocks * s.block;
      t.width = std::min(s.width, s.out[2] - t.x);
      t.block = std::min(s.block, channels_ - t.c);
      if (t.width > 0) compute(t, y + n * y_sample);
    });
  }

  const ir::Node* node_;
  ByteTarget x_, y_;
  ir::Dims w_dims_;
  int64_t channels_;
  DepthwiseWindow window_;
  uint8_t flip_ = 0;
  std::shared_ptr<ir::Buffer> packed_;  // [window_.together][window_.lanes()] rows of lanes
  std::vector<int32_t> bias_;           // as DepthwiseBlock wants them
  std::vector<float> multiplier_;
  Shape shape_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_byte_depthwise(const IntegerConvolutionSpec& spec,
                                                       const ir::Tensor& w) {
  return std::make_unique<ByteDepthwise>(spec, w);
}

}  // namespace fettle::interp
