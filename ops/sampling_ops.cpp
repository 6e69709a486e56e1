// Multinomial: drawing classes by their unnormalized log-probabilities.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/dispatch.h"
#include "ops/families.h"
#include "ops/random.h"
#include "ops/real_elements.h"
#include "ops/scratch.h"
#include "ops/type_attribute.h"

namespace fettle::ops {
namespace {

int64_t sample_size(const ir::Node& node) {
  const int64_t size = node.attr_int("sample_size", 1);
  if (size < 1) fail(ErrorCode::kBadInput, "attribute 'sample_size' must be >= 1; found {}", size);
  return size;
}

ir::DataType class_type(const ir::Node& node) {
  const ir::DataType type = type_attribute(node, "dtype", ir::DataType::kInt32);
  if (type != ir::DataType::kInt32 && type != ir::DataType::kInt64) {
    fail(ErrorCode::kBadInput, "attribute 'dtype' must be int32 or int64; found {}",
         ir::data_type_name(type));
  }
  return type;
}

// Running sums of exp(logits - max) of one row, in place.
void accumulate_probabilities(std::vector<double>& row) {
  const double highest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& value : row) {
    sum += std::exp(value - highest);
    value = sum;
  }
  if (!std::isfinite(sum)) {
    fail(ErrorCode::kBadInput, "the log-probabilities of a row make no distribution");
  }
}

void multinomial(KernelContext& context) {
  const ir::Tensor& x = context.input(0);
  if (x.rank() != 2 || x.dim(1) == 0 || !is_real(x.type())) {
    fail(ErrorCode::kBadInput,
         "expected floating-point log-probabilities [batch, classes], found {} {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
  const ir::DataType type = class_type(context.node());
  const int64_t size = sample_size(context.node());
  ir::Tensor& y = context.output(0, type, {x.dim(0), size});
  std::vector<double> row = scratch<double>(x.dim(1));
  RandomStream random = stream_of(context.node());
  dispatch(TypeList<int32_t, int64_t>{}, type, [&]<typename T>(Tag<T>) {
    T* to = y.mutable_data<T>().data();
    for (int64_t n = 0; n < x.dim(0); ++n) {
      load_doubles(x, n * x.dim(1), x.dim(1), row.data());
      accumulate_probabilities(row);
      for (int64_t i = 0; i < size; ++i) {
        // The first class whose running sum exceeds the draw; classes of probability 0 never do.
        const auto drawn =
            std::upper_bound(row.begin(), row.end() - 1, random.uniform() * row.back());
        *to++ = static_cast<T>(drawn - row.begin());
      }
    }
  });
}

void infer_multinomial(InferContext& context) {
  ir::Shape out = {{}, ir::Dim::of(sample_size(context.node()))};
  if (const ir::Shape* x = context.shape(0)) {
    if (x->size() != 2) {
      fail(ErrorCode::kBadInput, "expected [batch, classes], found {}", ir::to_string(*x));
    }
    out[0] = x->front();
  }
  context.set(0, class_type(context.node()), std::move(out));
}

constexpr OpDef kOps[] = {
    {"", "Multinomial", 7, infer_multinomial, multinomial, kRandom},
};

}  // namespace

std::span<const OpDef> sampling_ops() {
  return kOps;
}

}  // namespace fettle::ops
