// Numerical comparison of two states of a model.
#pragma once

#include <string>
#include <vector>

#include "interp/random_inputs.h"
#include "passes/pass.h"

namespace fettle::passes {

// Largest difference that counts as equal, relative to the largest finite magnitude of the tensor:
// 0 for kExact (bits, but for the kind of NaN), 1e-4 or 8 `epsilon` for kRounding, whichever is larger,
// no limit for kLossy. `epsilon` is that of the floating type in which results are rounded.
double tolerance_of(Exactness exactness, double epsilon = 0);
// The largest epsilon of the 16-bit floating types that constants, inputs and outputs of the model
// have; 0 when there are none.
double largest_epsilon(const ir::Model& model);

// What of `after` differs from `before` by more than `tolerance`: "output 2: ..."; empty when
// nothing. NaN equals NaN and infinities equal themselves.
std::string difference(const std::vector<ops::RuntimeValue>& before,
                       const std::vector<ops::RuntimeValue>& after, double tolerance);

// Runs a model on several inputs. An input on which the model fails has no outputs.
struct Outputs {
  std::vector<std::vector<ops::RuntimeValue>> of_input;  // empty where the run failed
  std::vector<std::string> errors;                       // likewise, or empty
};
Outputs run_all(const ir::Model& model, const std::vector<interp::Feeds>& inputs,
                const interp::ExecutorOptions& options);
// The first difference between the runs, "" when none. Inputs that failed before do not count;
// inputs that fail only after do.
std::string difference(const Outputs& before, const Outputs& after, double tolerance);

}  // namespace fettle::passes
