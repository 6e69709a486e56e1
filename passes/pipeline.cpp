#include "passes/pass.h"
#include "passes/passes.h"

namespace fettle::passes {
namespace {

constexpr auto kExact = Exactness::kExact;
constexpr auto kRounding = Exactness::kRounding;

// Each pass finds what those above it left. The list runs until a round changes nothing.
constexpr Pass kPasses[] = {
    // First make everything visible: bodies of functions, then types, then constants.
    {"inline_functions", "replaces calls to model-local functions by their bodies",
     inline_functions, kExact, true},
    {"make_initializers_constant", "takes initializers out of the inputs where IR < 4 demanded them",
     make_initializers_constant, kExact, true},
    {"infer_shapes", "finds types and shapes of values", infer_shapes, kExact, true},
    {"fold_constants", "computes what depends on constants or known shapes only", fold_constants,
     kExact, true},
    {"fix_reshape_targets", "makes the target of a Reshape constant where 0 and -1 can say the rest",
     fix_reshape_targets, kExact, true},
    {"fold_if", "replaces an If with a constant condition by the branch it takes", fold_if, kExact,
     true},
    // Then remove what does nothing, so that patterns stand next to each other.
    {"eliminate_identity", "removes operators that return their input", eliminate_identity, kExact,
     true},
    {"merge_reshapes", "lets a Reshape read what the view before it reads", merge_reshapes, kExact,
     true},
    {"cancel_transposes", "merges consecutive Transposes", cancel_transposes, kExact, true},
    {"eliminate_common_subexpressions", "computes equal expressions once",
     eliminate_common_subexpressions, kExact, true},
    // Fusions into weights. Padding first: a Conv takes it whatever follows.
    {"fuse_pad", "moves zero padding into Conv and pooling", fuse_pad, kExact, true},
    {"fuse_batch_norm", "folds BatchNormalization into the weights before it", fuse_batch_norm,
     kRounding, true},
    {"fuse_affine", "folds per-channel Mul and Add into the weights before them", fuse_affine,
     kRounding, true},
    // Sharing comes after the fusions, which need a weight of their own.
    {"share_constants", "stores identical constants once", share_constants, kExact, true},
    {"eliminate_dead_code", "removes what no output depends on", eliminate_dead_code, kExact, true},
};

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

}  // namespace fettle::passes
