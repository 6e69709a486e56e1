#include "ops/deform_conv.h"

#include <array>
#include <cmath>

#include "ops/checked.h"
#include "ops/convolution.h"
#include "ops/real_elements.h"
#include "ops/scratch.h"
#include "ops/window.h"

namespace fettle::ops {
namespace {

constexpr size_t kMostAxes = 6;  // 2^6 corners per tap

// The operands as doubles, and the sizes that tie them together.
struct Deformable {
  Window window;
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t maps = 0;  // output channels
  int64_t offset_groups = 1;
  int64_t taps = 1;       // of the kernel
  int64_t positions = 1;  // of one output map
  int64_t pixels = 1;     // of one input map
  ir::Tensor x, w, offset, mask, bias;

  explicit Deformable(KernelContext& context);
};

const ir::Tensor& checked_operand(const ir::Tensor& tensor, ir::DataType type, const ir::Dims& dims,
                                  const char* name) {
  if (tensor.type() != type || tensor.dims() != dims) {
    fail(ErrorCode::kBadInput, "{}: expected {} {}, found {} {}", name, ir::data_type_name(type),
         ir::to_string(dims), ir::data_type_name(tensor.type()), ir::to_string(tensor.dims()));
  }
  return tensor;
}

Deformable::Deformable(KernelContext& context) {
  const ir::Tensor& input = context.input(0);
  const ir::Tensor& weights = context.input(1);
  if (!is_real(input.type()) || input.rank() > kMostAxes + 2) {
    fail(ErrorCode::kBadInput, "expected floating-point x [N, C, at most {} axes], found {} {}",
         kMostAxes, ir::data_type_name(input.type()), ir::to_string(input.dims()));
  }
  window = conv_window(context.node(), input.dims(), weights.dims());
  checked_operand(weights, input.type(), weights.dims(), "weights");
  batch = input.dim(0);
  channels = input.dim(1);
  maps = weights.dim(0);
  taps = ir::element_count(window.kernel);
  positions = ir::element_count(window.output);
  pixels = ir::element_count(window.input);
  offset_groups = context.node().attr_int("offset_group", 1);
  if (offset_groups < 1 || channels % offset_groups != 0) {
    fail(ErrorCode::kBadInput, "attribute offset_group: {} does not divide {} channels",
         offset_groups, channels);
  }
  const int64_t planes = checked_mul(offset_groups, taps);
  ir::Dims dims = {batch, checked_mul(planes, static_cast<int64_t>(window.rank()))};
  dims.insert(dims.end(), window.output.begin(), window.output.end());
  offset = as_doubles(checked_operand(context.input(2), input.type(), dims, "offset"));
  if (context.has(3)) {
    bias = as_doubles(checked_operand(context.input(3), input.type(), {maps}, "bias"));
  }
  dims[1] = planes;
  if (context.has(4)) {
    mask = as_doubles(checked_operand(context.input(4), input.type(), dims, "mask"));
  }
  x = as_doubles(input);
  w = as_doubles(weights);
}

// Multilinear interpolation at one point: the corners inside the map and their weights.
struct Sample {
  std::array<int64_t, 1 << kMostAxes> offset;
  std::array<double, 1 << kMostAxes> weight;
  size_t count = 0;

  void set(const Window& window, const std::array<double, kMostAxes>& point, double scale) {
    offset[0] = 0;
    weight[0] = scale;
    count = 1;
    for (size_t a = 0; a < window.rank(); ++a) {
      const auto extent = static_cast<double>(window.input[a]);
      // Also false for NaN.
      if (!(point[a] > -1.0 && point[a] < extent)) {
        count = 0;
        return;
      }
      const double base = std::floor(point[a]);
      split(static_cast<int64_t>(base), point[a] - base, window.input[a]);
    }
  }
  double of(const double* map) const {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += weight[i] * map[offset[i]];
    return sum;
  }

 private:
  // Every corner so far becomes the two at `low` and `low + 1` of the next axis, where inside.
  void split(int64_t low, double fraction, int64_t extent) {
    const size_t before = count;
    const bool upper = low + 1 < extent;
    if (upper) {
      for (size_t i = 0; i < before; ++i) {
        offset[before + i] = offset[i] * extent + low + 1;
        weight[before + i] = weight[i] * fraction;
      }
    }
    if (low < 0) {  // the upper corners replace the lower ones
      for (size_t i = 0; i < before; ++i) {
        offset[i] = offset[before + i];
        weight[i] = weight[before + i];
      }
      count = upper ? before : 0;
      return;
    }
    for (size_t i = 0; i < before; ++i) {
      offset[i] = offset[i] * extent + low;
      weight[i] *= 1.0 - fraction;
    }
    count = upper ? 2 * before : before;
  }
};

// Steps a row-major index over `extents`.
void advance(ir::Dims& index, const ir::Dims& extents) {
  for (size_t a = index.size(); a-- > 0;) {
    if (++index[a] < extents[a]) return;
    index[a] = 0;
  }
}

// columns[c * taps + k]: what tap k reads in channel c at one output position.
void gather(const Deformable& d, int64_t n, int64_t position, const ir::Dims& at, double* columns) {
  const Window& window = d.window;
  const auto rank = static_cast<int64_t>(window.rank());
  const int64_t per_group = d.channels / d.offset_groups;
  const double* offsets = d.offset.data<double>().data();
  Sample sample;
  for (int64_t g = 0; g < d.offset_groups; ++g) {
    ir::Dims tap(window.rank(), 0);
    for (int64_t k = 0; k < d.taps; ++k) {
      const int64_t plane = (n * d.offset_groups + g) * d.taps + k;
      std::array<double, kMostAxes> point{};
      for (size_t a = 0; a < window.rank(); ++a) {
        const int64_t start =
            at[a] * window.strides[a] - window.pads_begin[a] + tap[a] * window.dilations[a];
        point[a] = static_cast<double>(start) +
                   offsets[(plane * rank + static_cast<int64_t>(a)) * d.positions + position];
      }
      const double scale =
          d.mask.defined()
              ? d.mask.data<double>()[static_cast<size_t>(plane * d.positions + position)]
              : 1.0;
      sample.set(window, point, scale);
      for (int64_t c = g * per_group; c < (g + 1) * per_group; ++c) {
        columns[c * d.taps + k] =
            sample.of(d.x.data<double>().data() + (n * d.channels + c) * d.pixels);
      }
      advance(tap, window.kernel);
    }
  }
}

}  // namespace

void deform_conv(KernelContext& context) {
  const Deformable d(context);
  ir::Tensor& y =
      context.output(0, context.input(0).type(),
                     conv_output_dims(d.window, context.input(0).dims(), context.input(1).dims()));
  if (y.size() == 0) return;
  const int64_t length = d.channels / d.window.group * d.taps;  // of one filter
  std::vector<double> columns = scratch<double>(checked_mul(d.channels, d.taps));
  const int64_t maps_per_group = d.maps / d.window.group;
  for (int64_t n = 0; n < d.batch; ++n) {
    ir::Dims at(d.window.rank(), 0);
    for (int64_t position = 0; position < d.positions; ++position) {
      gather(d, n, position, at, columns.data());
      for (int64_t m = 0; m < d.maps; ++m) {
        const double* filter = d.w.data<double>().data() + m * length;
        const double* column = columns.data() + m / maps_per_group * length;
        double sum = 0;
        for (int64_t i = 0; i < length; ++i) sum += filter[i] * column[i];
        if (d.bias.defined()) sum += d.bias.data<double>()[static_cast<size_t>(m)];
        store_double(sum, y, (n * d.maps + m) * d.positions + position);
      }
      advance(at, d.window.output);
    }
  }
}

void infer_deform_conv(InferContext& context) {
  infer_convolution(context, 0, 1, context.element(0));
}

int64_t deform_conv_macs(const ir::Node&, const std::vector<ir::Dims>& inputs,
                         const std::vector<ir::Dims>& outputs) {
  return convolution_macs(inputs, outputs, 1);
}

}  // namespace fettle::ops
