// TopK and NonMaxSuppression.
#include "ops/families.h"
#include "ops/non_max_suppression.h"
#include "ops/topk.h"

namespace fettle::ops {
namespace {

constexpr OpDef kRows[] = {
    {"", "TopK", 1, infer_topk_by_attribute, topk_by_attribute},
    {"", "TopK", 10, infer_topk_by_input, topk_by_input, kNoFacts, 1u << 1},
    {"", "NonMaxSuppression", 10, infer_non_max_suppression, non_max_suppression, kNoFacts,
     1u << 2},
};

}  // namespace

std::span<const OpDef> sorting_ops() {
  return kRows;
}

}  // namespace fettle::ops
