#include "interp/biased_activation.h"

#include <algorithm>
#include <array>

#include "interp/float_functions.h"
#include "interp/parallel.h"
#include "interp/simd.h"
#include "interp/vector_math.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

FETTLE_VECTORIZED
void add_rows(const float* a, const float* b, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

// f(x + bias), the bias optional, along the last axis.
class BiasedActivation : public AcceleratedKernel {
 public:
  explicit BiasedActivation(const UnaryFunction& function) : function_(function) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || (call.has(1) && call.type(1) != kFloat)) return false;
    std::shared_ptr<ir::Buffer> storage = call.reusable(0);
    if (call.blocked(0) != nullptr) storage = nullptr;
    const ir::Tensor& x = *call.tensor(0);
    if (x.size() == 0) return false;
    if (call.has(1) && (x.rank() == 0 || *call.dims(1) != ir::Dims{x.dims().back()})) return false;
    if (storage == nullptr) storage = ir::Buffer::allocate(x.byte_size());
    const float* from = x.data<float>().data();
    auto* to = reinterpret_cast<float*>(storage->mutable_data());
    if (call.has(1)) {
      const float* bias = call.tensor(1)->data<float>().data();
      const int64_t length = x.dims().back();
      for_each_row(x.size() / length, length * function_.cost, [&](int64_t row) {
        float* out = to + row * length;
        add_rows(from + row * length, bias, out, length);
        function_.apply(out, out, length);
      });
    } else {
      for_chunks(
          x.size(),
          [&](int64_t begin, int64_t end) {
            function_.apply(from + begin, to + begin, end - begin);
          },
          function_.cost);
    }
    call.set(0, ir::Tensor(kFloat, x.dims(), std::move(storage)));
    return true;
  }

 private:
  UnaryFunction function_;
};

template <void (*row)(const float*, float*, int64_t)>
void plain(const float* x, float* y, int64_t n, const Parameters&) {
  row(x, y, n);
}

// x sigmoid(a x)
void swish(const float* x, float* y, int64_t n, const Parameters& p) {
  swish_row(x, y, n, p.a);
}

struct Row {
  std::string_view op;
  UnaryLoop loop;
  int64_t cost;
};
constexpr std::array kRows{
    Row{"BiasGelu", plain<gelu_row>, 10},
    Row{"FastGelu", plain<gelu_tanh_row>, 12},
    Row{"Gelu", plain<gelu_row>, 10},
    Row{"QuickGelu", swish, 8},
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_biased_activation(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  const auto row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.op == node.op_type; });
  // What BiasGelu without a bias means is an error, which the reference kernel reports.
  if (row == kRows.end() || (node.op_type == "BiasGelu" && node.input(1) == nullptr)) {
    return nullptr;
  }
  UnaryFunction function;
  function.loop = row->loop;
  function.parameters.a = node.attr_float("alpha", 1.702f);
  function.cost = row->cost;
  return std::make_unique<BiasedActivation>(function);
}

}  // namespace fettle::interp
