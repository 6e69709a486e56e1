// How the taps of a depthwise window are brought together for the kernels of byte_kernel.h.
#pragma once

#include <cstdint>
#include <vector>

#include "interp/byte_image.h"
#include "ir/graph.h"

namespace fettle::interp {

// Taps are gathered from rows of the image into lanes, a section of lanes for every group of rows
// that lie below each other. The taps of a column of the window then are `row_groups` lanes, and
// neighboring outputs share them. Where lanes have taps to spare they hold the rows of the next
// outputs below as well, so that `together` rows of outputs use the same sections.
//
// kWhole: sections hold all positions of the rows; output x finds column k at position
//   x * stride + k * dilation.
// kClasses: sections hold positions whose numbers agree modulo the stride, one class each; output x
//   finds column k in class (k * dilation) % stride at position x + (k * dilation) / stride.
// kAlong: for windows of one row. Lane x of section g holds taps g * taps ... of output x. Where
//   those are what section 0 holds for another x, there is no other section.
struct DepthwiseWindow {
  enum class Kind { kWhole, kClasses, kAlong };
  struct Place {
    int64_t index = 0;  // of a class or section
    int64_t shift = 0;  // positions from that of the output
  };

  // `taps` of a lane. kWhole is chosen for `whole` or where the stride along rows is 1.
  DepthwiseWindow(const ir::Node& node, const Axes& window, int64_t taps, bool whole);

  Axes kernel{}, stride{}, dilation{};
  int64_t lane_taps = 4;
  Kind kind = Kind::kWhole;
  int64_t together = 1;
  int64_t rows = 1;              // of the image that the outputs together need
  int64_t row_groups = 1;        // sections of a class
  std::vector<int64_t> classes;  // those in use
  std::vector<Place> columns;    // of the window and, kAlong, of what fills its last lane: class
  std::vector<Place> lanes;      // that an output is the sum of: section
  int64_t sections = 1;
  int64_t step = 1;        // positions of a section from output to output
  int64_t row_margin = 0;  // positions of a class of a row more than (outputs - 1) * step + 1
  int64_t margin = 0;      // the same of a section

  // The tap, as an index of the window in row-major order, that output row `row` of those together
  // has at `place` of lane `lane`; -1 for none.
  int64_t tap(int64_t row, int64_t lane, int64_t place) const;
  // Row `i` of `rows` in image rows from that of the window's first tap: depth and height.
  int64_t row_depth(int64_t i) const { return kernel[0] == 1 ? 0 : i / kernel[1] * dilation[0]; }
  int64_t row_height(int64_t i) const { return (kernel[0] == 1 ? i : i % kernel[1]) * dilation[1]; }

 private:
  void place_columns(int64_t count);
  void place_along();
  void place_groups();
};

}  // namespace fettle::interp
