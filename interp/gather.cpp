#include "interp/gather.h"

#include <algorithm>
#include <cstring>

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

// Index `i` of an int32 or int64 tensor.
struct Indices {
  const int64_t* wide = nullptr;
  const int32_t* narrow = nullptr;

  explicit Indices(const ir::Tensor& tensor) {
    if (tensor.type() == ir::DataType::kInt64) wide = tensor.data<int64_t>().data();
    if (tensor.type() == ir::DataType::kInt32) narrow = tensor.data<int32_t>().data();
  }
  bool known() const { return wide != nullptr || narrow != nullptr; }
  int64_t operator[](int64_t i) const { return wide != nullptr ? wide[i] : narrow[i]; }
};

bool within(int64_t index, int64_t extent) {
  return index >= -extent && index < extent;
}

template <typename T>
void pick(const Indices& indices, int64_t count, int64_t extent, const std::byte* from,
          std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = indices[i];
    T value;
    std::memcpy(&value, from + (index < 0 ? index + extent : index) * int64_t{sizeof(T)},
                sizeof value);
    std::memcpy(to + i * int64_t{sizeof(T)}, &value, sizeof value);
  }
}

// to[i] = from[index i], runs of `bytes` bytes.
void pick_runs(const Indices& indices, int64_t count, int64_t extent, size_t bytes,
               const std::byte* from, std::byte* to) {
  if (bytes == 4) return pick<uint32_t>(indices, count, extent, from, to);
  if (bytes == 8) return pick<uint64_t>(indices, count, extent, from, to);
  if (bytes == 1) return pick<uint8_t>(indices, count, extent, from, to);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = indices[i];
    std::memcpy(to + static_cast<size_t>(i) * bytes,
                from + static_cast<size_t>(index < 0 ? index + extent : index) * bytes, bytes);
  }
}

class Gather : public AcceleratedKernel {
 public:
  explicit Gather(const ir::Node& node) : axis_(node.attr_int("axis", 0)) {}

  bool run(Call& call) override {
    const ir::Tensor* data = call.tensor(0);
    const ir::Tensor* picked = call.tensor(1);
    if (data == nullptr || picked == nullptr) return false;
    const size_t width = element_width(data->type());
    const auto axis = axis_within(axis_, data->rank());
    const Indices indices(*picked);
    if (width == 0 || !axis || !indices.known()) return false;
    const ir::Dims& in = data->dims();
    const int64_t extent = in[*axis];
    for (int64_t i = 0; i < picked->size(); ++i) {
      if (!within(indices[i], extent)) return false;
    }
    ir::Dims dims;
    dims.reserve(in.size() + picked->rank());
    const auto at = in.begin() + static_cast<std::ptrdiff_t>(*axis);
    dims.insert(dims.end(), in.begin(), at);
    dims.insert(dims.end(), picked->dims().begin(), picked->dims().end());
    dims.insert(dims.end(), at + 1, in.end());
    const int64_t outer = extents_between(in, 0, *axis);
    const size_t bytes = static_cast<size_t>(extents_between(in, *axis + 1, in.size())) * width;
    if (picked->size() == 1 && outer == 1 && bytes > 0) {
      const int64_t index = indices[0] < 0 ? indices[0] + extent : indices[0];
      call.set(0, view_of(*data, std::move(dims), static_cast<size_t>(index) * bytes));
      return true;
    }
    ir::Tensor out(data->type(), std::move(dims));
    if (out.size() > 0) {
      copy(*data, indices, picked->size(), {outer, extent, bytes}, out.mutable_bytes());
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  struct View {
    int64_t outer;
    int64_t extent;
    size_t bytes;  // of the elements that share an index
  };
  static void copy(const ir::Tensor& data, const Indices& indices, int64_t count, const View& view,
                   std::byte* to) {
    const std::byte* from = data.bytes();
    const size_t in_step = static_cast<size_t>(view.extent) * view.bytes;
    const size_t out_step = static_cast<size_t>(count) * view.bytes;
    for_each_row(view.outer, static_cast<int64_t>(out_step / 4), [&](int64_t o) {
      pick_runs(indices, count, view.extent, view.bytes, from + static_cast<size_t>(o) * in_step,
                to + static_cast<size_t>(o) * out_step);
    });
  }

  int64_t axis_;
};

// Places that tuples of indices name in a tensor.
struct Tuples {
  int64_t count = 0;
  int64_t depth = 0;
  int64_t run = 1;  // elements that a tuple names
};

// Tuples of `indices` over the leading axes of `dims`; nothing when their shapes do not fit.
std::optional<Tuples> tuples_of(const ir::Tensor& indices, const ir::Dims& dims) {
  if (indices.rank() < 1 || indices.type() != ir::DataType::kInt64 ||
      indices.dims().back() > static_cast<int64_t>(std::min(dims.size(), kMostMovedAxes))) {
    return std::nullopt;
  }
  Tuples tuples;
  tuples.depth = indices.dims().back();
  tuples.count = extents_between(indices.dims(), 0, indices.rank() - 1);
  tuples.run = extents_between(dims, static_cast<size_t>(tuples.depth), dims.size());
  return tuples;
}

// Bytes of a run of tuples that follow each other on both sides: in the list of tuples, and in the
// tensor.
struct Piece {
  size_t listed;
  size_t placed;
  size_t bytes;
};

// The pieces that the tuples name in a tensor of these dims; false when one is out of range.
bool find_pieces(const Tuples& tuples, const ir::Tensor& indices, const ir::Dims& dims,
                 size_t width, std::vector<Piece>& pieces) {
  pieces.clear();
  const size_t bytes = static_cast<size_t>(tuples.run) * width;
  const int64_t* at = indices.data<int64_t>().data();
  for (int64_t t = 0; t < tuples.count; ++t) {
    int64_t place = 0;
    for (int64_t k = 0; k < tuples.depth; ++k) {
      const int64_t extent = dims[static_cast<size_t>(k)];
      const int64_t index = *at++;
      if (!within(index, extent)) return false;
      place = place * extent + (index < 0 ? index + extent : index);
    }
    const size_t placed = static_cast<size_t>(place) * bytes;
    if (!pieces.empty() && pieces.back().placed + pieces.back().bytes == placed) {
      pieces.back().bytes += bytes;
    } else {
      pieces.push_back({static_cast<size_t>(t) * bytes, placed, bytes});
    }
  }
  return true;
}

// Pieces by the latest operands; those of constant indices are found once.
class Pieces {
 public:
  // False when a tuple is out of range.
  bool find(Call& call, const Tuples& tuples, size_t width) {
    const ir::Tensor& data = *call.tensor(0);
    const bool constant = call.is_constant(1);
    if (constant && known_ && data.dims() == dims_ && width == width_) return true;
    known_ = find_pieces(tuples, *call.tensor(1), data.dims(), width, pieces_);
    dims_ = data.dims();
    width_ = width;
    return known_;
  }
  const std::vector<Piece>& all() const { return pieces_; }

 private:
  bool known_ = false;
  ir::Dims dims_;
  size_t width_ = 0;
  std::vector<Piece> pieces_;
};

class GatherNd : public AcceleratedKernel {
 public:
  bool run(Call& call) override {
    const ir::Tensor* data = call.tensor(0);
    const ir::Tensor* indices = call.tensor(1);
    if (data == nullptr || indices == nullptr) return false;
    const size_t width = element_width(data->type());
    const auto tuples = tuples_of(*indices, data->dims());
    if (width == 0 || !tuples) return false;
    ir::Dims dims(indices->dims().begin(), indices->dims().end() - 1);
    dims.insert(dims.end(), data->dims().begin() + tuples->depth, data->dims().end());
    ir::Tensor out(data->type(), std::move(dims));
    if (out.size() > 0) {
      if (!pieces_.find(call, *tuples, width)) return false;
      const std::byte* from = data->bytes();
      std::byte* to = out.mutable_bytes();
      for (const Piece& p : pieces_.all()) std::memcpy(to + p.listed, from + p.placed, p.bytes);
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  Pieces pieces_;
};

class ScatterNd : public AcceleratedKernel {
 public:
  bool run(Call& call) override {
    const ir::Tensor* data = call.tensor(0);
    const ir::Tensor* indices = call.tensor(1);
    const ir::Tensor* updates = call.tensor(2);
    if (data == nullptr || indices == nullptr || updates == nullptr) return false;
    const size_t width = element_width(data->type());
    const auto tuples = tuples_of(*indices, data->dims());
    if (width == 0 || !tuples || updates->type() != data->type()) return false;
    ir::Dims expected(indices->dims().begin(), indices->dims().end() - 1);
    expected.insert(expected.end(), data->dims().begin() + tuples->depth, data->dims().end());
    if (updates->dims() != expected) return false;
    if (updates->size() > 0 && !pieces_.find(call, *tuples, width)) return false;
    std::shared_ptr<ir::Buffer> storage = call.reusable(0);
    ir::Tensor out = storage != nullptr ? ir::Tensor(data->type(), data->dims(), std::move(storage))
                                        : ir::Tensor(data->type(), data->dims());
    std::byte* to = out.buffer()->mutable_data();
    if (to != data->bytes() && out.size() > 0) std::memcpy(to, data->bytes(), out.byte_size());
    if (updates->size() > 0) {
      const std::byte* from = updates->bytes();
      for (const Piece& p : pieces_.all()) std::memcpy(to + p.placed, from + p.listed, p.bytes);
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  Pieces pieces_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_gather(const NodeFacts& facts) {
  return std::make_unique<Gather>(*facts.node);
}

std::unique_ptr<AcceleratedKernel> accelerate_gather_nd(const NodeFacts& facts) {
  if (facts.opset >= 12 && facts.node->attr_int("batch_dims", 0) != 0) return nullptr;
  return std::make_unique<GatherNd>();
}

std::unique_ptr<AcceleratedKernel> accelerate_scatter_nd(const NodeFacts& facts) {
  if (facts.opset >= 16 && facts.node->attr_string("reduction", "none") != "none") return nullptr;
  return std::make_unique<ScatterNd>();
}

}  // namespace fettle::interp
