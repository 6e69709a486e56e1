// When an operator returns one of its operands unchanged.
#pragma once

#include <string>

#include "passes/pass.h"

namespace fettle::passes {

// The operand that output 0 of `node` surely equals, bit for bit and in type and shape; null when
// there is none. `reason` says why an operator that usually does nothing had to stay.
ir::Value* same_operand(const PassContext& context, const ir::Node& node, std::string& reason);

}  // namespace fettle::passes
