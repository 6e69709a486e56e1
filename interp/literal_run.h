// Nodes computed one by one, for fused kernels that must not decline.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "interp/fusion.h"
#include "ops/table.h"

namespace fettle::interp {

class LiteralRun {
 public:
  // `nodes` in topological order, without subgraphs; what they read is in `inputs`, constant, or
  // made by one of them. Throws kUnsupported for operators that fettle cannot compute.
  LiteralRun(const std::vector<const ir::Node*>& nodes, std::vector<const ir::Value*> inputs,
             const FusionView& view);

  // Output 0 of the call becomes output 0 of the last node; operands are the inputs, in order.
  void run(Call& call);

 private:
  struct Each {
    const ir::Node* node;
    const ops::OpDef* op;
    int64_t opset;
    std::unique_ptr<AcceleratedKernel> kernel;
  };
  void compute(Each& each, std::unordered_map<const ir::Value*, Slot>& values) const;

  std::vector<Each> nodes_;
  std::vector<const ir::Value*> inputs_;
  std::unordered_map<const ir::Value*, std::unique_ptr<ops::RuntimeValue>> constants_;
};

// `fast` where it takes the operands, else the nodes one by one.
std::unique_ptr<AcceleratedKernel> with_literal_run(std::unique_ptr<AcceleratedKernel> fast,
                                                    LiteralRun literal);

}  // namespace fettle::interp
