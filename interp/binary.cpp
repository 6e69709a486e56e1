#include "interp/binary.h"

#include <array>
#include <string_view>

#include "interp/broadcast_plan.h"
#include "interp/channel_affine.h"
#include "interp/parallel.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

// y[i] = f(a[i * a_step], b[i * b_step]); steps are 0 or 1.
using Apply = void (*)(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y,
                       int64_t n);

template <typename F>
void each(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  const F f;
  if (a_step == 1 && b_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (a_step == 1) {
    const float v = *b;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], v);
  } else {
    const float v = *a;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(v, b[i * b_step]);
  }
}

struct Plus {
  float operator()(float a, float b) const { return a + b; }
};
struct Minus {
  float operator()(float a, float b) const { return a - b; }
};
struct Times {
  float operator()(float a, float b) const { return a * b; }
};
struct Over {
  float operator()(float a, float b) const { return a / b; }
};

struct Row {
  std::string_view op;
  Apply apply;
  bool keeps_zero;  // f(0, 0) = 0: padding stays zero
  bool scales;      // f(x, v) = x * v, and v may scale channels
  bool shifts;      // f(x, v) = x + v
};

constexpr std::array kRows{
    Row{"Add", each<Plus>, true, false, true},  Row{"Div", each<Over>, false, false, false},
    Row{"Mul", each<Times>, true, true, false}, Row{"Sub", each<Minus>, true, false, false},
    Row{"Sum", each<Plus>, true, false, true},
};

class Binary : public AcceleratedKernel {
 public:
  explicit Binary(const Row& row) : row_(row) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    if (call.blocked(0) != nullptr || call.blocked(1) != nullptr) {
      if (run_blocked(call) || run_channels(call, 0, 1) || run_channels(call, 1, 0)) return true;
    }
    return run_plain(call);
  }

 private:
  // Both operands in one shape; one of them at least blocked.
  bool run_blocked(Call& call) {
    if (*call.dims(0) != *call.dims(1)) return false;
    const size_t leader = call.blocked(0) != nullptr ? 0 : 1;
    const dnnl::memory::desc desc = call.blocked(leader)->desc;
    if (!row_.keeps_zero && is_padded(desc)) return false;
    Blocked a_copy;
    Blocked b_copy;
    const std::byte* a = in_layout(call, 0, desc, a_copy);
    const std::byte* b = in_layout(call, 1, desc, b_copy);
    std::shared_ptr<ir::Buffer> storage = a_copy.buffer != nullptr ? a_copy.buffer : b_copy.buffer;
    for (size_t i = 0; i < 2 && storage == nullptr; ++i) storage = call.reusable(i);
    if (storage == nullptr) storage = ir::Buffer::allocate(desc.get_size());
    const auto* left = reinterpret_cast<const float*>(a);
    const auto* right = reinterpret_cast<const float*>(b);
    auto* out = reinterpret_cast<float*>(storage->mutable_data());
    for_chunks(static_cast<int64_t>(desc.get_size() / sizeof(float)),
               [&](int64_t begin, int64_t end) {
                 row_.apply(left + begin, 1, right + begin, 1, out + begin, end - begin);
               });
    call.set(0, Blocked{desc, storage, kFloat});
    return true;
  }

  // x blocked [1, C, ...], v [1, C, 1...] (or without the leading axis): scale or shift channels.
  bool run_channels(Call& call, size_t x, size_t v) {
    if (!(row_.scales || row_.shifts) || call.blocked(x) == nullptr) return false;
    const ir::Dims dims = *call.dims(x);
    const ir::Dims vector = *call.dims(v);
    if (vector.size() > dims.size() || vector.size() + 1 < dims.size()) return false;
    const size_t axis = vector.size() + 1 - dims.size();
    const int64_t count = ir::element_count(vector);
    if (vector[axis] != count || (count != dims[1] && count != 1)) return false;
    const auto values = call.tensor(v)->data<float>();
    std::vector<float> channel(static_cast<size_t>(dims[1]));
    for (size_t c = 0; c < channel.size(); ++c) channel[c] = values[count == 1 ? 0 : c];
    const std::vector<float> neutral(channel.size(), row_.scales ? 0.0f : 1.0f);
    apply_channel_affine(call, x, row_.scales ? channel : neutral, row_.scales ? neutral : channel);
    return true;
  }

  bool run_plain(Call& call) {
    const ir::Tensor& a = *call.tensor(0);
    const ir::Tensor& b = *call.tensor(1);
    const auto plan = plan_broadcast(a.dims(), b.dims());
    if (!plan) return false;
    std::shared_ptr<ir::Buffer> storage;
    if (a.dims() == plan->output) storage = call.reusable(0);
    if (storage == nullptr && b.dims() == plan->output) storage = call.reusable(1);
    if (storage == nullptr) {
      storage = ir::Buffer::allocate(ir::data_type_bytes(kFloat, ir::element_count(plan->output)));
    }
    const float* left = a.data<float>().data();
    const float* right = b.data<float>().data();
    auto* out = reinterpret_cast<float*>(storage->mutable_data());
    if (plan->rows == 1) {
      for_chunks(plan->run, [&](int64_t begin, int64_t end) {
        row_.apply(left + begin * plan->a_step, plan->a_step, right + begin * plan->b_step,
                   plan->b_step, out + begin, end - begin);
      });
    } else if (plan->run > 0) {
      for_each_row(plan->rows, plan->run + 8, [&](int64_t row) {
        const auto [at_a, at_b] = plan->offsets(row);
        row_.apply(left + at_a, plan->a_step, right + at_b, plan->b_step, out + row * plan->run,
                   plan->run);
      });
    }
    call.set(0, ir::Tensor(kFloat, plan->output, storage));
    return true;
  }

  const Row& row_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_binary(const NodeFacts& facts) {
  // Before opset 7 broadcasting goes by attributes; a Sum may have any number of operands.
  if (facts.opset < 7 || facts.node->inputs().size() != 2) return nullptr;
  for (const Row& row : kRows) {
    if (row.op == facts.node->op_type) return std::make_unique<Binary>(row);
  }
  return nullptr;
}

}  // namespace fettle::interp
