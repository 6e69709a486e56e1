// Comparisons, boolean and bitwise operators, tests for NaN and infinity.
#include <cmath>
#include <functional>

#include "ops/cast_tensor.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/integer_contents.h"

namespace fettle::ops {
namespace {

using ir::DataType;

// Bool tensors are read as bytes, any of which but 0 is true.
template <typename F>
void boolean_as(KernelContext& ctx, const ir::Dims& b_dims) {
  const ir::Tensor& a = ctx.input(0);
  const ir::Tensor& b = ctx.input(1);
  for (size_t i = 0; i < 2; ++i) dispatch(BoolType{}, ctx.input(i).type(), [](Tag<bool>) {});
  const ir::Dims dims = broadcast_dims(a.dims(), b_dims);
  auto out = ctx.output(0, DataType::kBool, dims).mutable_data<bool>();
  broadcast_binary(dims, a.dims(), a.data<uint8_t>().data(), b_dims, b.data<uint8_t>().data(),
                   out.data(), [](uint8_t x, uint8_t y) { return F{}(x != 0, y != 0); });
}

template <typename F>
void boolean(KernelContext& ctx) {
  boolean_as<F>(ctx, ctx.input(1).dims());
}

ir::Dims legacy_dims(const KernelContext& ctx) {
  return legacy_broadcast_dims(ctx.node(), ctx.input(0).dims(), ctx.input(1).dims());
}

template <typename F>
void legacy_boolean(KernelContext& ctx) {
  boolean_as<F>(ctx, legacy_dims(ctx));
}

// `legacy`: broadcasting by attributes.
template <bool legacy>
void equal(KernelContext& ctx) {
  require_same_element(ctx, 0, 1);
  const ir::Tensor& a = ctx.input(0);
  const ir::Tensor& b = ctx.input(1);
  const ir::Dims b_dims = legacy ? legacy_dims(ctx) : b.dims();
  if (a.type() == DataType::kBool) return boolean_as<std::equal_to<>>(ctx, b_dims);
  if (a.type() != DataType::kString) return binary_as<NumericTypes, std::equal_to<>>(ctx, b_dims);
  const ir::Dims dims = broadcast_dims(a.dims(), b_dims);
  auto out = ctx.output(0, DataType::kBool, dims).mutable_data<bool>();
  BroadcastLoop<2>(dims, {&a.dims(), &b_dims})
      .for_each_run([&](int64_t at, int64_t count, const auto& offsets, const auto& steps) {
        for (int64_t i = 0; i < count; ++i) {
          out[static_cast<size_t>(at + i)] =
              a.strings()[static_cast<size_t>(offsets[0] + i * steps[0])] ==
              b.strings()[static_cast<size_t>(offsets[1] + i * steps[1])];
        }
      });
}

// Also compares known integer contents; equal symbols are equal numbers.
void infer_equal(InferContext& ctx) {
  infer_comparison(ctx);
  combine_ints(ctx, [](const ir::Dim& a, const ir::Dim& b) {
    const std::optional<bool> equal = ints_equal(a, b);
    return equal ? int_of(*equal ? 1 : 0) : ir::Dim::unknown();
  });
}

void logical_not(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  dispatch(BoolType{}, x.type(), [&](Tag<bool>) {
    const auto in = x.data<uint8_t>();
    auto out = ctx.output(0, DataType::kBool, x.dims()).mutable_data<bool>();
    for (size_t i = 0; i < in.size(); ++i) out[i] = in[i] == 0;
  });
}

struct BitAnd {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};
struct BitOr {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};
struct BitXor {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};
struct BitNot {
  template <typename T>
  T operator()(T a) const {
    return static_cast<T>(~a);
  }
};

// Amounts that are negative or at least the width of T leave only copies of the sign bit.
struct ShiftLeft {
  template <typename T>
  T operator()(T x, T amount) const {
    if (amount < T{0} || amount >= T{8 * sizeof(T)}) return 0;
    return static_cast<T>(static_cast<uint64_t>(x) << static_cast<unsigned>(amount));
  }
};
struct ShiftRight {
  template <typename T>
  T operator()(T x, T amount) const {
    if (amount < T{0} || amount >= T{8 * sizeof(T)}) return x < T{0} ? static_cast<T>(-1) : T{0};
    return static_cast<T>(x >> static_cast<unsigned>(amount));
  }
};

void bit_shift(KernelContext& ctx) {
  const std::string direction = ctx.node().attr_string("direction", "");
  if (direction == "LEFT") return binary_kernel<IntegerTypes, ShiftLeft>(ctx);
  if (direction == "RIGHT") return binary_kernel<IntegerTypes, ShiftRight>(ctx);
  fail(ErrorCode::kBadInput, "attribute direction must be LEFT or RIGHT; found '{}'", direction);
}

// bool from every element as a float or double; 8-bit floats are widened first.
template <typename F>
void classify(KernelContext& ctx, F f) {
  const ir::Tensor& given = ctx.input(0);
  const bool small = ir::is_floating(given.type()) && ir::data_type_bits(given.type()) == 8;
  const ir::Tensor x = small ? cast_tensor(given, DataType::kFloat) : given;
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const auto in = x.data<T>();
    auto out = ctx.output(0, DataType::kBool, x.dims()).template mutable_data<bool>();
    for (size_t i = 0; i < in.size(); ++i) out[i] = f(static_cast<Work<T>>(in[i]));
  });
}

void is_nan(KernelContext& ctx) {
  classify(ctx, [](auto x) { return std::isnan(x); });
}

void is_inf(KernelContext& ctx) {
  const bool negative = ctx.node().attr_int("detect_negative", 1) != 0;
  const bool positive = ctx.node().attr_int("detect_positive", 1) != 0;
  classify(ctx, [=](auto x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

template <typename F>
constexpr OpDef comparison(std::string_view name, int since) {
  return {"", name, since, infer_comparison, binary_kernel<NumericTypes, F>, kElementwise};
}
template <typename F>
constexpr OpDef old_comparison(std::string_view name) {
  return {"",          name, 1, infer_legacy_comparison, legacy_binary_kernel<NumericTypes, F>,
          kElementwise};
}
template <typename F>
constexpr OpDef connective(std::string_view name) {
  return {"", name, 7, infer_comparison, boolean<F>, kElementwise};
}
template <typename F>
constexpr OpDef old_connective(std::string_view name) {
  return {"", name, 1, infer_legacy_comparison, legacy_boolean<F>, kElementwise};
}
template <typename F>
constexpr OpDef bitwise(std::string_view name) {
  return {"", name, 18, infer_broadcast, binary_kernel<IntegerTypes, F>, kElementwise};
}

using Different = std::not_equal_to<>;

constexpr OpDef kRows[] = {
    {"", "Equal", 1, infer_legacy_comparison, equal<true>, kElementwise},
    {"", "Equal", 7, infer_equal, equal<false>, kElementwise},
    old_comparison<std::greater<>>("Greater"),
    comparison<std::greater<>>("Greater", 7),
    old_comparison<std::less<>>("Less"),
    comparison<std::less<>>("Less", 7),
    comparison<std::greater_equal<>>("GreaterOrEqual", 12),
    comparison<std::less_equal<>>("LessOrEqual", 12),
    old_connective<std::logical_and<>>("And"),
    connective<std::logical_and<>>("And"),
    old_connective<std::logical_or<>>("Or"),
    connective<std::logical_or<>>("Or"),
    old_connective<Different>("Xor"),
    connective<Different>("Xor"),
    {"", "Not", 1, infer_predicate, logical_not, kElementwise},
    {"", "BitShift", 11, infer_broadcast, bit_shift, kElementwise},
    bitwise<BitAnd>("BitwiseAnd"),
    bitwise<BitOr>("BitwiseOr"),
    bitwise<BitXor>("BitwiseXor"),
    {"", "BitwiseNot", 18, infer_like_input, native_kernel<IntegerTypes, BitNot>, kElementwise},
    {"", "IsNaN", 9, infer_predicate, is_nan, kElementwise},
    {"", "IsInf", 10, infer_predicate, is_inf, kElementwise},
};

}  // namespace

std::span<const OpDef> logic_ops() {
  return kRows;
}

}  // namespace fettle::ops
