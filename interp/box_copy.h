// Copies of boxes of elements between two buffers with strides, prepared once and run often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ir/data_type.h"

namespace fettle::interp {

// Bytes of an element that can be moved as a whole: 1, 2, 4 or 8; 0 for all other types.
size_t element_width(ir::DataType type);

// One axis of a box: its extent and the distance of neighbors on both sides, in elements. Strides
// may be zero or negative.
struct BoxAxis {
  int64_t extent = 1;
  int64_t from = 0;
  int64_t to = 0;
};

// Two axes of a box as a loop nest sees them: distances in bytes; every place of a row holds `run`
// bytes.
struct BoxPlane {
  int64_t rows = 1;
  int64_t columns = 1;
  int64_t from_row = 0;
  int64_t to_row = 0;
  int64_t from_column = 0;
  int64_t to_column = 0;
  size_t run = 0;
};

class BoxCopy {
 public:
  // Copies nothing.
  BoxCopy() = default;
  // `axes` outermost first; elements of `width` bytes: 1, 2, 4 or 8. The offsets, in elements, are
  // those of the first element of the box on both sides.
  BoxCopy(size_t width, const std::vector<BoxAxis>& axes, int64_t from_offset = 0,
          int64_t to_offset = 0);

  // The caller answers for the box lying inside both buffers, which do not overlap. Large boxes are
  // shared by all threads.
  void run(const std::byte* from, std::byte* to) const;
  // True when the box is one run of bytes on both sides (or empty).
  bool contiguous() const { return contiguous_; }
  int64_t from_offset() const { return from_offset_; }  // bytes

 private:
  // Rows [begin, end) of a plane.
  using Rows = void (*)(const std::byte* from, std::byte* to, const BoxPlane& plane, int64_t begin,
                        int64_t end);
  static std::vector<BoxAxis> merged(size_t width, const std::vector<BoxAxis>& axes);
  void choose(size_t width, std::vector<BoxAxis> axes);
  void choose_runs(size_t run, std::vector<BoxAxis> axes);
  void run_planes(const std::byte* from, std::byte* to, int64_t begin, int64_t end) const;
  void run_shared(const std::byte* from, std::byte* to) const;

  Rows rows_ = nullptr;  // null: nothing to copy
  BoxPlane plane_;
  std::vector<BoxAxis> outer_;  // strides in bytes
  int64_t planes_ = 1;          // product of the extents of outer_
  int64_t row_blocks_ = 1;      // parts of the rows of a plane that threads take
  int64_t block_rows_ = 1;
  int64_t from_offset_ = 0;  // bytes
  int64_t to_offset_ = 0;
  bool contiguous_ = true;
  bool shared_ = false;
};

}  // namespace fettle::interp
