#include "interp/random_inputs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "ir/error.h"
#include "ir/float16.h"

namespace fettle::interp {
namespace {

enum class Flavor { kNormal, kZeros, kNegative, kMixed };
constexpr Flavor kFlavors[] = {Flavor::kNormal, Flavor::kMixed, Flavor::kZeros, Flavor::kNegative};

// A double in [0, 1) that is the same with every standard library.
double uniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1.0p-53;
}

double sample(Flavor flavor, std::mt19937_64& random) {
  // Sum of uniforms: close to normal, and portable.
  double normal = -6;
  for (int i = 0; i < 12; ++i) normal += uniform(random);
  switch (flavor) {
    case Flavor::kNormal: return normal;
    case Flavor::kZeros: return 0;
    case Flavor::kNegative: return -1 - std::abs(normal);
    case Flavor::kMixed: return normal * std::pow(10.0, std::floor(uniform(random) * 5) - 2);
  }
  return 0;
}

void store(ir::Tensor& tensor, int64_t i, double value) {
  const auto at = static_cast<size_t>(i);
  switch (tensor.type()) {
    case ir::DataType::kFloat: tensor.mutable_data<float>()[at] = static_cast<float>(value); break;
    case ir::DataType::kDouble: tensor.mutable_data<double>()[at] = value; break;
    case ir::DataType::kFloat16:
      tensor.mutable_data<ir::Float16>()[at] = ir::Float16(static_cast<float>(value));
      break;
    default:
      tensor.mutable_data<ir::Bfloat16>()[at] = ir::Bfloat16(static_cast<float>(value));
      break;
  }
}

ir::Tensor random_tensor(ir::DataType type, const ir::Dims& dims, Flavor flavor,
                         std::mt19937_64& random) {
  const int64_t count = ir::element_count(dims);
  if (type == ir::DataType::kString) {
    return ir::Tensor::of_strings(dims, std::vector<std::string>(static_cast<size_t>(count), "a"));
  }
  ir::Tensor out(type, dims);
  if (type == ir::DataType::kFloat || type == ir::DataType::kDouble ||
      type == ir::DataType::kFloat16 || type == ir::DataType::kBfloat16) {
    for (int64_t i = 0; i < count; ++i) store(out, i, sample(flavor, random));
    return out;
  }
  // Integers, booleans and codes: 0 and 1, which are valid as index, length and flag; little endian.
  const size_t size = out.byte_size();
  std::byte* bytes = out.mutable_bytes();
  std::fill(bytes, bytes + size, std::byte{0});
  const size_t width = static_cast<size_t>(std::max(1, ir::data_type_bits(type) / 8));
  for (size_t i = 0; flavor != Flavor::kZeros && i < size; i += width) {
    bytes[i] = static_cast<std::byte>(random() & 1);
  }
  return out;
}

// Extents that fit most networks, then such that cause less or more work.
constexpr int64_t kExtents[] = {16, 64, 1, 4, 256, 512, 4096};

// Extents for what the type leaves open: one for the batch axis, one for all others.
struct Extents {
  int64_t batch = 1;
  int64_t other = 1;
  std::map<std::string, int64_t> symbols;
};

ir::Dims concrete(const ir::Value& input, Extents& extents) {
  if (!input.type.is_tensor() || !input.type.shape) {
    fail(ErrorCode::kUnsupported,
         "input '{}' is {}: values cannot be made up for it; give --data", input.name(),
         ir::to_string(input.type));
  }
  ir::Dims dims;
  for (const ir::Dim& d : *input.type.shape) {
    const int64_t extent = dims.empty() ? extents.batch : extents.other;
    if (d.known()) dims.push_back(d.value);
    else if (d.symbolic()) dims.push_back(extents.symbols.try_emplace(d.symbol, extent).first->second);
    else dims.push_back(extent);
  }
  return dims;
}

bool runs(Executor& executor, const Feeds& feeds) {
  try {
    executor.run(feeds);
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) throw;
    return false;
  }
}

}  // namespace

std::vector<Feeds> generate_inputs(const ir::Model& model, uint64_t seed, int64_t extent) {
  std::mt19937_64 random(seed);
  std::vector<Feeds> sets;
  for (size_t i = 0; i < std::size(kFlavors); ++i) {
    const auto turn = static_cast<int64_t>(i % 2);
    Extents extents{1 + turn, extent * (1 + turn), {}};
    Feeds feeds;
    for (const ir::Value* input : model.graph->inputs()) {
      if (input->has_initializer()) continue;
      const ir::Dims dims = concrete(*input, extents);
      feeds[input->name()] = random_tensor(input->type.element, dims, kFlavors[i], random);
    }
    sets.push_back(std::move(feeds));
  }
  return sets;
}

std::vector<Feeds> usable_inputs(const ir::Model& model, uint64_t seed,
                                 const ExecutorOptions& options, size_t most) {
  Executor executor(model, options);
  std::vector<Feeds> inputs;
  for (const int64_t extent : kExtents) {
    inputs = generate_inputs(model, seed, extent);
    std::vector<Feeds> usable;
    for (const Feeds& feeds : inputs) {
      if (usable.size() < most && runs(executor, feeds)) usable.push_back(feeds);
    }
    if (!usable.empty()) return usable;
  }
  return inputs;
}

Feeds usable_input(const ir::Model& model, uint64_t seed, const ExecutorOptions& options) {
  try {
    return usable_inputs(model, seed, options, 1).front();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    return generate_inputs(model, seed, kExtents[0]).front();
  }
}

}  // namespace fettle::interp
