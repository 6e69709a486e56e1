#include "interp/shape_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"

namespace fettle::interp {
namespace {

constexpr size_t kKeptBytes = 64 << 10;  // larger results are made anew by the reference kernel

// The result is made once and shared by the outputs of all evaluations that ask for the same.
class Remembered : public MovementKernel {
 public:
  explicit Remembered(size_t shapes) : MovementKernel(shapes) {}

 protected:
  // Nothing where the reference kernel computes.
  virtual std::optional<ir::Tensor> make(Call& call) const = 0;

  bool prepare(Call& call) override {
    std::optional<ir::Tensor> made = make(call);
    if (!made) return false;
    result_ = std::move(*made);
    return true;
  }
  bool execute(Call& call) override {
    call.set(0, result_);
    return true;
  }

 private:
  ir::Tensor result_;
};

class Shape : public Remembered {
 public:
  Shape(const ir::Node& node, int64_t opset) : Remembered(1), node_(node), opset_(opset) {}

 protected:
  std::optional<ir::Tensor> make(Call& call) const override {
    const ir::Dims* dims = call.dims(0);
    if (dims == nullptr) return std::nullopt;
    const auto rank = static_cast<int64_t>(dims->size());
    int64_t start = opset_ < 15 ? 0 : node_.attr_int("start", 0);
    int64_t end = opset_ < 15 ? rank : node_.attr_int("end", rank);
    start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
    end = std::clamp<int64_t>(end < 0 ? end + rank : end, start, std::max(start, rank));
    return ir::Tensor::of({end - start}, ir::Dims(dims->begin() + start, dims->begin() + end));
  }

 private:
  const ir::Node& node_;
  int64_t opset_;
};

class Size : public Remembered {
 public:
  Size() : Remembered(1) {}

 protected:
  std::optional<ir::Tensor> make(Call& call) const override {
    const ir::Dims* dims = call.dims(0);
    if (dims == nullptr) return std::nullopt;
    return ir::Tensor::scalar(ir::element_count(*dims));
  }
};

class ConstantOfShape : public Remembered {
 public:
  explicit ConstantOfShape(ir::Tensor value) : Remembered(0), value_(std::move(value)) {}

 protected:
  std::optional<ir::Tensor> make(Call& call) const override {
    const auto dims = small_ints(call.tensor(0));
    if (!dims || dims->size() > kMostMovedAxes ||
        std::any_of(dims->begin(), dims->end(), [](int64_t d) { return d < 0; })) {
      return std::nullopt;
    }
    const int64_t count = ir::element_count(*dims);
    const size_t width = element_width(value_.type());
    if (count > static_cast<int64_t>(kKeptBytes / width)) return std::nullopt;
    ir::Tensor out(value_.type(), *dims);
    BoxCopy(width, {{count, 0, 1}}).run(value_.bytes(), out.mutable_bytes());
    return out;
  }

 private:
  ir::Tensor value_;
};

class Range : public Remembered {
 public:
  Range() : Remembered(0) {}

 protected:
  std::optional<ir::Tensor> make(Call& call) const override {
    for (size_t i = 0; i < 3; ++i) {
      const ir::Tensor* bound = call.tensor(i);
      if (bound == nullptr || bound->size() != 1 || bound->type() != call.type(0)) {
        return std::nullopt;
      }
    }
    if (call.type(0) == ir::DataType::kInt64) return integers<int64_t>(call);
    if (call.type(0) == ir::DataType::kInt32) return integers<int32_t>(call);
    return std::nullopt;
  }

 private:
  template <typename T>
  static std::optional<ir::Tensor> integers(Call& call) {
    constexpr int64_t kLargest = int64_t{1} << 40;  // keeps the arithmetic clear of overflow
    int64_t bounds[3];
    for (size_t i = 0; i < 3; ++i) {
      bounds[i] = call.tensor(i)->data<T>()[0];
      if (bounds[i] < -kLargest || bounds[i] > kLargest) return std::nullopt;
    }
    const auto [start, limit, delta] = bounds;
    if (delta == 0) return std::nullopt;
    const int64_t span = delta > 0 ? limit - start : start - limit;
    const int64_t step = std::abs(delta);
    const int64_t count = span <= 0 ? 0 : (span - 1) / step + 1;
    if (count > static_cast<int64_t>(kKeptBytes / sizeof(T))) return std::nullopt;
    ir::Tensor out(ir::DataTypeOf<T>::value, {count});
    T* to = out.mutable_data<T>().data();
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<T>(start + i * delta);
    return out;
  }
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_shape(const NodeFacts& facts) {
  return std::make_unique<Shape>(*facts.node, facts.opset);
}

std::unique_ptr<AcceleratedKernel> accelerate_size(const NodeFacts&) {
  return std::make_unique<Size>();
}

std::unique_ptr<AcceleratedKernel> accelerate_constant_of_shape(const NodeFacts& facts) {
  const ir::Tensor* value = facts.node->attr_tensor("value");
  ir::Tensor one = value != nullptr ? *value : ir::Tensor::scalar(0.0f);
  if (one.size() != 1 || element_width(one.type()) == 0) return nullptr;
  return std::make_unique<ConstantOfShape>(std::move(one));
}

std::unique_ptr<AcceleratedKernel> accelerate_range(const NodeFacts&) {
  return std::make_unique<Range>();
}

}  // namespace fettle::interp
