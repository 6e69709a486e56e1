// Operators that make tensors from attributes, shapes and ranges.
#include <algorithm>
#include <cmath>

#include "ops/axes.h"
#include "ops/dims.h"
#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/random.h"
#include "ops/type_attribute.h"

namespace fettle::ops {
namespace {

// --- Constant --------------------------------------------------------------------------------

// The tensor that the node's one value attribute stands for.
std::shared_ptr<const ir::Tensor> constant_of(const ir::Node& node) {
  for (const char* name : {"sparse_value", "value"}) {
    const ir::Attribute* attribute = node.find_attribute(name);
    if (attribute == nullptr) continue;
    const auto* sparse = std::get_if<std::vector<ir::SparseTensor>>(&attribute->payload);
    if (sparse != nullptr && sparse->size() == 1) {
      return std::make_shared<const ir::Tensor>(ir::densify(sparse->front()));
    }
  }
  if (const ir::Tensor* value = node.attr_tensor("value")) {
    return std::make_shared<const ir::Tensor>(*value);
  }
  const auto list = [](auto values) {
    return ir::Tensor::of({static_cast<int64_t>(values.size())}, values);
  };
  const auto share = [](ir::Tensor t) { return std::make_shared<const ir::Tensor>(std::move(t)); };
  if (node.has_attribute("value_float")) {
    return share(ir::Tensor::scalar(node.attr_float("value_float", 0)));
  }
  if (node.has_attribute("value_int")) {
    return share(ir::Tensor::scalar(node.attr_int("value_int", 0)));
  }
  if (node.has_attribute("value_string")) {
    return share(ir::Tensor::of_strings({}, {node.attr_string("value_string", "")}));
  }
  if (node.has_attribute("value_floats")) return share(list(node.attr_floats("value_floats")));
  if (node.has_attribute("value_ints")) return share(list(node.attr_ints("value_ints")));
  if (node.has_attribute("value_strings")) {
    auto strings = node.attr_strings("value_strings");
    const auto count = static_cast<int64_t>(strings.size());
    return share(ir::Tensor::of_strings({count}, std::move(strings)));
  }
  fail(ErrorCode::kBadInput, "expected one attribute that holds the value, found none");
}

void infer_constant(InferContext& ctx) {
  const auto tensor = constant_of(ctx.node());
  ctx.set(0, tensor->type(), ir::shape_of(tensor->dims()));
  if (auto ints = ints_of(*tensor)) ctx.set_ints(0, std::move(*ints));
  ctx.set_constant(0, tensor);
}

void constant(KernelContext& ctx) {
  ctx.set_output(0, *constant_of(ctx.node()));
}

// --- ConstantOfShape -------------------------------------------------------------------------

// One element: the `value` attribute, or the float 0.
ir::Tensor fill_element(const ir::Node& node) {
  const ir::Tensor* value = node.attr_tensor("value");
  if (value == nullptr) return ir::Tensor::scalar(0.0f);
  if (value->size() != 1) {
    fail(ErrorCode::kBadInput, "attribute 'value': expected one element, found {}", value->size());
  }
  return value->reshaped({});
}

void infer_constant_of_shape(InferContext& ctx) {
  const ir::Tensor value = fill_element(ctx.node());
  const auto dims = ctx.ints(0);
  if (!dims) return ctx.set(0, value.type());
  const ir::Shape out = *dims;
  if (out.size() <= 1) {
    const int64_t count = out.empty() ? 1 : out[0].value;
    const auto element = ints_of(value);
    if (element && count >= 0 && count <= kMaxInts) {
      ctx.set_ints(0, Ints(static_cast<size_t>(count), element->front()));
    }
  }
  ctx.set(0, value.type(), out);
}

void constant_of_shape(KernelContext& ctx) {
  const ir::Tensor value = fill_element(ctx.node());
  const auto dims = operand_ints(ctx, 0);
  if (!dims) fail(ErrorCode::kBadInput, "expected a shape, found none");
  if (ir::is_sub_byte(value.type())) {
    const ir::Tensor one = unpacked(value);
    ir::Tensor wide(ir::DataType::kUint8, *dims);
    std::fill_n(mutable_elements<uint8_t>(wide), wide.size(), *elements<uint8_t>(one));
    return ctx.set_output(0, packed(wide, value.type()));
  }
  ir::Tensor& out = ctx.output(0, value.type(), *dims);
  with_element(value.type(), [&]<typename T>(ElementTag<T>) {
    std::fill_n(mutable_elements<T>(out), out.size(), *elements<T>(value));
  });
}

// --- Range -----------------------------------------------------------------------------------

using RangeTypes = TypeList<float, double, int16_t, int32_t, int64_t, ir::Float16, ir::Bfloat16>;

// max(ceil((limit - start) / delta), 0) elements; the start and delta of a range of T.
template <typename T>
int64_t range_count(T start, T limit, T delta) {
  if (delta == T(0)) fail(ErrorCode::kBadInput, "expected a delta other than 0, found 0");
  if constexpr (kIsFloating<T>) {
    const double count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                   static_cast<double>(delta));
    if (!std::isfinite(count) || count > 1e18) {
      fail(ErrorCode::kLimit, "the range has too many elements");
    }
    return std::max<int64_t>(0, static_cast<int64_t>(count));
  } else {
    const bool up = delta > 0;
    if (up ? start >= limit : start <= limit) return 0;
    const auto a = static_cast<uint64_t>(static_cast<int64_t>(up ? start : limit));
    const auto b = static_cast<uint64_t>(static_cast<int64_t>(up ? limit : start));
    const auto d = static_cast<uint64_t>(static_cast<int64_t>(delta));
    const uint64_t count = (b - a - 1) / (up ? d : 0 - d) + 1;
    if (count > static_cast<uint64_t>(INT64_MAX)) {
      fail(ErrorCode::kLimit, "the range has too many elements");
    }
    return static_cast<int64_t>(count);
  }
}

void infer_range(InferContext& ctx) {
  const ir::DataType element = ctx.element(0);
  if (ctx.constant(0) != nullptr && ctx.constant(1) != nullptr && ctx.constant(2) != nullptr) {
    int64_t count = 0;
    dispatch(RangeTypes{}, element, [&]<typename T>(Tag<T>) {
      T bounds[3];
      for (size_t i = 0; i < 3; ++i) {
        if (ctx.constant(i)->size() != 1) fail(ErrorCode::kBadInput, "expected scalar bounds");
        bounds[i] = ctx.constant(i)->data<T>()[0];
      }
      count = range_count(bounds[0], bounds[1], bounds[2]);
    });
    return ctx.set(0, element, ir::Shape{ir::Dim::of(count)});
  }
  const auto start = ctx.ints(0);
  const auto limit = ctx.ints(1);
  const auto delta = ctx.ints(2);
  ir::Dim count;
  if (start && limit && delta && start->size() == 1 && limit->size() == 1 && delta->size() == 1) {
    const auto from = int_value(start->front());
    const auto to = int_value(limit->front());
    const auto step = int_value(delta->front());
    if (from && to && step) {
      count = ir::Dim::of(range_count(*from, *to, *step));
    } else if (step && *step > 0) {
      count = int_sub(limit->front(), start->front());
      if (*step > 1) {
        count = int_floor_div(int_add(count, ir::Dim::of(*step - 1)), ir::Dim::of(*step));
      }
      if (const auto n = int_value(count); n && *n < 0) count = ir::Dim::of(0);
    }
  }
  ctx.set(0, element, ir::Shape{count});
}

void range(KernelContext& ctx) {
  for (size_t i = 0; i < 3; ++i) {
    if (ctx.input(i).size() != 1) fail(ErrorCode::kBadInput, "expected scalar bounds");
    require_same_type(ctx.input(0), ctx.input(i), "Range");
  }
  dispatch(RangeTypes{}, ctx.input(0).type(), [&]<typename T>(Tag<T>) {
    const T start = ctx.input(0).data<T>()[0];
    const T delta = ctx.input(2).data<T>()[0];
    const int64_t count = range_count(start, ctx.input(1).data<T>()[0], delta);
    ir::Tensor& out = ctx.output(0, ir::DataTypeOf<T>::value, {count});
    T* to = out.mutable_data<T>().data();
    for (int64_t i = 0; i < count; ++i) {
      if constexpr (kIsFloating<T>) {
        to[i] = narrow<T>(static_cast<double>(start) +
                          static_cast<double>(i) * static_cast<double>(delta));
      } else {
        to[i] = static_cast<T>(static_cast<uint64_t>(start) +
                               static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
      }
    }
  });
}

// --- Shape, Size -----------------------------------------------------------------------------

// Axes [first, second) that Shape reports.
std::pair<int64_t, int64_t> shape_range(const ir::Node& node, int64_t opset, int64_t rank) {
  if (opset < 15) return {0, rank};
  int64_t start = node.attr_int("start", 0);
  int64_t end = node.attr_int("end", rank);
  start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<int64_t>(end < 0 ? end + rank : end, 0, rank);
  return {start, std::max(start, end)};
}

void infer_shape(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  if (in == nullptr) return ctx.set(0, ir::DataType::kInt64, ir::Shape(1));
  const auto [begin, end] = shape_range(ctx.node(), ctx.opset(), static_cast<int64_t>(in->size()));
  ctx.set_ints(0, Ints(in->begin() + begin, in->begin() + end));
  ctx.set(0, ir::DataType::kInt64, ir::Shape{ir::Dim::of(end - begin)});
}

void shape(KernelContext& ctx) {
  const ir::Dims& dims = ctx.input(0).dims();
  const auto [begin, end] = shape_range(ctx.node(), ctx.opset(), static_cast<int64_t>(dims.size()));
  ctx.set_output(0,
                 ir::Tensor::of({end - begin}, ir::Dims(dims.begin() + begin, dims.begin() + end)));
}

void infer_size(InferContext& ctx) {
  if (const ir::Shape* in = ctx.shape(0)) ctx.set_ints(0, {dim_product(*in, 0, in->size())});
  ctx.set(0, ir::DataType::kInt64, ir::Shape{});
}

void size(KernelContext& ctx) {
  ctx.set_output(0, ir::Tensor::scalar(ctx.input(0).size()));
}

// --- EyeLike ---------------------------------------------------------------------------------

void infer_eye_like(InferContext& ctx) {
  ctx.set_same(0, 0);
  const ir::DataType type = type_attribute(ctx.node(), "dtype", ctx.element(0));
  ctx.set(0, type, ctx.shape(0) != nullptr ? std::optional(*ctx.shape(0)) : std::nullopt);
}

void eye_like(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  if (in.rank() != 2) fail(ErrorCode::kBadInput, "expected a matrix, found rank {}", in.rank());
  const int64_t rows = in.dim(0);
  const int64_t columns = in.dim(1);
  const int64_t k = std::clamp(ctx.node().attr_int("k", 0), -rows, columns);
  ir::Tensor& out = ctx.output(0, type_attribute(ctx.node(), "dtype", in.type()), in.dims());
  fill_zero(out);
  dispatch(NumericTypes{} + BoolType{}, out.type(), [&]<typename T>(Tag<T>) {
    T* to = out.mutable_data<T>().data();
    for (int64_t row = std::max<int64_t>(0, -k); row < rows && row + k < columns; ++row) {
      to[row * columns + row + k] = T(1);
    }
  });
}

// --- Random generators -----------------------------------------------------------------------

void infer_random(InferContext& ctx) {
  ir::Shape out;
  for (const int64_t d : ctx.node().attr_ints("shape")) out.push_back(int_of(d));
  ctx.set(0, type_attribute(ctx.node(), "dtype", ir::DataType::kFloat), std::move(out));
}

void infer_random_like(InferContext& ctx) {
  infer_eye_like(ctx);
}

template <bool normal>
void fill_random(KernelContext& ctx, ir::DataType type, ir::Dims dims) {
  const ir::Node& node = ctx.node();
  RandomStream stream = stream_of(node);
  const double low = normal ? node.attr_float("mean", 0) : node.attr_float("low", 0);
  const double span = normal ? node.attr_float("scale", 1) : node.attr_float("high", 1) - low;
  ir::Tensor& out = ctx.output(0, type, std::move(dims));
  dispatch(FloatTypes{}, type, [&]<typename T>(Tag<T>) {
    for (T& value : out.mutable_data<T>()) {
      value = narrow<T>(low + span * (normal ? stream.normal() : stream.uniform()));
    }
  });
}

template <bool normal>
void random(KernelContext& ctx) {
  fill_random<normal>(ctx, type_attribute(ctx.node(), "dtype", ir::DataType::kFloat),
                      ctx.node().attr_ints("shape"));
}
template <bool normal>
void random_like(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  fill_random<normal>(ctx, type_attribute(ctx.node(), "dtype", in.type()), in.dims());
}

void infer_bernoulli(InferContext& ctx) {
  infer_eye_like(ctx);
}

void bernoulli(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  RandomStream stream = stream_of(ctx.node());
  ir::Tensor& out = ctx.output(0, type_attribute(ctx.node(), "dtype", in.type()), in.dims());
  dispatch(NumericTypes{} + BoolType{}, out.type(), [&]<typename T>(Tag<T>) {
    T* to = out.mutable_data<T>().data();
    for (int64_t i = 0; i < in.size(); ++i) {
      to[i] = T(stream.uniform() < ir::element_as_double(in, i) ? 1 : 0);
    }
  });
}

constexpr OpDef kOps[] = {
    {"", "Bernoulli", 15, infer_bernoulli, bernoulli, kRandom},
    {"", "Constant", 1, infer_constant, constant},
    {"", "ConstantOfShape", 9, infer_constant_of_shape, constant_of_shape, kNoFacts, 0b1},
    {"", "EyeLike", 9, infer_eye_like, eye_like},
    {"", "RandomNormal", 1, infer_random, random<true>, kRandom},
    {"", "RandomNormalLike", 1, infer_random_like, random_like<true>, kRandom},
    {"", "RandomUniform", 1, infer_random, random<false>, kRandom},
    {"", "RandomUniformLike", 1, infer_random_like, random_like<false>, kRandom},
    {"", "Range", 11, infer_range, range, kNoFacts, 0b111},
    {"", "Shape", 1, infer_shape, shape},
    {"", "Shape", 15, infer_shape, shape},
    {"", "Size", 1, infer_size, size},
};

}  // namespace

std::span<const OpDef> generator_ops() {
  return kOps;
}

}  // namespace fettle::ops
