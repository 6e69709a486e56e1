#include "interp/gather_elements.h"

#include <algorithm>
#include <atomic>

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"
#include "interp/parallel.h"
#include "ops/kernel_context.h"

namespace fettle::interp {
namespace {

// One row of indices along the last axis: to[j] = from[index[j] * step + j * next]. False when an
// index is out of range.
template <typename T, typename Index>
bool gather_row(const T* from, const Index* index, int64_t extent, int64_t step, int64_t next,
                int64_t count, T* to) {
  bool good = true;
  for (int64_t j = 0; j < count; ++j) {
    int64_t i = static_cast<int64_t>(index[j]);
    i += i < 0 ? extent : 0;
    const bool inside = i >= 0 && i < extent;
    good = good && inside;
    to[j] = from[(inside ? i : 0) * step + j * next];
  }
  return good;
}

class GatherElements : public AcceleratedKernel {
 public:
  explicit GatherElements(int64_t axis) : axis_(axis) {}

  bool run(Call& call) override {
    const ir::Tensor* data = call.tensor(0);
    const ir::Tensor* indices = call.tensor(1);
    if (data == nullptr || indices == nullptr || data->rank() != indices->rank()) return false;
    const auto axis = axis_within(axis_, data->rank());
    if (!axis || indices->size() == 0 || data->size() == 0) return false;
    for (size_t k = 0; k < data->rank(); ++k) {
      if (k != *axis && indices->dim(k) > data->dim(k)) return false;
    }
    ir::Tensor out(data->type(), indices->dims());
    bool done = false;
    switch (element_width(data->type())) {
      case 1:
        done = gather<uint8_t>(*data, *indices, *axis, out);
        break;
      case 2:
        done = gather<uint16_t>(*data, *indices, *axis, out);
        break;
      case 4:
        done = gather<uint32_t>(*data, *indices, *axis, out);
        break;
      case 8:
        done = gather<uint64_t>(*data, *indices, *axis, out);
        break;
      default:
        break;
    }
    if (done) call.set(0, std::move(out));
    return done;
  }

 private:
  template <typename T>
  static bool gather(const ir::Tensor& data, const ir::Tensor& indices, size_t axis,
                     ir::Tensor& out) {
    if (indices.type() == ir::DataType::kInt64) {
      return rows<T>(data, indices, indices.data<int64_t>().data(), axis, out);
    }
    return indices.type() == ir::DataType::kInt32 &&
           rows<T>(data, indices, indices.data<int32_t>().data(), axis, out);
  }

  template <typename T, typename Index>
  static bool rows(const ir::Tensor& data, const ir::Tensor& indices, const Index* index,
                   size_t axis, ir::Tensor& out) {
    const ir::Dims& dims = indices.dims();
    const int64_t length = dims.back();
    std::vector<int64_t> steps = ops::row_major_strides(data.dims());
    const int64_t extent = data.dim(axis);
    const int64_t step = steps[axis];
    steps[axis] = 0;
    const auto* from = reinterpret_cast<const T*>(data.bytes());
    auto* to = reinterpret_cast<T*>(out.mutable_bytes());
    std::atomic<bool> good = true;
    for_each_row(indices.size() / length, length * 2 + 8, [&](int64_t row) {
      int64_t base = 0;
      int64_t rest = row;
      for (size_t k = dims.size() - 1; k-- > 0;) {
        base += rest % dims[k] * steps[k];
        rest /= dims[k];
      }
      if (!gather_row(from + base, index + row * length, extent, step, steps.back(), length,
                      to + row * length)) {
        good = false;
      }
    });
    return good;
  }

  int64_t axis_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_gather_elements(const NodeFacts& facts) {
  return std::make_unique<GatherElements>(facts.node->attr_int("axis", 0));
}

}  // namespace fettle::interp
