#include "interp/quantize.h"

#include "interp/parallel.h"
#include "interp/qdq_loops.h"
#include "interp/simd.h"

namespace fettle::interp {
namespace {

struct Parameters {
  float scale = 1.0f;
  ByteTarget bytes;
  bool typed = false;  // a zero point tells the type
};

// Nothing unless scale (operand 1) and zero point (operand 2, may be absent) are one constant
// element each, of float32 and an 8-bit type, and no attribute changes the meaning.
std::optional<Parameters> parameters_of(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  const ir::Tensor* scale = facts.constant(1);
  if (scale == nullptr || scale->type() != ir::DataType::kFloat || scale->size() != 1 ||
      node.attr_int("output_dtype", 0) != 0 || node.attr_int("precision", 0) != 0 ||
      node.attr_int("block_size", 0) != 0) {
    return std::nullopt;
  }
  Parameters p;
  p.scale = scale->data<float>()[0];
  if (node.input(2) == nullptr) return p;
  const ir::Tensor* zero = facts.constant(2);
  if (zero == nullptr || zero->size() != 1 ||
      (zero->type() != ir::DataType::kInt8 && zero->type() != ir::DataType::kUint8)) {
    return std::nullopt;
  }
  p.typed = true;
  p.bytes = {zero->type(), static_cast<int32_t>(ir::element_as_int(*zero, 0))};
  return p;
}

// The operand where its layout can be kept (channels last), as bytes; else as a plain tensor.
struct Source {
  const std::byte* bytes;
  int64_t count;
  bool channels_last;
};

Source source_of(Call& call) {
  const Blocked* own = call.blocked(0);
  if (own != nullptr && own->dims().size() >= 3 && own->dims().size() <= 5 &&
      own->desc == channels_last_desc(own->dims(), own->type)) {
    return {own->buffer->data(), ir::element_count(own->dims()), true};
  }
  const ir::Tensor& plain = *call.tensor(0);
  return {plain.bytes(), plain.size(), false};
}

// Storage of `type` in the layout of the source; the caller fills it and then stores it.
Blocked target_for(Call& call, const Source& source, ir::DataType type) {
  const ir::Dims& dims = *call.dims(0);
  if (source.channels_last) return allocate_blocked(channels_last_desc(dims, type), type);
  return Blocked{{}, ir::Buffer::allocate(ir::data_type_bytes(type, source.count)), type};
}

void store(Call& call, const Source& source, Blocked target) {
  if (source.channels_last) {
    call.set(0, std::move(target));
  } else {
    const ir::Dims dims = *call.dims(0);
    call.set(0, ir::Tensor(target.type, dims, std::move(target.buffer)));
  }
}

class Quantize : public AcceleratedKernel {
 public:
  explicit Quantize(const Parameters& p) : p_(p) {}

  bool run(Call& call) override {
    if (call.type(0) != ir::DataType::kFloat) return false;
    const Source source = source_of(call);
    Blocked out = target_for(call, source, p_.bytes.type);
    const auto* x = reinterpret_cast<const float*>(source.bytes);
    auto* y = reinterpret_cast<uint8_t*>(out.buffer->mutable_data());
    for_chunks(source.count, [&](int64_t begin, int64_t end) {
      quantize_bytes(x + begin, p_.scale, end - begin, p_.bytes, y + begin);
    });
    store(call, source, std::move(out));
    return true;
  }

 private:
  Parameters p_;
};

class Dequantize : public AcceleratedKernel {
 public:
  explicit Dequantize(const Parameters& p) : p_(p) {}

  bool run(Call& call) override {
    const ir::DataType type = call.type(0);
    if (type != ir::DataType::kInt8 && type != ir::DataType::kUint8) return false;
    if (p_.typed && type != p_.bytes.type) return false;
    const Source source = source_of(call);
    Blocked out = target_for(call, source, ir::DataType::kFloat);
    const auto* x = reinterpret_cast<const uint8_t*>(source.bytes);
    auto* y = reinterpret_cast<float*>(out.buffer->mutable_data());
    for_chunks(source.count, [&](int64_t begin, int64_t end) {
      dequantize_bytes(x + begin, p_.scale, end - begin, {type, p_.bytes.zero_point}, y + begin);
    });
    store(call, source, std::move(out));
    return true;
  }

 private:
  Parameters p_;
};

// Least and greatest of zero and n values; NaN is passed over.
FETTLE_VECTORIZED
std::pair<float, float> range_with_zero(const float* x, int64_t n) {
  float lowest = 0.0f;
  float highest = 0.0f;
#pragma omp simd reduction(min : lowest) reduction(max : highest)
  for (int64_t i = 0; i < n; ++i) {
    lowest = x[i] < lowest ? x[i] : lowest;
    highest = x[i] > highest ? x[i] : highest;
  }
  return {lowest, highest};
}

class DynamicQuantize : public AcceleratedKernel {
 public:
  bool run(Call& call) override {
    if (call.type(0) != ir::DataType::kFloat) return false;
    const ir::Tensor& x = *call.tensor(0);
    const float* from = x.data<float>().data();
    const auto [lowest, highest] = range_with_zero(from, x.size());
    const ops::DynamicQuantization q = ops::dynamic_quantization(lowest, highest);
    ir::Tensor out(ir::DataType::kUint8, x.dims());
    auto* to = out.mutable_data<uint8_t>().data();
    const ByteTarget target{ir::DataType::kUint8, q.zero_point};
    for_chunks(x.size(), [&](int64_t begin, int64_t end) {
      quantize_bytes(from + begin, q.scale, end - begin, target, to + begin);
    });
    call.set(0, std::move(out));
    if (call.outputs().size() > 1) call.set(1, ir::Tensor::scalar(q.scale));
    if (call.outputs().size() > 2) call.set(2, ir::Tensor::scalar(q.zero_point));
    return true;
  }
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_dynamic_quantize(const NodeFacts&) {
  return std::make_unique<DynamicQuantize>();
}

std::unique_ptr<AcceleratedKernel> accelerate_quantize(const NodeFacts& facts) {
  const auto p = parameters_of(facts);
  return p ? std::make_unique<Quantize>(*p) : nullptr;
}

std::unique_ptr<AcceleratedKernel> accelerate_dequantize(const NodeFacts& facts) {
  const auto p = parameters_of(facts);
  return p ? std::make_unique<Dequantize>(*p) : nullptr;
}

}  // namespace fettle::interp
