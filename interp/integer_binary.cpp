// Integer arithmetic, comparisons and connectives of interp/binary.h. Results are those of the
// reference kernels, bit for bit: integers wrap, quotients round toward zero.
#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>

#include "interp/binary.h"
#include "interp/broadcast_plan.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

using ir::DataType;

template <typename T, typename Out>
using Loop = void (*)(const T* a, int64_t a_step, const T* b, int64_t b_step, Out* y, int64_t n);

template <typename T, typename Out, typename F>
void each(const T* a, int64_t a_step, const T* b, int64_t b_step, Out* y, int64_t n) {
  const F f;
  if (a_step == 1 && b_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Out>(f(a[i], b[i]));
  } else if (a_step == 1) {
    const T v = *b;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Out>(f(a[i], v));
  } else {
    const T v = *a;
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Out>(f(v, b[i * b_step]));
  }
}

struct Plus {
  template <typename T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  }
};
struct Minus {
  template <typename T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
  }
};
struct Times {
  template <typename T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
};
// The divisor is not 0.
struct Quotient {
  template <typename T>
  T operator()(T a, T b) const {
    return b == -1 ? Minus{}(T{0}, a) : static_cast<T>(a / b);
  }
};
struct Greatest {
  template <typename T>
  T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct Least {
  template <typename T>
  T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};
struct Equal {
  template <typename T>
  bool operator()(T a, T b) const {
    return a == b;
  }
};
struct Below {
  template <typename T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};
struct NotAbove {
  template <typename T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct Above {
  template <typename T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};
struct NotBelow {
  template <typename T>
  bool operator()(T a, T b) const {
    return a >= b;
  }
};
// Any byte but 0 is true.
struct Both {
  bool operator()(uint8_t a, uint8_t b) const { return (a != 0) & (b != 0); }
};
struct Either {
  bool operator()(uint8_t a, uint8_t b) const { return (a | b) != 0; }
};
struct OneOnly {
  bool operator()(uint8_t a, uint8_t b) const { return (a != 0) != (b != 0); }
};
struct Alike {
  bool operator()(uint8_t a, uint8_t b) const { return (a != 0) == (b != 0); }
};

struct ArithmeticRow {
  std::string_view op;
  Loop<int32_t, int32_t> ints;
  Loop<int64_t, int64_t> longs;
  bool divides = false;
};

template <typename F>
constexpr ArithmeticRow arithmetic(std::string_view op) {
  return {op, each<int32_t, int32_t, F>, each<int64_t, int64_t, F>};
}

constexpr std::array kArithmetic{
    arithmetic<Plus>("Add"),
    arithmetic<Minus>("Sub"),
    arithmetic<Times>("Mul"),
    ArithmeticRow{"Div", each<int32_t, int32_t, Quotient>, each<int64_t, int64_t, Quotient>, true},
    arithmetic<Greatest>("Max"),
    arithmetic<Least>("Min"),
};

// Null where the operator does not take the type.
struct PredicateRow {
  std::string_view op;
  Loop<float, uint8_t> floats = nullptr;
  Loop<int32_t, uint8_t> ints = nullptr;
  Loop<int64_t, uint8_t> longs = nullptr;
  Loop<uint8_t, uint8_t> bools = nullptr;
};

template <typename F>
constexpr PredicateRow comparison(std::string_view op) {
  return {op, each<float, uint8_t, F>, each<int32_t, uint8_t, F>, each<int64_t, uint8_t, F>,
          nullptr};
}
template <typename F>
constexpr PredicateRow connective(std::string_view op) {
  return {op, nullptr, nullptr, nullptr, each<uint8_t, uint8_t, F>};
}

constexpr std::array kPredicates{
    PredicateRow{"Equal", each<float, uint8_t, Equal>, each<int32_t, uint8_t, Equal>,
                 each<int64_t, uint8_t, Equal>, each<uint8_t, uint8_t, Alike>},
    comparison<Below>("Less"),
    comparison<NotAbove>("LessOrEqual"),
    comparison<Above>("Greater"),
    comparison<NotBelow>("GreaterOrEqual"),
    connective<Both>("And"),
    connective<Either>("Or"),
    connective<OneOnly>("Xor"),
};

// Output 0 becomes loop(a, b) with elements of type `type`.
template <typename T, typename Out>
bool combine(Call& call, BroadcastCache& cache, DataType type, Loop<T, Out> loop) {
  const ir::Tensor& a = *call.tensor(0);
  const ir::Tensor& b = *call.tensor(1);
  const BroadcastPlan* plan = cache.get(a.dims(), b.dims());
  if (plan == nullptr) return false;
  ir::Tensor out(type, plan->output);
  broadcast_loop(*plan, reinterpret_cast<const T*>(a.bytes()),
                 reinterpret_cast<const T*>(b.bytes()), reinterpret_cast<Out*>(out.mutable_bytes()),
                 1, loop);
  call.set(0, std::move(out));
  return true;
}

class Arithmetic : public AcceleratedKernel {
 public:
  Arithmetic(const ArithmeticRow& row, std::unique_ptr<AcceleratedKernel> floats)
      : row_(row), floats_(std::move(floats)) {}

  bool run(Call& call) override {
    const DataType type = call.type(0);
    if (type == DataType::kFloat) return floats_ != nullptr && floats_->run(call);
    if (call.input_count() != 2 || call.type(1) != type) return false;
    if (type == DataType::kInt64) return run_as(call, row_.longs);
    return type == DataType::kInt32 && run_as(call, row_.ints);
  }

 private:
  template <typename T>
  bool run_as(Call& call, Loop<T, T> loop) {
    if (row_.divides) {
      const auto divisors = call.tensor(1)->data<T>();
      if (std::find(divisors.begin(), divisors.end(), T{0}) != divisors.end()) return false;
    }
    return combine(call, cache_, ir::DataTypeOf<T>::value, loop);
  }

  const ArithmeticRow& row_;
  std::unique_ptr<AcceleratedKernel> floats_;
  BroadcastCache cache_;
};

class Predicate : public AcceleratedKernel {
 public:
  explicit Predicate(const PredicateRow& row) : row_(row) {}

  bool run(Call& call) override {
    const DataType type = call.type(0);
    if (call.type(1) != type) return false;
    if (type == DataType::kInt64) return run_as(call, row_.longs);
    if (type == DataType::kInt32) return run_as(call, row_.ints);
    if (type == DataType::kFloat) return run_as(call, row_.floats);
    return type == DataType::kBool && run_as(call, row_.bools);
  }

 private:
  template <typename T>
  bool run_as(Call& call, Loop<T, uint8_t> loop) {
    return loop != nullptr && combine(call, cache_, DataType::kBool, loop);
  }

  const PredicateRow& row_;
  BroadcastCache cache_;
};

class Not : public AcceleratedKernel {
 public:
  bool run(Call& call) override {
    if (call.type(0) != DataType::kBool) return false;
    const ir::Tensor& x = *call.tensor(0);
    ir::Tensor out(DataType::kBool, x.dims());
    const auto* from = reinterpret_cast<const uint8_t*>(x.bytes());
    auto* to = reinterpret_cast<uint8_t*>(out.mutable_bytes());
    for_chunks(x.size(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = from[i] == 0;
    });
    call.set(0, std::move(out));
    return true;
  }
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_binary(const NodeFacts& facts) {
  std::unique_ptr<AcceleratedKernel> floats = accelerate_float_binary(facts);
  for (const ArithmeticRow& row : kArithmetic) {
    // Before opset 7 (8 for Max and Min) broadcasting goes by attributes.
    if (row.op != facts.node->op_type || facts.opset < 8) continue;
    return std::make_unique<Arithmetic>(row, std::move(floats));
  }
  return floats;
}

std::unique_ptr<AcceleratedKernel> accelerate_predicate(const NodeFacts& facts) {
  if (facts.node->is("Not")) return std::make_unique<Not>();
  for (const PredicateRow& row : kPredicates) {
    if (row.op == facts.node->op_type && facts.opset >= 7) return std::make_unique<Predicate>(row);
  }
  return nullptr;
}

}  // namespace fettle::interp
