#include "interp/box_copy.h"

#include <algorithm>
#include <cstring>

#include "interp/box_rows.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

constexpr int64_t kSharedBytes = 256 << 10;  // boxes from this size on are worth all threads
constexpr int64_t kPartBytes = 64 << 10;     // what a thread takes at a time
constexpr int64_t kStripRows = 64;           // a multiple of every strip of a transposition

}  // namespace

size_t element_width(ir::DataType type) {
  if (type == ir::DataType::kUndefined || type == ir::DataType::kString) return 0;
  const int bits = ir::data_type_bits(type);
  return bits == 8 || bits == 16 || bits == 32 || bits == 64 ? static_cast<size_t>(bits / 8) : 0;
}

// Strides in bytes, no axes of extent 1, neighbors merged where both sides allow it.
std::vector<BoxAxis> BoxCopy::merged(size_t width, const std::vector<BoxAxis>& axes) {
  const auto size = static_cast<int64_t>(width);
  std::vector<BoxAxis> result;
  result.reserve(axes.size());
  for (const BoxAxis& axis : axes) {
    if (axis.extent == 1) continue;
    const BoxAxis next{axis.extent, axis.from * size, axis.to * size};
    if (!result.empty() && result.back().from == next.from * next.extent &&
        result.back().to == next.to * next.extent) {
      result.back() = {result.back().extent * next.extent, next.from, next.to};
    } else {
      result.push_back(next);
    }
  }
  return result;
}

BoxCopy::BoxCopy(size_t width, const std::vector<BoxAxis>& axes, int64_t from_offset,
                 int64_t to_offset)
    : from_offset_(from_offset * static_cast<int64_t>(width)),
      to_offset_(to_offset * static_cast<int64_t>(width)) {
  int64_t bytes = static_cast<int64_t>(width);
  for (const BoxAxis& axis : axes) bytes *= axis.extent;
  if (bytes == 0) return;
  std::vector<BoxAxis> strided = merged(width, axes);
  const auto size = static_cast<int64_t>(width);
  size_t run = width;
  if (strided.empty()) strided.push_back({1, size, size});
  const bool side_by_side = strided.back().from == size && strided.back().to == size;
  contiguous_ = side_by_side && strided.size() == 1;
  if (side_by_side) {
    run *= static_cast<size_t>(strided.back().extent);
    strided.pop_back();
  }
  const bool element = run == 1 || run == 2 || run == 4 || run == 8 || run == 16;
  if (element && !strided.empty()) {
    choose(run, std::move(strided));
  } else {
    choose_runs(run, std::move(strided));
  }
  for (const BoxAxis& axis : outer_) planes_ *= axis.extent;
  shared_ = bytes >= kSharedBytes;
  block_rows_ = plane_.rows;
  if (!shared_) return;
  const int64_t row_bytes = std::max<int64_t>(bytes / (planes_ * plane_.rows), 1);
  const int64_t wanted = std::max<int64_t>(kPartBytes / row_bytes, 1);
  block_rows_ = std::min(plane_.rows, (wanted + kStripRows - 1) / kStripRows * kStripRows);
  if (wanted < kStripRows && rows_ == copy_runs) block_rows_ = std::min(plane_.rows, wanted);
  row_blocks_ = (plane_.rows + block_rows_ - 1) / block_rows_;
}

// Runs of more than an element's bytes; `axes` may be empty.
void BoxCopy::choose_runs(size_t run, std::vector<BoxAxis> axes) {
  plane_.run = run;
  plane_.from_row = plane_.to_row = static_cast<int64_t>(run);
  if (axes.empty() && static_cast<int64_t>(run) >= kSharedBytes) {
    // One large run: rows of 4 KiB as far as they go, so that threads can share it.
    for (int64_t row = 4096; row >= 64; row /= 2) {
      if (static_cast<int64_t>(run) % row == 0) {
        axes.push_back({static_cast<int64_t>(run) / row, row, row});
        plane_.run = static_cast<size_t>(row);
        break;
      }
    }
  }
  if (!axes.empty()) {
    plane_.rows = axes.back().extent;
    plane_.from_row = axes.back().from;
    plane_.to_row = axes.back().to;
    axes.pop_back();
  }
  outer_ = std::move(axes);
  rows_ = copy_runs;
}

// Elements of `width` bytes; the innermost axis is not contiguous on both sides.
void BoxCopy::choose(size_t width, std::vector<BoxAxis> axes) {
  const auto size = static_cast<int64_t>(width);
  const BoxAxis column = axes.back();
  axes.pop_back();
  plane_.columns = column.extent;
  plane_.from_column = column.from;
  plane_.to_column = column.to;
  auto row = axes.end();
  if (column.to == size && column.from != 0) {
    row = std::find_if(axes.begin(), axes.end(),
                       [&](const BoxAxis& axis) { return axis.from == size; });
  }
  if (row == axes.end() && !axes.empty()) row = axes.end() - 1;
  if (row != axes.end()) {
    plane_.rows = row->extent;
    plane_.from_row = row->from;
    plane_.to_row = row->to;
    axes.erase(row);
  }
  outer_ = std::move(axes);
  rows_ = element_rows(width, plane_);
}

// Planes [begin, end) in row-major order of the outer axes, all rows.
void BoxCopy::run_planes(const std::byte* from, std::byte* to, int64_t begin, int64_t end) const {
  constexpr size_t kMostAxes = 16;
  int64_t index[kMostAxes];
  const size_t rank = outer_.size();
  int64_t rest = begin;
  for (size_t k = rank; k-- > 0;) {
    index[k] = rest % outer_[k].extent;
    rest /= outer_[k].extent;
    from += index[k] * outer_[k].from;
    to += index[k] * outer_[k].to;
  }
  for (int64_t i = begin;;) {
    rows_(from, to, plane_, 0, plane_.rows);
    if (++i == end) return;
    for (size_t k = rank; k-- > 0;) {
      from += outer_[k].from;
      to += outer_[k].to;
      if (++index[k] < outer_[k].extent) break;
      from -= outer_[k].from * outer_[k].extent;
      to -= outer_[k].to * outer_[k].extent;
      index[k] = 0;
    }
  }
}

void BoxCopy::run_shared(const std::byte* from, std::byte* to) const {
  if (row_blocks_ == 1) {
    const int64_t parts = std::min<int64_t>(planes_, 64);
    for_each_index(parts, true, [&](int64_t i) {
      run_planes(from, to, planes_ * i / parts, planes_ * (i + 1) / parts);
    });
    return;
  }
  for_each_index(planes_ * row_blocks_, true, [&](int64_t i) {
    const std::byte* source = from;
    std::byte* target = to;
    int64_t rest = i / row_blocks_;
    for (size_t k = outer_.size(); k-- > 0;) {
      source += rest % outer_[k].extent * outer_[k].from;
      target += rest % outer_[k].extent * outer_[k].to;
      rest /= outer_[k].extent;
    }
    const int64_t first = i % row_blocks_ * block_rows_;
    rows_(source, target, plane_, first, std::min(plane_.rows, first + block_rows_));
  });
}

void BoxCopy::run(const std::byte* from, std::byte* to) const {
  if (rows_ == nullptr) return;
  from += from_offset_;
  to += to_offset_;
  if (shared_) return run_shared(from, to);
  if (outer_.empty()) return rows_(from, to, plane_, 0, plane_.rows);
  run_planes(from, to, 0, planes_);
}

}  // namespace fettle::interp
