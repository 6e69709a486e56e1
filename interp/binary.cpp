#include "interp/binary.h"

#include <cstring>

#include "interp/broadcast_plan.h"
#include "interp/float_functions.h"
#include "interp/parallel.h"
#include "interp/unary.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// f of two operands, or of any number from the first on; `scale` is applied at the end (Mean).
class Binary : public AcceleratedKernel {
 public:
  Binary(const BinaryFunction& function, bool keeps_shape, float scale)
      : function_(function), keeps_shape_(keeps_shape), scale_(scale) {}

  bool run(Call& call) override {
    for (size_t i = 0; i < call.input_count(); ++i) {
      if (call.type(i) != kFloat) return false;
    }
    if (call.input_count() == 2 && (call.blocked(0) != nullptr || call.blocked(1) != nullptr)) {
      if (run_blocked(call) || run_channels(call)) return true;
    }
    return call.input_count() == 2 ? run_plain(call) : run_variadic(call);
  }

 private:
  // Both operands in one shape; one of them at least blocked.
  bool run_blocked(Call& call) const {
    if (*call.dims(0) != *call.dims(1)) return false;
    const size_t leader = call.blocked(0) != nullptr ? 0 : 1;
    const dnnl::memory::desc desc = call.blocked(leader)->desc;
    if (!function_.sums_zero && is_padded(desc)) return false;
    Blocked a_copy;
    Blocked b_copy;
    const auto* a = reinterpret_cast<const float*>(in_layout(call, 0, desc, a_copy));
    const auto* b = reinterpret_cast<const float*>(in_layout(call, 1, desc, b_copy));
    std::shared_ptr<ir::Buffer> storage = a_copy.buffer != nullptr ? a_copy.buffer : b_copy.buffer;
    if (storage == nullptr) storage = call.reusable(leader);
    if (storage == nullptr) storage = ir::Buffer::allocate(desc.get_size());
    auto* out = reinterpret_cast<float*>(storage->mutable_data());
    for_chunks(
        static_cast<int64_t>(desc.get_size() / sizeof(float)),
        [&](int64_t begin, int64_t end) {
          function_.loop(a + begin, 1, b + begin, 1, out + begin, end - begin);
        },
        function_.cost);
    finish(out, static_cast<int64_t>(desc.get_size() / sizeof(float)));
    call.set(0, Blocked{desc, std::move(storage), kFloat});
    return true;
  }

  // x blocked [N, C, spatial...] and v one number per channel, per position, or per image: the
  // layout is taken as a plain tensor [N, groups, positions, block], v as one that broadcasts to
  // it.
  bool run_channels(Call& call) {
    const size_t x = call.blocked(0) != nullptr ? 0 : 1;
    const auto layout = channel_layout(*call.blocked(x));
    if (!layout) return false;
    const bool padded = layout->groups * layout->block != layout->channels;
    const ir::Dims& dims = *call.dims(x);
    ir::Dims view;
    if (!view_of(dims, *call.dims(1 - x), *layout, view)) return false;
    const bool per_channel = view[3] != 1;
    // Padding meets the padding of a vector, or numbers that must not change it.
    if (padded && (x != 0 || !(function_.keeps_zero || (per_channel && function_.sums_zero)))) {
      return false;
    }
    const float* values = vector_of(call, 1 - x, *layout, per_channel && padded, view);
    const ir::Dims physical{layout->batch, layout->groups, layout->positions, layout->block};
    const BroadcastPlan* plan = x == 0 ? cache_.get(physical, view) : cache_.get(view, physical);
    if (plan == nullptr) return false;
    const Blocked own = *call.blocked(x);
    std::shared_ptr<ir::Buffer> storage = call.reusable(x);
    if (storage == nullptr) storage = ir::Buffer::allocate(own.desc.get_size());
    const auto* from = reinterpret_cast<const float*>(own.buffer->data());
    auto* to = reinterpret_cast<float*>(storage->mutable_data());
    broadcast_loop(*plan, x == 0 ? from : values, x == 0 ? values : from, to, function_.cost,
                   function_.loop);
    finish(to, static_cast<int64_t>(own.desc.get_size() / sizeof(float)));
    call.set(0, Blocked{own.desc, std::move(storage), kFloat});
    return true;
  }

  // The shape of v in terms of [N, groups, positions, block]; false when it is none of these.
  static bool view_of(const ir::Dims& x, const ir::Dims& v, const ChannelLayout& layout,
                      ir::Dims& view) {
    if (v.size() > x.size()) return false;
    const size_t missing = x.size() - v.size();
    const auto extent = [&](size_t axis) { return axis < missing ? 1 : v[axis - missing]; };
    int64_t positions = 1;
    for (size_t axis = 2; axis < x.size(); ++axis) positions *= extent(axis);
    const int64_t batch = extent(0);
    const int64_t channels = extent(1);
    if (batch != 1 && batch != x[0]) return false;
    if (positions == 1 && channels == x[1]) {
      view = {batch, layout.groups, 1, layout.block};
      return true;
    }
    for (size_t axis = 2; axis < x.size(); ++axis) {
      if (positions != 1 && extent(axis) != x[axis]) return false;
    }
    view = {batch, 1, positions, 1};
    return channels == 1;
  }

  // The elements of operand v in the order of its view, with zeros for padding.
  const float* vector_of(Call& call, size_t v, const ChannelLayout& layout, bool pad,
                         const ir::Dims& view) {
    if (const Blocked* own = call.blocked(v)) {
      const auto held = channel_layout(*own);
      if (held && held->positions == 1 && held->block == layout.block && view[3] != 1) {
        return reinterpret_cast<const float*>(own->buffer->data());
      }
    }
    const float* values = call.tensor(v)->data<float>().data();
    if (!pad) return values;
    const auto width = static_cast<size_t>(layout.groups * layout.block);
    const auto channels = static_cast<size_t>(layout.channels);
    padded_.assign(static_cast<size_t>(view[0]) * width, 0.0f);
    for (size_t n = 0; n < static_cast<size_t>(view[0]); ++n) {
      std::memcpy(padded_.data() + n * width, values + n * channels, channels * sizeof(float));
    }
    return padded_.data();
  }

  bool run_plain(Call& call) {
    const ir::Tensor& a = *call.tensor(0);
    const ir::Tensor& b = *call.tensor(1);
    const BroadcastPlan* plan = cache_.get(a.dims(), b.dims());
    if (plan == nullptr || (keeps_shape_ && plan->output != a.dims())) return false;
    std::shared_ptr<ir::Buffer> storage;
    if (plan->a_whole) storage = plain_reusable(call, 0);
    if (storage == nullptr && plan->b_whole) storage = plain_reusable(call, 1);
    if (storage == nullptr) {
      storage = ir::Buffer::allocate(static_cast<size_t>(plan->rows * plan->run) * sizeof(float));
    }
    auto* out = reinterpret_cast<float*>(storage->mutable_data());
    broadcast_loop(*plan, a.data<float>().data(), b.data<float>().data(), out, function_.cost,
                   function_.loop);
    finish(out, plan->rows * plan->run);
    call.set(0, ir::Tensor(kFloat, plan->output, std::move(storage)));
    return true;
  }

  // The result so far is copied to the joint shape, then operands are taken in one by one.
  bool run_variadic(Call& call) {
    ir::Dims dims;
    for (size_t i = 0; i < call.input_count(); ++i) {
      const auto joint = plan_broadcast(dims, *call.dims(i));
      if (!joint) return false;
      dims = joint->output;
    }
    ir::Tensor out(kFloat, dims);
    float* y = out.mutable_data<float>().data();
    for (size_t i = 0; i < call.input_count(); ++i) {
      const ir::Tensor& x = *call.tensor(i);
      const auto plan = plan_broadcast(dims, x.dims());
      const float* from = x.data<float>().data();
      if (i == 0) {
        broadcast_loop(*plan, y, from, y, 1, copy_second);
      } else {
        broadcast_loop(*plan, y, from, y, function_.cost, function_.loop);
      }
    }
    finish(y, out.size());
    call.set(0, std::move(out));
    return true;
  }

  static void copy_second(const float*, int64_t, const float* b, int64_t step, float* y,
                          int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = b[i * step];
  }

  // The operand's own storage, unless it holds another layout than the plain one.
  static std::shared_ptr<ir::Buffer> plain_reusable(Call& call, size_t i) {
    return call.blocked(i) == nullptr ? call.reusable(i) : nullptr;
  }

  void finish(float* y, int64_t n) const {
    if (scale_ == 1.0f) return;
    const BinaryFunction& times = *binary_function("Mul");
    for_chunks(n, [&](int64_t begin, int64_t end) {
      times.loop(y + begin, 1, &scale_, 0, y + begin, end - begin);
    });
  }

  const BinaryFunction& function_;
  bool keeps_shape_;
  float scale_;
  BroadcastCache cache_;
  std::vector<float> padded_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_float_binary(const NodeFacts& facts) {
  if (std::unique_ptr<AcceleratedKernel> power = accelerate_unary(facts)) return power;
  const size_t count = facts.node->inputs().size();
  const bool mean = facts.node->is("Mean");
  const BinaryFunction* function = binary_function(mean ? "Sum" : facts.node->op_type);
  // Before opset 7 (8 for Sum and the like) broadcasting goes by attributes or not at all.
  if (function == nullptr || facts.opset < 7 || count == 0) return nullptr;
  if (function->variadic ? facts.opset < 8 : count != 2) return nullptr;
  const float scale = mean ? 1.0f / static_cast<float>(count) : 1.0f;
  return std::make_unique<Binary>(*function, facts.node->is("PRelu"), scale);
}

}  // namespace fettle::interp
