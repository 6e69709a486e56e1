// Rotary position embeddings: pairs of elements of each head turn by an angle that depends on the
// position of the token.
#pragma once

#include <functional>

#include "ops/attention.h"

namespace fettle::ops {

// ai.onnx: operands X, cos_cache, sin_cache, position_ids (optional).
void infer_rotary_embedding(InferContext& ctx);
void rotary_embedding(KernelContext& ctx);
// com.microsoft: operands input, position_ids, cos_cache, sin_cache.
void infer_contrib_rotary_embedding(InferContext& ctx);
void contrib_rotary_embedding(KernelContext& ctx);

// Cosines and sines of the angles, one row of `pairs` per position.
struct AngleCaches {
  const ir::Tensor& cosines;
  const ir::Tensor& sines;
  int64_t rows = 0;
  int64_t pairs = 0;
};
// Row of the caches for position `p` of sample `b`, yet to be checked.
using AngleRow = std::function<int64_t(int64_t b, int64_t p)>;
// Throws kBadInput outside of the caches.
int64_t checked_row(int64_t row, const AngleCaches& caches);

// y = x with elements [0, 2 * pairs) of every vector turned. Partners are adjacent when
// `interleaved`, else `pairs` apart.
using Rotate = void (*)(const Heads& x, const AngleCaches& caches, const AngleRow& row,
                        bool interleaved, ir::Tensor& y);
// The operators with a function of their caller's.
void rotary_embedding(KernelContext& ctx, Rotate rotate);
void contrib_rotary_embedding(KernelContext& ctx, Rotate rotate);

}  // namespace fettle::ops
