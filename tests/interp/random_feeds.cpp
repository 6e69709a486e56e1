#include "interp/random_feeds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace fettle::test {

ir::Tensor random_floats(const ir::Dims& dims, uint32_t seed, float scale) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  ir::Tensor t(ir::DataType::kFloat, dims);
  for (float& v : t.mutable_data<float>()) v = normal(generator);
  return t;
}

ir::Tensor random_bytes(ir::DataType type, const ir::Dims& dims, uint32_t seed) {
  std::mt19937 generator(seed);
  ir::Tensor t(type, dims);
  for (size_t i = 0; i < t.byte_size(); ++i) {
    t.mutable_bytes()[i] = static_cast<std::byte>(generator() & 0xff);
  }
  return t;
}

interp::Feeds random_feeds(const ir::Model& model, uint32_t seed) {
  interp::Feeds feeds;
  for (const ir::Value* input : model.graph->inputs()) {
    if (input->has_initializer()) continue;
    ir::Dims dims;
    for (const ir::Dim& d : input->type.shape.value_or(ir::Shape{}))
      dims.push_back(d.known() ? d.value : 2);
    ++seed;
    feeds[input->name()] = input->type.element == ir::DataType::kFloat
                               ? random_floats(dims, seed)
                               : random_bytes(input->type.element, dims, seed);
  }
  return feeds;
}

double relative_error(const ir::Tensor& reference, const ir::Tensor& other) {
  double error = 0;
  double range = 0;
  for (int64_t i = 0; i < reference.size(); ++i) {
    const double r = ir::element_as_double(reference, i);
    error = std::max(error, std::fabs(r - ir::element_as_double(other, i)));
    range = std::max(range, std::fabs(r));
  }
  return range > 0 ? error / range : error;
}

std::vector<ops::RuntimeValue> run_model(const ir::Model& model, const interp::Feeds& feeds,
                                         const interp::ExecutorOptions& options) {
  interp::Executor executor(model, options);
  return executor.run(feeds);
}

ir::Model with_constants(const ir::Model& model, const interp::Feeds& feeds) {
  ir::Model out = ir::clone(model);
  for (size_t i = 1; i < out.graph->inputs().size(); ++i) {
    ir::Value& input = *out.graph->inputs()[i];
    ir::StoredTensor stored;
    stored.tensor = feeds.at(input.name()).tensor;
    out.graph->set_initializer(input, std::move(stored));
  }
  return out;
}

namespace {

// Exact outputs against accelerated ones with several thread counts, more than there are cores
// included: how a primitive splits its work must not show.
void expect_same(const std::vector<ops::RuntimeValue>& exact, const ir::Model& model,
                 const interp::Feeds& feeds, double tolerance) {
  const auto one = run_model(model, feeds, {.exact = false, .threads = 1});
  ASSERT_EQ(exact.size(), one.size());
  for (size_t i = 0; i < exact.size(); ++i) {
    ASSERT_EQ(exact[i].tensor.dims(), one[i].tensor.dims());
    ASSERT_EQ(exact[i].tensor.type(), one[i].tensor.type());
    EXPECT_LE(relative_error(exact[i].tensor, one[i].tensor), tolerance);
  }
  for (const int threads : {2, 5, 16}) {
    const auto more = run_model(model, feeds, {.exact = false, .threads = threads});
    for (size_t i = 0; i < exact.size(); ++i) {
      EXPECT_TRUE(identical(one[i].tensor, more[i].tensor)) << "differs with " << threads;
    }
  }
}

}  // namespace

void expect_accelerated_matches(const ir::Model& model, uint32_t seed, double tolerance) {
  const interp::Feeds feeds = random_feeds(model, seed);
  const auto exact = run_model(model, feeds, {.exact = true, .threads = 1});
  expect_same(exact, model, feeds, tolerance);
  const ir::Model packed = with_constants(model, feeds);
  const std::string& name = model.graph->inputs().front()->name();
  const interp::Feeds only{{name, feeds.at(name)}};
  expect_same(exact, packed, only, tolerance);
}

std::string kernel_of(const ir::Model& model, const interp::Feeds& feeds, const std::string& op) {
  interp::Executor executor(model, {.exact = false, .threads = 1});
  interp::Trace trace;
  executor.run(feeds, trace);
  for (const interp::StepRecord& step : trace.steps) {
    if (("+" + step.op + "+").find("+" + op + "+") != std::string::npos) return step.kernel;
  }
  return "no step";
}

}  // namespace fettle::test
