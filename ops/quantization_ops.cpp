// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear.
#include <array>
#include <cmath>

#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/real_elements.h"
#include "ops/requantize.h"
#include "ops/scale_layout.h"
#include "ops/small_float.h"

namespace fettle::ops {
namespace {

using ir::DataType;

// The type an attribute names by its ONNX number, or `fallback` when it is absent or 0.
DataType type_attribute(const ir::Node& node, std::string_view name, DataType fallback) {
  const int64_t number = node.attr_int(name, 0);
  if (number == 0) return fallback;
  const auto type = number > 0 && number < INT32_MAX
                        ? ir::data_type_from_onnx(static_cast<int32_t>(number))
                        : std::nullopt;
  if (!type) fail(ErrorCode::kBadInput, "attribute {}: unknown element type {}", name, number);
  return *type;
}

bool is_float8(DataType type) {
  return type == DataType::kFloat8E4M3FN || type == DataType::kFloat8E4M3FNUZ ||
         type == DataType::kFloat8E5M2 || type == DataType::kFloat8E5M2FNUZ;
}

bool is_quantized(DataType type) {
  return is_quantized_integer(type) || is_float8(type) || type == DataType::kFloat4E2M1;
}

// Scales and zero points of a node's operands 1 and 2 as numbers, with their layout over operand 0.
struct Parameters {
  ScaleLayout layout;
  ir::Tensor scale_values;
  ir::Tensor zero_values;
  const double* scales;
  const double* zeros;  // null: all zero
};

Parameters parameters_of(KernelContext& context, DataType zero_type) {
  const ir::Tensor& scale = context.input(1);
  const ir::Tensor* zero = context.optional(2);
  if (!ir::is_floating(scale.type()) && scale.type() != DataType::kInt32) {
    fail(ErrorCode::kBadInput, "scale: expected a floating type, found {}",
         ir::data_type_name(scale.type()));
  }
  if (zero != nullptr) {
    const bool same_shape =
        zero->dims() == scale.dims() || (zero->size() == 1 && scale.size() == 1);
    if (!same_shape || zero->type() != zero_type) {
      fail(ErrorCode::kBadInput, "zero point: expected {} of the scale's shape {}, found {} {}",
           ir::data_type_name(zero_type), ir::to_string(scale.dims()),
           ir::data_type_name(zero->type()), ir::to_string(zero->dims()));
    }
  }
  const ir::Node& node = context.node();
  Parameters p{ScaleLayout(context.input(0).dims(), scale.dims(), node.attr_int("axis", 1),
                           node.attr_int("block_size", 0)),
               as_doubles(scale), zero != nullptr ? as_doubles(*zero) : ir::Tensor(), nullptr,
               nullptr};
  p.scales = p.scale_values.data<double>().data();
  if (zero != nullptr) p.zeros = p.zero_values.data<double>().data();
  return p;
}

// x / scale in the arithmetic of `precision`.
float quotient(double x, double scale, DataType precision) {
  if (precision == DataType::kFloat16) {
    return ir::Float16(static_cast<float>(narrow<ir::Float16>(x)) /
                       static_cast<float>(narrow<ir::Float16>(scale)));
  }
  if (precision == DataType::kBfloat16) {
    return ir::Bfloat16(static_cast<float>(narrow<ir::Bfloat16>(x)) /
                        static_cast<float>(narrow<ir::Bfloat16>(scale)));
  }
  return static_cast<float>(x) / static_cast<float>(scale);
}

// Encodes quotients as elements of one type; the code is in the low bits.
struct Encoder {
  DataType type;
  bool saturate;
  QuantRange range;

  int32_t operator()(float quotient, double zero) const {
    if (is_quantized_integer(type)) {
      return round_and_saturate(quotient, static_cast<int32_t>(zero), range);
    }
    const double value = static_cast<double>(quotient) + zero;
    return type == DataType::kFloat4E2M1 ? encode_float4_e2m1(value)
                                         : encode_float8(type, value, saturate);
  }
};

template <typename T>
void quantize_as(const ir::Tensor& x, const Parameters& p, const Encoder& encode,
                 DataType precision, T* out) {
  std::array<double, ScaleLayout::kPiece> in;
  p.layout.for_each_piece([&](int64_t begin, int64_t count, int64_t scale, int64_t step) {
    load_doubles(x, begin, count, in.data());
    for (int64_t i = 0; i < count; ++i, scale += step) {
      const float q = quotient(in[static_cast<size_t>(i)], p.scales[scale], precision);
      out[begin + i] = static_cast<T>(encode(q, p.zeros != nullptr ? p.zeros[scale] : 0.0));
    }
  });
}

DataType quantized_type(const ir::Node& node, const ir::Tensor* zero) {
  const DataType stated = type_attribute(node, "output_dtype", DataType::kUndefined);
  if (zero == nullptr) return stated == DataType::kUndefined ? DataType::kUint8 : stated;
  if (stated != DataType::kUndefined && stated != zero->type()) {
    fail(ErrorCode::kBadInput, "output_dtype is {}, but the zero point is {}",
         ir::data_type_name(stated), ir::data_type_name(zero->type()));
  }
  return zero->type();
}

// Divides in the arithmetic of `precision`.
void quantize_in(KernelContext& context, DataType precision) {
  const ir::Tensor& x = context.input(0);
  const DataType type = quantized_type(context.node(), context.optional(2));
  if (!is_quantized(type)) {
    fail(ErrorCode::kBadInput, "{} is not a type to quantize to", ir::data_type_name(type));
  }
  if (!is_real(x.type()) && x.type() != DataType::kInt32) {
    fail(ErrorCode::kBadInput, "expected a floating-point or int32 input, found {}",
         ir::data_type_name(x.type()));
  }
  const Parameters p = parameters_of(context, type);
  const Encoder encode{type, context.node().attr_int("saturate", 1) != 0,
                       is_quantized_integer(type) ? quant_range(type) : QuantRange{}};
  if (ir::is_sub_byte(type)) {
    ir::Tensor codes(DataType::kUint8, x.dims());
    quantize_as(x, p, encode, precision, codes.mutable_data<uint8_t>().data());
    context.set_output(0, packed(codes, type));
    return;
  }
  ir::Tensor& y = context.output(0, type, x.dims());
  if (ir::data_type_bits(type) == 8) {
    quantize_as(x, p, encode, precision, reinterpret_cast<uint8_t*>(y.mutable_bytes()));
  } else {
    quantize_as(x, p, encode, precision, reinterpret_cast<uint16_t*>(y.mutable_bytes()));
  }
}

void quantize_linear(KernelContext& context) {
  quantize_in(context, type_attribute(context.node(), "precision", context.input(1).type()));
}

// ONNX Runtime's own operator divides float16 in float32.
void contrib_quantize_linear(KernelContext& context) {
  quantize_in(context, DataType::kFloat);
}

void dequantize_linear(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  if (!is_quantized(x.type()) && x.type() != DataType::kInt32) {
    fail(ErrorCode::kBadInput, "expected a quantized type, found {}", ir::data_type_name(x.type()));
  }
  const DataType type = type_attribute(context.node(), "output_dtype", context.input(1).type());
  const Parameters p = parameters_of(context, x.type());
  ir::Tensor& y = context.output(0, type, x.dims());
  std::array<double, ScaleLayout::kPiece> values;
  p.layout.for_each_piece([&](int64_t begin, int64_t count, int64_t scale, int64_t step) {
    load_doubles(x, begin, count, values.data());
    for (int64_t i = 0; i < count; ++i, scale += step) {
      double& v = values[static_cast<size_t>(i)];
      if (p.zeros != nullptr) v -= p.zeros[scale];
      // float32 arithmetic, as specified: the exact product of both is rounded to float32 once.
      v = static_cast<float>(v) * static_cast<float>(p.scales[scale]);
    }
    store_doubles(values.data(), count, y, begin);
  });
}

void dynamic_quantize_linear(KernelContext& context) {
  const auto x = context.input(0).data<float>();
  const DynamicQuantization q = dynamic_quantization(x);
  const auto y =
      context.output(0, DataType::kUint8, context.input(0).dims()).mutable_data<uint8_t>();
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = static_cast<uint8_t>(quantize_one(x[i], q.scale, q.zero_point, {0, 255}));
  }
  if (context.output_count() > 1) context.set_output(1, ir::Tensor::scalar(q.scale));
  if (context.output_count() > 2) context.set_output(2, ir::Tensor::scalar(q.zero_point));
}

std::optional<ir::Shape> shape_of_input(const InferContext& context) {
  const ir::Shape* shape = context.shape(0);
  return shape != nullptr ? std::optional<ir::Shape>(*shape) : std::nullopt;
}

void infer_quantize(InferContext& context) {
  const DataType type = context.has(2)
                            ? context.element(2)
                            : type_attribute(context.node(), "output_dtype", DataType::kUint8);
  context.set(0, type, shape_of_input(context));
}

void infer_dequantize(InferContext& context) {
  context.set(0, type_attribute(context.node(), "output_dtype", context.element(1)),
              shape_of_input(context));
}

void infer_dynamic_quantize(InferContext& context) {
  context.set(0, DataType::kUint8, shape_of_input(context));
  if (context.output_count() > 1) context.set(1, DataType::kFloat, ir::Shape{});
  if (context.output_count() > 2) context.set(2, DataType::kUint8, ir::Shape{});
}

}  // namespace

std::span<const OpDef> quantization_ops() {
  static constexpr OpDef kRows[] = {
      {.domain = "",
       .name = "QuantizeLinear",
       .since_version = 10,
       .infer = infer_quantize,
       .kernel = quantize_linear,
       .facts = kQuantization},
      {.domain = "",
       .name = "DequantizeLinear",
       .since_version = 10,
       .infer = infer_dequantize,
       .kernel = dequantize_linear,
       .facts = kQuantization},
      {.domain = "",
       .name = "DynamicQuantizeLinear",
       .since_version = 11,
       .infer = infer_dynamic_quantize,
       .kernel = dynamic_quantize_linear,
       .facts = kQuantization},
      {.domain = "com.microsoft",
       .name = "QuantizeLinear",
       .since_version = 1,
       .infer = infer_quantize,
       .kernel = contrib_quantize_linear,
       .facts = kQuantization},
      {.domain = "com.microsoft",
       .name = "DequantizeLinear",
       .since_version = 1,
       .infer = infer_dequantize,
       .kernel = dequantize_linear,
       .facts = kQuantization},
  };
  return kRows;
}

}  // namespace fettle::ops
