// TfIdfVectorizer: weighted counts of known n-grams, with gaps.
#pragma once

#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// x [C] or [N, C], strings or integers; y [K] or [N, K] with K = max(ngram_indexes) + 1.
void infer_tfidf_vectorizer(InferContext& context);
void tfidf_vectorizer(KernelContext& context);

}  // namespace fettle::ops
