#include "ops/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// `x` mirrored at both borders until it lies between them.
double reflected(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double distance = x < low ? low - x : x - low;
  const double rest = std::fmod(distance, 2 * range);
  return low + (rest <= range ? rest : 2 * range - rest);
}

int64_t padded_index(const GridOptions& options, const GridAxis& axis, double i) {
  const double last = static_cast<double>(axis.extent - 1);
  if (options.padding == GridPadding::kZeros && (i < 0 || i > last)) return -1;
  if (options.padding == GridPadding::kReflection) {
    i = std::trunc(reflected(i, axis.low, axis.high));
  }
  return static_cast<int64_t>(std::clamp(i, 0.0, last));
}

// Cubic convolution weights (Keys 1981, coefficient -0.75) of the taps -1, 0, 1, 2 at fraction `t`.
void cubic_weights(double t, std::array<double, 4>& weight) {
  constexpr double kA = -0.75;
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; };
  weight = {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

// Offsets into one map and their weights for one output position: the product over all axes.
struct Cells {
  std::vector<int64_t> offset;
  std::vector<double> weight;
};

void combine(const std::vector<GridTaps>& taps, const std::vector<int64_t>& strides, size_t support,
             Cells& cells) {
  cells.offset.assign(1, 0);
  cells.weight.assign(1, 1.0);
  for (size_t a = 0; a < taps.size(); ++a) {
    Cells next;
    for (size_t c = 0; c < cells.offset.size(); ++c) {
      for (size_t k = 0; k < support; ++k) {
        if (taps[a].index[k] < 0) continue;
        next.offset.push_back(cells.offset[c] + taps[a].index[k] * strides[a]);
        next.weight.push_back(cells.weight[c] * taps[a].weight[k]);
      }
    }
    cells = std::move(next);
  }
}

constexpr size_t kMostAxes = 6;  // 4^6 taps per position

void check_shapes(const ir::Dims& x, const ir::Dims& grid) {
  const bool ok = x.size() >= 3 && x.size() <= kMostAxes + 2 && grid.size() == x.size() &&
                  grid[0] == x[0] && grid.back() == static_cast<int64_t>(x.size()) - 2;
  if (!ok) {
    fail(ErrorCode::kBadInput,
         "expected x [N, C, spatial] and grid [N, out, axes], found {} and {}", ir::to_string(x),
         ir::to_string(grid));
  }
}

}  // namespace

GridOptions grid_options(const ir::Node& node) {
  GridOptions options;
  const std::string mode = node.attr_string("mode", "linear");
  const std::string padding = node.attr_string("padding_mode", "zeros");
  if (mode == "nearest") {
    options.support = 1;
  } else if (mode == "cubic" || mode == "bicubic") {
    options.support = 4;
  } else if (mode != "linear" && mode != "bilinear") {
    fail(ErrorCode::kBadInput, "attribute mode: '{}' is not a known value", mode);
  }
  if (padding == "border") {
    options.padding = GridPadding::kBorder;
  } else if (padding == "reflection") {
    options.padding = GridPadding::kReflection;
  } else if (padding != "zeros") {
    fail(ErrorCode::kBadInput, "attribute padding_mode: '{}' is not a known value", padding);
  }
  options.align_corners = node.attr_int("align_corners", 0) != 0;
  return options;
}

GridTaps taps_at(const GridOptions& options, const GridAxis& axis, double coordinate) {
  // Coordinates that no tensor reaches count as far outside; so does NaN.
  constexpr double kFar = 1e9;
  const double extent = static_cast<double>(axis.extent);
  float x = static_cast<float>(options.align_corners ? (coordinate + 1) / 2 * (extent - 1)
                                                     : ((coordinate + 1) * extent - 1) / 2);
  if (!(std::fabs(x) <= kFar)) x = static_cast<float>(x > 0 ? kFar : -kFar);
  double position = options.support == 1 ? std::nearbyint(x) : x;
  if (position < axis.low || position > axis.high) {
    // Cubic interpolation repeats the border pixel by pixel instead.
    if (options.padding == GridPadding::kBorder && options.support < 4) {
      position = std::clamp(position, 0.0, extent - 1);
    }
    if (options.padding == GridPadding::kReflection) {
      position = reflected(position, axis.low, axis.high);
    }
  }
  GridTaps taps{{}, {1, 0, 0, 0}};
  const double base = options.support == 1 ? std::trunc(position) : std::floor(position);
  const double fraction = position - base;
  if (options.support == 2) taps.weight = {1 - fraction, fraction, 0, 0};
  if (options.support == 4) cubic_weights(fraction, taps.weight);
  const double first = base - (options.support == 4 ? 1 : 0);
  for (size_t k = 0; k < options.support; ++k) {
    taps.index[k] = padded_index(options, axis, first + static_cast<double>(k));
  }
  return taps;
}

void infer_grid_sample(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  const ir::Shape* grid = context.shape(1);
  if (x == nullptr || grid == nullptr || x->size() < 3 || grid->size() != x->size()) {
    return context.set(0, context.element(0));
  }
  ir::Shape out = {(*x)[0], (*x)[1]};
  out.insert(out.end(), grid->begin() + 1, grid->end() - 1);
  context.set(0, context.element(0), std::move(out));
}

void grid_sample(KernelContext& context) {
  const GridOptions options = grid_options(context.node());
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& grid = context.input(1);
  check_shapes(x.dims(), grid.dims());
  const size_t rank = x.rank() - 2;
  const ir::Dims spatial(x.dims().begin() + 2, x.dims().end());
  ir::Dims dims = {x.dim(0), x.dim(1)};
  dims.insert(dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  ir::Tensor& y = context.output(0, x.type(), dims);
  if (y.size() == 0) return;
  if (!is_real(x.type()) || !is_real(grid.type()) || ir::element_count(spatial) == 0) {
    fail(ErrorCode::kBadInput, "expected non-empty floating-point operands, found {} {} and {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()), ir::data_type_name(grid.type()));
  }
  std::vector<GridAxis> axes;
  for (const int64_t extent : spatial) axes.emplace_back(extent, options.align_corners);
  const auto strides = row_major_strides(spatial);
  const ir::Tensor values = as_doubles(x);
  const double* in = values.data<double>().data();
  const int64_t in_map = ir::element_count(spatial);
  const int64_t out_map = y.size() / (x.dim(0) * x.dim(1));
  std::vector<GridTaps> taps(rank);
  Cells cells;
  for (int64_t n = 0; n < x.dim(0); ++n) {
    for (int64_t o = 0; o < out_map; ++o) {
      const int64_t at = (n * out_map + o) * static_cast<int64_t>(rank);
      for (size_t a = 0; a < rank; ++a) {
        // Coordinates come with the last axis first.
        taps[a] = taps_at(options, axes[a],
                          ir::element_as_double(grid, at + static_cast<int64_t>(rank - 1 - a)));
      }
      combine(taps, strides, options.support, cells);
      for (int64_t c = 0; c < x.dim(1); ++c) {
        const double* map = in + (n * x.dim(1) + c) * in_map;
        double sum = 0;
        for (size_t k = 0; k < cells.offset.size(); ++k)
          sum += cells.weight[k] * map[cells.offset[k]];
        store_double(sum, y, (n * x.dim(1) + c) * out_map + o);
      }
    }
  }
}

}  // namespace fettle::ops
