// Kernels that read their operands, check them and make their outputs as reference kernels do, and
// compute in float32 only what takes time.
#pragma once

#include "interp/accelerated.h"
#include "ops/kernel_context.h"
#include "ops/real_elements.h"

namespace fettle::interp {

// Calls compute(context) for operands of which all with real numbers are of float32; false for
// others.
template <typename Compute>
bool run_literally(const ir::Node& node, int64_t opset, Call& call, Compute&& compute) {
  if (call.type(0) != ir::DataType::kFloat) return false;
  std::vector<const ops::RuntimeValue*> inputs(call.input_count());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (ops::is_real(call.type(i)) && call.type(i) != ir::DataType::kFloat) return false;
    inputs[i] = call.value(i);
  }
  ops::KernelContext context(node, opset, std::move(inputs), nullptr);
  compute(context);
  for (size_t i = 0; i < context.output_count(); ++i) {
    if (context.wants(i)) call.set(i, std::move(context.outputs()[i].tensor));
  }
  return true;
}

}  // namespace fettle::interp
