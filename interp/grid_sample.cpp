#include "interp/grid_sample.h"

#include <array>

#include "interp/parallel.h"
#include "ops/grid_sample.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// The pixels of a map that one output position is the weighted sum of.
struct Cell {
  std::array<int64_t, 4> offset;  // offset[0] is -1 when there are none
  std::array<float, 4> weight;
};

class GridSample : public AcceleratedKernel {
 public:
  explicit GridSample(const ops::GridOptions& options) : options_(options) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    const ir::Tensor& x = *call.tensor(0);
    const ir::Tensor& grid = *call.tensor(1);
    if (x.rank() != 4 || grid.rank() != 4 || grid.dim(0) != x.dim(0) || grid.dim(3) != 2 ||
        x.size() == 0 || grid.size() == 0) {
      return false;
    }
    ir::Tensor out(kFloat, {x.dim(0), x.dim(1), grid.dim(1), grid.dim(2)});
    const int64_t positions = grid.dim(1) * grid.dim(2);
    const int64_t pixels = x.dim(2) * x.dim(3);
    cells_.resize(static_cast<size_t>(x.dim(0) * positions));
    find_cells(x.dim(2), x.dim(3), grid.data<float>().data());
    const float* from = x.data<float>().data();
    float* to = out.mutable_data<float>().data();
    // Long maps in parts, so that few channels are shared too.
    const int64_t parts = (positions + kPart - 1) / kPart;
    for_each_row(x.dim(0) * x.dim(1) * parts, std::min(positions, kPart) * 8, [&](int64_t i) {
      const int64_t map = i / parts;
      const int64_t first = i % parts * kPart;
      const Cell* cells = cells_.data() + map / x.dim(1) * positions;
      sample(from + map * pixels, cells + first, std::min(kPart, positions - first),
             to + map * positions + first);
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  static constexpr int64_t kPart = 4096;

  // Coordinates come with the last axis first.
  void find_cells(int64_t height, int64_t width, const float* grid) {
    const ops::GridAxis rows(height, options_.align_corners);
    const ops::GridAxis columns(width, options_.align_corners);
    for_chunks(
        static_cast<int64_t>(cells_.size()),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            cells_[static_cast<size_t>(i)] =
                cell(ops::taps_at(options_, rows, static_cast<double>(grid[2 * i + 1])),
                     ops::taps_at(options_, columns, static_cast<double>(grid[2 * i])), width);
          }
        },
        32);
  }

  // Missing pixels count as one that is there, with weight 0.
  Cell cell(const ops::GridTaps& row, const ops::GridTaps& column, int64_t width) const {
    Cell c{{-1, -1, -1, -1}, {}};
    size_t count = 0;
    for (size_t r = 0; r < options_.support; ++r) {
      for (size_t k = 0; k < options_.support; ++k) {
        if (row.index[r] < 0 || column.index[k] < 0) continue;
        c.offset[count] = row.index[r] * width + column.index[k];
        c.weight[count] = static_cast<float>(row.weight[r] * column.weight[k]);
        ++count;
      }
    }
    for (; count < c.offset.size(); ++count) c.offset[count] = c.offset[0];
    return c;
  }

  void sample(const float* map, const Cell* cells, int64_t count, float* out) const {
    if (options_.support == 1) {
      for (int64_t i = 0; i < count; ++i) {
        out[i] = cells[i].offset[0] < 0 ? 0.0f : map[cells[i].offset[0]];
      }
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      const Cell& c = cells[i];
      if (c.offset[0] < 0) {
        out[i] = 0.0f;
        continue;
      }
      out[i] = c.weight[0] * map[c.offset[0]] + c.weight[1] * map[c.offset[1]] +
               c.weight[2] * map[c.offset[2]] + c.weight[3] * map[c.offset[3]];
    }
  }

  ops::GridOptions options_;
  std::vector<Cell> cells_;  // per sample and output position
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_grid_sample(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  const std::string mode = node.attr_string("mode", "linear");
  const std::string padding = node.attr_string("padding_mode", "zeros");
  const bool known = padding == "zeros" || padding == "border" || padding == "reflection";
  if (!known || (mode != "nearest" && mode != "linear" && mode != "bilinear")) return nullptr;
  return std::make_unique<GridSample>(ops::grid_options(node));
}

}  // namespace fettle::interp
