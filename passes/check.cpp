#include "passes/check.h"

#include <cmath>
#include <random>

#include "ir/error.h"
#include "ir/float16.h"
#include "passes/rewrite.h"

namespace fettle::passes {
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

ir::Tensor random_tensor(ir::DataType type, const ir::Dims& dims, Flavor flavor,
                         std::mt19937_64& random) {
  const int64_t count = ir::element_count(dims);
  if (type == ir::DataType::kString) {
    return ir::Tensor::of_strings(dims, std::vector<std::string>(static_cast<size_t>(count), "a"));
  }
  ir::Tensor out(type, dims);
  if (type == ir::DataType::kFloat || type == ir::DataType::kDouble ||
      type == ir::DataType::kFloat16 || type == ir::DataType::kBfloat16) {
    std::vector<double> values(static_cast<size_t>(count));
    for (double& v : values) v = sample(flavor, random);
    return tensor_of(type, dims, values);
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
  const ir::Shape* shape = shape_of(&input);
  if (shape == nullptr || !input.type.is_tensor()) {
    fail(ErrorCode::kUnsupported,
         "cannot make up values for input '{}' of type {}; give inputs to check on", input.name(),
         ir::to_string(input.type));
  }
  ir::Dims dims;
  for (const ir::Dim& d : *shape) {
    const int64_t extent = dims.empty() ? extents.batch : extents.other;
    if (d.known()) dims.push_back(d.value);
    else if (d.symbolic()) dims.push_back(extents.symbols.try_emplace(d.symbol, extent).first->second);
    else dims.push_back(extent);
  }
  return dims;
}

// Elements i of both tensors as numbers; complex numbers and strings are compared as bytes instead.
std::string tensor_difference(const ir::Tensor& a, const ir::Tensor& b, double tolerance) {
  if (a.type() != b.type() || a.dims() != b.dims()) {
    return fmt::format("was {}{}, is {}{}", ir::data_type_name(a.type()), ir::to_string(a.dims()),
                       ir::data_type_name(b.type()), ir::to_string(b.dims()));
  }
  if (ir::identical(a, b)) return "";
  if (!ir::is_floating(a.type())) return "the elements differ";
  double range = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double v = std::abs(ir::element_as_double(a, i));
    if (std::isfinite(v)) range = std::max(range, v);
  }
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = ir::element_as_double(a, i), y = ir::element_as_double(b, i);
    if ((std::isnan(x) && std::isnan(y)) || x == y) continue;
    if (!(std::abs(x - y) <= tolerance * range)) {
      return fmt::format("element {} was {}, is {} (range {})", i, x, y, range);
    }
  }
  return "";
}

std::string value_difference(const ops::RuntimeValue& a, const ops::RuntimeValue& b,
                             double tolerance) {
  if (a.kind != b.kind) return "the kinds of value differ";
  if (a.is_tensor()) return tensor_difference(a.tensor, b.tensor, tolerance);
  if (a.items == nullptr || b.items == nullptr) return a.items == b.items ? "" : "one is empty";
  if (a.items->size() != b.items->size()) return "the lengths differ";
  for (size_t i = 0; i < a.items->size(); ++i) {
    const std::string text = value_difference((*a.items)[i], (*b.items)[i], tolerance);
    if (!text.empty()) return fmt::format("item {}: {}", i, text);
  }
  return "";
}

}  // namespace

std::vector<interp::Feeds> generate_inputs(const ir::Model& model, uint64_t seed, int64_t extent) {
  std::mt19937_64 random(seed);
  std::vector<interp::Feeds> sets;
  for (size_t i = 0; i < std::size(kFlavors); ++i) {
    const auto turn = static_cast<int64_t>(i % 2);
    Extents extents{1 + turn, extent * (1 + turn), {}};
    interp::Feeds feeds;
    for (const ir::Value* input : model.graph->inputs()) {
      if (input->has_initializer()) continue;
      const ir::Dims dims = concrete(*input, extents);
      feeds[input->name()] = random_tensor(input->type.element, dims, kFlavors[i], random);
    }
    sets.push_back(std::move(feeds));
  }
  return sets;
}

std::vector<interp::Feeds> usable_inputs(const ir::Model& model, uint64_t seed,
                                         const interp::ExecutorOptions& options) {
  std::vector<interp::Feeds> inputs;
  for (const int64_t extent : kExtents) {
    inputs = generate_inputs(model, seed, extent);
    const Outputs outputs = run_all(model, inputs, options);
    std::vector<interp::Feeds> usable;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (outputs.errors[i].empty()) usable.push_back(inputs[i]);
    }
    if (!usable.empty()) return usable;
  }
  return inputs;
}

double largest_epsilon(const ir::Model& model) {
  double largest = 0;
  const auto see = [&largest](ir::DataType type) {
    if (type == ir::DataType::kFloat16) largest = std::max(largest, 0x1.0p-10);
    if (type == ir::DataType::kBfloat16) largest = std::max(largest, 0x1.0p-7);
  };
  for (const ir::Value* v : model.graph->constants()) {
    if (v->constant() != nullptr) see(v->constant()->type());
  }
  for (const auto* values : {&model.graph->inputs(), &model.graph->outputs()}) {
    for (const ir::Value* v : *values) {
      if (v->type.is_tensor()) see(v->type.element);
    }
  }
  return largest;
}

double tolerance_of(Exactness exactness, double epsilon) {
  switch (exactness) {
    case Exactness::kExact: return 0;
    case Exactness::kRounding: return std::max(1e-4, 8 * epsilon);
    case Exactness::kLossy: break;
  }
  return std::numeric_limits<double>::infinity();
}

std::string difference(const std::vector<ops::RuntimeValue>& before,
                       const std::vector<ops::RuntimeValue>& after, double tolerance) {
  if (before.size() != after.size()) return "the number of outputs differs";
  for (size_t i = 0; i < before.size(); ++i) {
    const std::string text = value_difference(before[i], after[i], tolerance);
    if (!text.empty()) return fmt::format("output {}: {}", i, text);
  }
  return "";
}

Outputs run_all(const ir::Model& model, const std::vector<interp::Feeds>& inputs,
                const interp::ExecutorOptions& options) {
  interp::Executor executor(model, options);
  Outputs outputs;
  for (const interp::Feeds& feeds : inputs) {
    outputs.of_input.emplace_back();
    outputs.errors.emplace_back();
    try {
      outputs.of_input.back() = executor.run(feeds);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInternal) throw;
      outputs.errors.back() = error.what();
    }
  }
  return outputs;
}

std::string difference(const Outputs& before, const Outputs& after, double tolerance) {
  for (size_t i = 0; i < before.of_input.size(); ++i) {
    if (!before.errors[i].empty()) continue;
    const std::string text = !after.errors[i].empty()
                                 ? "it fails: " + after.errors[i]
                                 : difference(before.of_input[i], after.of_input[i], tolerance);
    if (!text.empty()) return fmt::format("input set {}: {}", i, text);
  }
  return "";
}

}  // namespace fettle::passes
