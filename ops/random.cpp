#include "ops/random.h"

#include <bit>

#include "ops/dispatch.h"

namespace fettle::ops {

// Whole numbers stand for themselves, others for their bits.
static uint32_t seed_of(float number) {
  const bool whole = number >= 0 && number < 4294967296.0f && number == std::floor(number);
  return whole ? static_cast<uint32_t>(number) : std::bit_cast<uint32_t>(number);
}

RandomStream stream_of(const ir::Node& node) {
  uint32_t seed = 0x811c9dc5u;
  if (node.has_attribute("seed")) {
    // An integer for Dropout, a float for the generators.
    const auto* whole = std::get_if<int64_t>(&node.find_attribute("seed")->payload);
    seed = whole != nullptr ? static_cast<uint32_t>(*whole) : seed_of(node.attr_float("seed", 0));
  } else {
    const ir::Value* output = node.output(0);
    for (const char c : node.name.empty() && output != nullptr ? output->name() : node.name) {
      seed = (seed ^ static_cast<unsigned char>(c)) * 0x01000193u;  // FNV-1a
    }
  }
  return RandomStream(seed);
}

void fill_with_one(ir::Tensor& tensor) {
  dispatch(NumericTypes{} + BoolType{}, tensor.type(), [&]<typename T>(Tag<T>) {
    for (T& value : tensor.mutable_data<T>()) value = T(1);
  });
}

void dropout_in_training(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  double ratio = 0.5;
  if (const ir::Tensor* given = ctx.optional(1)) {
    if (given->size() != 1)
      fail(ErrorCode::kBadInput, "expected one ratio, found {}", given->size());
    ratio = ir::element_as_double(*given, 0);
  }
  if (!(ratio >= 0 && ratio < 1)) {
    fail(ErrorCode::kBadInput, "expected a ratio in [0, 1), found {}", ratio);
  }
  RandomStream random = stream_of(ctx.node());
  ir::Tensor mask(ir::DataType::kBool, in.dims());
  for (bool& kept : mask.mutable_data<bool>()) kept = random.uniform() >= ratio;
  ir::Tensor& out = ctx.output(0, in.type(), in.dims());
  dispatch(FloatTypes{}, in.type(), [&]<typename T>(Tag<T>) {
    const auto from = in.data<T>();
    const auto keep = mask.data<bool>();
    auto to = out.mutable_data<T>();
    for (size_t i = 0; i < to.size(); ++i) {
      to[i] = keep[i] ? narrow<T>(static_cast<double>(from[i]) / (1 - ratio)) : T(0);
    }
  });
  if (ctx.wants(1)) ctx.set_output(1, std::move(mask));
}

}  // namespace fettle::ops
