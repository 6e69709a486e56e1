// Scaled dot product attention in float32.
#pragma once

#include "ops/attention.h"

namespace fettle::interp {

// What ops::attend() computes, for operands and an output of float32 and no output of scores.
// Blocks of queries of one head at a time, shared by all threads; memory for the scores is that of
// a few blocks. Results do not depend on the number of threads.
void attend_floats(const ops::AttentionOperands& operands, const ops::AddBias& bias,
                   const ops::ScoreOutput& scores, ir::Tensor& out,
                   const ops::HeadLayout& layout);

}  // namespace fettle::interp
