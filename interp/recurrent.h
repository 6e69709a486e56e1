// LSTM, GRU and RNN in float32: one product for the inputs of all steps, then a small one per step.
#pragma once

#include "interp/accelerated.h"

namespace fettle::interp {

// Row of the table of accelerated kernels. Covers sigmoid or hard sigmoid gates with tanh (RNN:
// these and max(x, 0)), without clipping, peepholes, coupled gates and sequences of unequal
// lengths; the kernel declines the rest.
std::unique_ptr<AcceleratedKernel> accelerate_recurrent(const NodeFacts& facts);

}  // namespace fettle::interp
