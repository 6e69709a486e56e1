#include "interp/qdq_pattern.h"

#include <cmath>

#include "interp/post_ops.h"

namespace fettle::interp {
namespace {

bool is_byte(ir::DataType type) {
  return type == ir::DataType::kInt8 || type == ir::DataType::kUint8;
}

// Attributes that give a Q or DQ node another meaning than 8 bits with float32 arithmetic.
bool unusual(const ir::Node& node) {
  return node.attr_int("output_dtype", 0) != 0 || node.attr_int("precision", 0) != 0 ||
         node.attr_int("block_size", 0) != 0;
}

// Scale and zero point of a Q or DQ node when both are constant and have equal counts.
struct Constants {
  const ir::Tensor* scale = nullptr;
  const ir::Tensor* zero = nullptr;  // null when absent
};
std::optional<Constants> constants_of(const ir::Node& node, const FusionView& view) {
  Constants c;
  c.scale = view.constant(node.input(1));
  if (c.scale == nullptr || c.scale->type() != ir::DataType::kFloat || unusual(node)) {
    return std::nullopt;
  }
  for (const float s : c.scale->data<float>()) {
    if (!(s > 0.0f) || !std::isfinite(s)) return std::nullopt;
  }
  if (node.input(2) == nullptr) return c;
  c.zero = view.constant(node.input(2));
  if (c.zero == nullptr || c.zero->size() != c.scale->size()) return std::nullopt;
  return c;
}

// The element type of a value when something states it.
ir::DataType stated_type(const ir::Value& value, const FusionView& view) {
  if (const ir::Tensor* constant = view.constant(&value)) return constant->type();
  if (value.type.is_tensor()) return value.type.element;
  return ir::DataType::kUndefined;
}

// True when values below `low` and above `high` quantize to the ends of the range anyway.
bool without_effect(const Activation& a, float scale, ByteTarget bytes) {
  const ops::QuantRange range = ops::quant_range(bytes.type);
  const auto quantized = [&](float v) {
    return ops::quantize_one(v, scale, bytes.zero_point, range);
  };
  if (a.algorithm == dnnl::algorithm::eltwise_relu) {
    return a.alpha == 0.0f && bytes.zero_point == range.lowest;
  }
  if (a.algorithm == dnnl::algorithm::eltwise_clip) {
    return quantized(a.alpha) == range.lowest && quantized(a.beta) == range.highest;
  }
  return false;
}

}  // namespace

std::optional<QuantizedOperand> quantized_operand(const ir::Value* value, const FusionView& view) {
  const ir::Node* node = value == nullptr ? nullptr : value->producer();
  if (node == nullptr || !node->is("DequantizeLinear") || node->input(0) == nullptr) {
    return std::nullopt;
  }
  const auto constants = constants_of(*node, view);
  if (!constants || constants->scale->size() != 1) return std::nullopt;
  QuantizedOperand operand;
  operand.quantized = node->input(0);
  operand.scale = constants->scale->data<float>()[0];
  if (constants->zero != nullptr) {
    if (!is_byte(constants->zero->type())) return std::nullopt;
    operand.bytes = {constants->zero->type(),
                     static_cast<int32_t>(ir::element_as_int(*constants->zero, 0))};
  } else {
    operand.bytes = {stated_type(*operand.quantized, view), 0};
    if (!is_byte(operand.bytes.type)) return std::nullopt;
  }
  return operand;
}

std::optional<QuantizedWeights> quantized_weights(const ir::Value* value, int64_t axis,
                                                  const FusionView& view) {
  const ir::Node* node = value == nullptr ? nullptr : value->producer();
  if (node == nullptr || !node->is("DequantizeLinear")) return std::nullopt;
  const ir::Tensor* values = view.constant(node->input(0));
  const auto constants = constants_of(*node, view);
  if (values == nullptr || !constants || !is_byte(values->type()) || values->size() == 0) {
    return std::nullopt;
  }
  const auto rank = static_cast<int64_t>(values->rank());
  const auto from_front = [rank](int64_t a) { return a < 0 ? a + rank : a; };
  const int64_t count = constants->scale->size();
  if (count != 1) {
    const int64_t wanted = from_front(axis);
    if (from_front(node->attr_int("axis", 1)) != wanted || wanted < 0 || wanted >= rank ||
        values->dim(static_cast<size_t>(wanted)) != count) {
      return std::nullopt;
    }
  }
  QuantizedWeights w;
  w.values = *values;
  const auto scales = constants->scale->data<float>();
  w.scale.assign(scales.begin(), scales.end());
  w.zero.assign(w.scale.size(), 0);
  if (constants->zero != nullptr) {
    if (constants->zero->type() != values->type()) return std::nullopt;
    for (size_t i = 0; i < w.zero.size(); ++i) {
      w.zero[i] =
          static_cast<int32_t>(ir::element_as_int(*constants->zero, static_cast<int64_t>(i)));
    }
  }
  return w;
}

std::optional<std::vector<int32_t>> accumulator_bias(const ir::Value* value,
                                                     const std::vector<float>& scales,
                                                     const FusionView& view) {
  std::vector<int32_t> bias;
  if (value == nullptr) return bias;
  const ir::Tensor* floats = view.constant(value);
  if (floats != nullptr) {
    if (floats->type() != ir::DataType::kFloat ||
        floats->size() != static_cast<int64_t>(scales.size())) {
      return std::nullopt;
    }
    for (size_t i = 0; i < scales.size(); ++i) {
      const double steps =
          std::nearbyint(static_cast<double>(floats->data<float>()[i]) / scales[i]);
      if (!(std::fabs(steps) < 2147483648.0)) return std::nullopt;
      bias.push_back(static_cast<int32_t>(steps));
    }
    return bias;
  }
  const ir::Node* node = value->producer();
  if (node == nullptr || !node->is("DequantizeLinear")) return std::nullopt;
  const ir::Tensor* steps = view.constant(node->input(0));
  const auto constants = constants_of(*node, view);
  if (steps == nullptr || !constants || steps->type() != ir::DataType::kInt32 ||
      steps->size() != static_cast<int64_t>(scales.size())) {
    return std::nullopt;
  }
  const auto stated = constants->scale->data<float>();
  if (stated.size() != 1 && stated.size() != scales.size()) return std::nullopt;
  for (size_t i = 0; i < scales.size(); ++i) {
    const float s = stated[stated.size() == 1 ? 0 : i];
    if (!(std::fabs(s - scales[i]) <= 1e-4f * scales[i])) return std::nullopt;
    if (constants->zero != nullptr &&
        ir::element_as_int(*constants->zero, stated.size() == 1 ? 0 : static_cast<int64_t>(i)) !=
            0) {
      return std::nullopt;
    }
    bias.push_back(steps->data<int32_t>()[i]);
  }
  return bias;
}

std::optional<QuantizedResult> quantized_result(const ir::Value* value, const FusionView& view) {
  QuantizedResult result;
  const ir::Node* next = view.sole_reader(value);
  std::optional<Activation> activation;
  if (next != nullptr && !next->is("QuantizeLinear") && next->input(0) == value) {
    activation = as_activation(*next, view);
    if (!activation) return std::nullopt;
    result.members.push_back(next);
    next = view.sole_reader(next->output(0));
  }
  if (next == nullptr || !next->is("QuantizeLinear") || view.taken(*next)) return std::nullopt;
  const ir::Value* input = result.members.empty() ? value : result.members[0]->output(0);
  const auto constants = constants_of(*next, view);
  if (next->input(0) != input || !constants || constants->scale->size() != 1) return std::nullopt;
  result.members.push_back(next);
  result.scale = constants->scale->data<float>()[0];
  if (constants->zero != nullptr) {
    if (!is_byte(constants->zero->type())) return std::nullopt;
    result.bytes = {constants->zero->type(),
                    static_cast<int32_t>(ir::element_as_int(*constants->zero, 0))};
  }
  if (activation && !without_effect(*activation, result.scale, result.bytes)) return std::nullopt;
  return result;
}

std::array<uint8_t, 256> requantization_table(const QuantizedOperand& x, const QuantizedResult& y) {
  std::array<uint8_t, 256> codes;
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  std::array<float, 256> values;
  dequantize_bytes(codes.data(), x.scale, 256, x.bytes, values.data());
  std::array<uint8_t, 256> table;
  quantize_bytes(values.data(), y.scale, 256, y.bytes, table.data());
  return table;
}

}  // namespace fettle::interp
