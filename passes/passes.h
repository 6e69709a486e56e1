// The passes. What each does, and on which conditions, stands at the head of its file.
#pragma once

#include "passes/pass.h"

namespace fettle::passes {

int64_t cancel_transposes(PassContext& context);
int64_t eliminate_common_subexpressions(PassContext& context);
int64_t eliminate_dead_code(PassContext& context);
int64_t eliminate_identity(PassContext& context);
int64_t fold_constants(PassContext& context);
int64_t fix_reshape_targets(PassContext& context);
int64_t fold_if(PassContext& context);
int64_t fuse_affine(PassContext& context);
int64_t fuse_batch_norm(PassContext& context);
int64_t fuse_pad(PassContext& context);
int64_t infer_shapes(PassContext& context);
int64_t inline_functions(PassContext& context);
int64_t make_initializers_constant(PassContext& context);
int64_t merge_reshapes(PassContext& context);
int64_t share_constants(PassContext& context);

}  // namespace fettle::passes
