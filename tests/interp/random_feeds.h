// Random inputs and comparisons for executor tests.
#pragma once

#include <cstdint>
#include <string>

#include "interp/executor.h"
#include "ir/model.h"

namespace fettle::test {

// A float tensor of standard normal values times `scale`, from a fixed seed.
ir::Tensor random_floats(const ir::Dims& dims, uint32_t seed, float scale = 1.0f);
ir::Tensor random_bytes(ir::DataType type, const ir::Dims& dims, uint32_t seed);
// Random values for every input of the model without initializer; symbolic dimensions become 2,
// unknown ranks 0.
interp::Feeds random_feeds(const ir::Model& model, uint32_t seed);

// Largest absolute difference divided by the largest magnitude in `reference`.
double relative_error(const ir::Tensor& reference, const ir::Tensor& other);

// Outputs of the model under these options.
std::vector<ops::RuntimeValue> run_model(const ir::Model& model, const interp::Feeds& feeds,
                                         const interp::ExecutorOptions& options = {});

// Runs exact with one thread and accelerated with several thread counts; expects accelerated outputs
// to be within `tolerance` (relative to the range) of the exact ones, and identical for all counts.
// Then the same with every input but the first made a constant.
void expect_accelerated_matches(const ir::Model& model, uint32_t seed, double tolerance = 1e-5);

// Every input but the first as an initializer, so that kernels pack it.
ir::Model with_constants(const ir::Model& model, const interp::Feeds& feeds);

// What computed the first step with an operator of this type in an accelerated run: "reference" or
// a kernel's description.
std::string kernel_of(const ir::Model& model, const interp::Feeds& feeds, const std::string& op);

}  // namespace fettle::test
