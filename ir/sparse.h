// Consistency of sparse tensors. Private header of ir/; densify() is in ir/attribute.h.
#pragma once

#include "ir/attribute.h"

namespace fettle::ir {

// Throws kBadInput unless values, indices and dimensions agree and the indices ascend strictly.
void check_sparse(const SparseTensor& sparse);

}  // namespace fettle::ir
