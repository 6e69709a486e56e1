// Reduce*, by axes given as attribute (before 13 for ReduceSum, 18 for the others) or as input.
#include "ops/reduction.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "ops/arg_reduction.h"
#include "ops/cumulative.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/reducers.h"
#include "ops/reduction_rules.h"
#include "ops/scratch.h"

namespace fettle::ops {

std::vector<int64_t> all_axes(size_t rank) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

Reduction make_reduction(const ir::Dims& dims, const std::vector<int64_t>& axes, bool keep_dims) {
  std::vector<bool> reduced(dims.size(), false);
  Reduction r;
  r.kept = dims;
  for (const int64_t given : axes) {
    const auto axis =
        static_cast<size_t>(normalized_axis(given, static_cast<int64_t>(dims.size())));
    if (reduced[axis]) fail(ErrorCode::kBadInput, "axis {} is given twice", given);
    reduced[axis] = true;
    r.kept[axis] = 1;
  }
  ir::Dims folded;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (reduced[i]) folded.push_back(dims[i]);
    if (keep_dims || !reduced[i]) r.dims.push_back(r.kept[i]);
  }
  r.count = ir::element_count(folded);
  return r;
}

Moments moments_of(const ir::Tensor& x, const Reduction& reduction) {
  const int64_t groups = ir::element_count(reduction.kept);
  const auto count = static_cast<double>(reduction.count);
  Moments m{scratch<double>(groups), scratch<double>(groups)};
  struct State {
    double mean = 0;
    double sum = 0;
  };
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* in = x.data<T>().data();
    fold_elements(x.dims(), reduction.kept, in, m.mean.data(),
                  [](double& sum, T v) { sum += static_cast<double>(v); });
    std::vector<State> states = scratch<State>(groups);
    for (size_t i = 0; i < states.size(); ++i) states[i].mean = m.mean[i] /= count;
    fold_elements(x.dims(), reduction.kept, in, states.data(), [](State& s, T v) {
      const double d = static_cast<double>(v) - s.mean;
      s.sum += d * d;
    });
    for (size_t i = 0; i < states.size(); ++i) m.variance[i] = states[i].sum / count;
  });
  return m;
}

namespace {

bool keeps_dims(const ir::Node& node) {
  return node.attr_int("keepdims", 1) != 0;
}

// An absent or empty list means all axes.
Reduction reduction_by_attribute(const KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  std::vector<int64_t> axes = ctx.node().attr_ints("axes");
  if (axes.empty()) axes = all_axes(x.rank());
  return make_reduction(x.dims(), axes, keeps_dims(ctx.node()));
}

// An absent or empty list means all axes, or none when noop_with_empty_axes is set.
Reduction reduction_by_input(const KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  std::vector<int64_t> axes;
  if (const ir::Tensor* given = ctx.optional(1)) {
    if (given->rank() > 1) {
      fail(ErrorCode::kBadInput, "axes must be a list; found shape {}",
           ir::to_string(given->dims()));
    }
    axes = ir::elements_as_ints(*given);
  }
  if (axes.empty() && ctx.node().attr_int("noop_with_empty_axes", 0) == 0) {
    axes = all_axes(x.rank());
  }
  return make_reduction(x.dims(), axes, keeps_dims(ctx.node()));
}

using ReductionOf = Reduction (*)(const KernelContext&);

// `R` is one of ops/reducers.h.
template <typename Types, template <typename> typename R, ReductionOf kAxes>
void reduce(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  const Reduction reduction = kAxes(ctx);
  dispatch(Types{}, x.type(), [&]<typename T>(Tag<T>) {
    // Bool tensors are read as bytes, any of which but 0 is true.
    using Element = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    using State = typename R<T>::State;
    auto out = ctx.output(0, x.type(), reduction.dims).template mutable_data<T>();
    std::vector<State> states = scratch<State>(static_cast<int64_t>(out.size()));
    std::fill(states.begin(), states.end(), R<T>::initial());
    const Element* in = x.data<Element>().data();
    for (int pass = 0; pass < R<T>::kPasses; ++pass) {
      fold_elements(x.dims(), reduction.kept, in, states.data(), [pass](State& state, Element e) {
        if constexpr (std::is_same_v<T, bool>) {
          R<T>::add(state, e != 0, pass);
        } else {
          R<T>::add(state, e, pass);
        }
      });
    }
    for (size_t i = 0; i < out.size(); ++i) out[i] = R<T>::finish(states[i], reduction.count);
  });
}

using Ordered = decltype(NumericTypes{} + BoolType{});

// Two rows: axes as attribute from version 1 on, as input from `since_input` on.
template <template <typename> typename R, typename Types = NumericTypes>
constexpr OpDef by_attribute(std::string_view name,
                             InferRule infer = infer_reduction_by_attribute) {
  return {"", name, 1, infer, reduce<Types, R, reduction_by_attribute>};
}
template <template <typename> typename R, typename Types = NumericTypes>
constexpr OpDef by_input(std::string_view name, int since,
                         InferRule infer = infer_reduction_by_input) {
  return {"", name, since, infer, reduce<Types, R, reduction_by_input>, kNoFacts, 1u << 1};
}

constexpr OpDef kRows[] = {
    by_attribute<SumOf>("ReduceSum"),
    by_input<SumOf>("ReduceSum", 13),
    by_attribute<MeanOf>("ReduceMean"),
    by_input<MeanOf>("ReduceMean", 18),
    by_attribute<GreatestOf, Ordered>("ReduceMax"),
    by_input<GreatestOf, Ordered>("ReduceMax", 18),
    by_attribute<LeastOf, Ordered>("ReduceMin"),
    by_input<LeastOf, Ordered>("ReduceMin", 18),
    by_attribute<ProductOf>("ReduceProd", infer_product_by_attribute),
    by_input<ProductOf>("ReduceProd", 18, infer_product_by_input),
    by_attribute<L1Of>("ReduceL1"),
    by_input<L1Of>("ReduceL1", 18),
    by_attribute<L2Of>("ReduceL2"),
    by_input<L2Of>("ReduceL2", 18),
    by_attribute<LogSumOf>("ReduceLogSum"),
    by_input<LogSumOf>("ReduceLogSum", 18),
    by_attribute<LogSumExpOf>("ReduceLogSumExp"),
    by_input<LogSumExpOf>("ReduceLogSumExp", 18),
    by_attribute<SumSquareOf>("ReduceSumSquare"),
    by_input<SumSquareOf>("ReduceSumSquare", 18),
    {"", "ArgMax", 1, infer_arg_reduction, arg_max},
    {"", "ArgMin", 1, infer_arg_reduction, arg_min},
    {"", "CumSum", 11, infer_like_input, cumulative_sum, kNoFacts, 1u << 1},
    {"", "CumProd", 26, infer_like_input, cumulative_product, kNoFacts, 1u << 1},
};

}  // namespace

std::span<const OpDef> reduction_ops() {
  return kRows;
}

}  // namespace fettle::ops
