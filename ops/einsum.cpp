#include "ops/einsum.h"

#include <algorithm>
#include <set>
#include <type_traits>

#include "ops/checked.h"
#include "ops/convolution.h"
#include "ops/dispatch.h"

namespace fettle::ops {
namespace {

using EinsumTypes =
    decltype(FloatTypes{} +
             TypeList<int64_t, int32_t, int16_t, int8_t, uint64_t, uint32_t, uint16_t, uint8_t>{});

std::string equation_of(const ir::Node& node) {
  if (!node.has_attribute("equation")) fail(ErrorCode::kBadInput, "attribute equation is missing");
  return node.attr_string("equation", "");
}

// Extent of every label over all operands; 1 broadcasts.
ir::Dims label_extents(const EinsumEquation& equation, const std::vector<ir::Dims>& operands) {
  ir::Dims extents(static_cast<size_t>(equation.labels), 1);
  for (size_t i = 0; i < operands.size(); ++i) {
    for (size_t a = 0; a < operands[i].size(); ++a) {
      int64_t& extent = extents[static_cast<size_t>(equation.operands[i][a])];
      const int64_t d = operands[i][a];
      if (d == 1 || d == extent) continue;
      if (extent != 1) {
        fail(ErrorCode::kBadInput, "axis {} of operand {} has extent {}, elsewhere {}", a, i, d,
             extent);
      }
      extent = d;
    }
  }
  return extents;
}

// Values with named axes, in the type that sums accumulate in.
template <typename Acc>
struct Term {
  std::vector<int> labels;
  ir::Dims dims;
  ir::Tensor values;
  const Acc* data() const { return values.data<Acc>().data(); }

  // Stride of each label of `loop`; 0 where the term does not have it or broadcasts along it.
  std::vector<int64_t> strides(const std::vector<int>& loop) const {
    const std::vector<int64_t> own = row_major_strides(dims);
    std::vector<int64_t> out(loop.size(), 0);
    for (size_t l = 0; l < loop.size(); ++l) {
      for (size_t a = 0; a < labels.size(); ++a) {
        if (labels[a] == loop[l] && dims[a] != 1) out[l] += own[a];
      }
    }
    return out;
  }
};

// Sums x * y over the labels not in `keep`; the result's axes are `keep`.
template <typename Acc>
Term<Acc> contract(const Term<Acc>& x, const Term<Acc>& y, const std::vector<int>& keep,
                   const ir::Dims& extents) {
  std::set<int> summed(x.labels.begin(), x.labels.end());
  summed.insert(y.labels.begin(), y.labels.end());
  for (const int label : keep) summed.erase(label);
  std::vector<int> loop = keep;
  loop.insert(loop.end(), summed.begin(), summed.end());
  ir::Dims counts;
  for (const int label : loop) counts.push_back(extents[static_cast<size_t>(label)]);
  const auto x_strides = x.strides(loop);
  const auto y_strides = y.strides(loop);
  int64_t terms = 1;
  for (size_t l = keep.size(); l < loop.size(); ++l) terms = checked_mul(terms, counts[l]);

  Term<Acc> out;
  out.labels = keep;
  out.dims.assign(counts.begin(), counts.begin() + static_cast<ptrdiff_t>(keep.size()));
  out.values = ir::Tensor(ir::DataTypeOf<Acc>::value, out.dims);
  std::vector<int64_t> index(loop.size(), 0);
  int64_t x_at = 0;
  int64_t y_at = 0;
  for (Acc& result : out.values.template mutable_data<Acc>()) {
    result = 0;
    // The summed labels are the innermost axes: they return to zero after `terms` steps, and the
    // step that returns them moves on along the kept ones.
    for (int64_t t = 0; t < std::max<int64_t>(terms, 1); ++t) {
      if (terms > 0) result += x.data()[x_at] * y.data()[y_at];
      const size_t first = terms > 0 ? loop.size() : keep.size();
      for (size_t l = first; l-- > 0;) {
        x_at += x_strides[l];
        y_at += y_strides[l];
        if (++index[l] < counts[l]) break;
        x_at -= x_strides[l] * counts[l];
        y_at -= y_strides[l] * counts[l];
        index[l] = 0;
      }
    }
  }
  return out;
}

template <typename T>
Term<Accumulator<T>> loaded(const ir::Tensor& tensor, const std::vector<int>& labels) {
  Term<Accumulator<T>> term{labels, tensor.dims(), {}};
  term.values = ir::Tensor(ir::DataTypeOf<Accumulator<T>>::value, tensor.dims());
  const auto out = term.values.template mutable_data<Accumulator<T>>();
  const auto in = tensor.data<T>();
  for (size_t i = 0; i < in.size(); ++i) out[i] = static_cast<Accumulator<T>>(in[i]);
  return term;
}

template <typename T>
ir::Tensor evaluate(const KernelContext& context, const EinsumEquation& equation,
                    const ir::Dims& extents) {
  using Acc = Accumulator<T>;
  Term<Acc> result{{}, {}, ir::Tensor::scalar<Acc>(1)};
  for (size_t i = 0; i < context.input_count(); ++i) {
    // Labels that the output or a later operand still needs stay; all others are summed here.
    std::vector<int> keep = equation.output;
    if (i + 1 < context.input_count()) {
      std::set<int> here(result.labels.begin(), result.labels.end());
      here.insert(equation.operands[i].begin(), equation.operands[i].end());
      std::set<int> needed(equation.output.begin(), equation.output.end());
      for (size_t j = i + 1; j < context.input_count(); ++j) {
        needed.insert(equation.operands[j].begin(), equation.operands[j].end());
      }
      keep.clear();
      std::set_intersection(here.begin(), here.end(), needed.begin(), needed.end(),
                            std::back_inserter(keep));
    }
    result = contract(result, loaded<T>(context.input(i), equation.operands[i]), keep, extents);
  }
  ir::Tensor y(ir::DataTypeOf<T>::value, result.dims);
  const auto out = y.mutable_data<T>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = narrow<T>(result.data()[i]);
  return y;
}

}  // namespace

void einsum(KernelContext& context) {
  if (context.input_count() == 0) fail(ErrorCode::kBadInput, "expected at least one operand");
  std::vector<size_t> ranks;
  std::vector<ir::Dims> dims;
  for (size_t i = 0; i < context.input_count(); ++i) {
    dims.push_back(context.input(i).dims());
    ranks.push_back(dims.back().size());
  }
  const EinsumEquation equation(equation_of(context.node()), ranks);
  const ir::Dims extents = label_extents(equation, dims);
  dispatch(EinsumTypes{}, context.input(0).type(), [&]<typename T>(Tag<T>) {
    context.set_output(0, evaluate<T>(context, equation, extents));
  });
}

void infer_einsum(InferContext& context) {
  std::vector<size_t> ranks;
  for (size_t i = 0; i < context.input_count(); ++i) {
    if (context.shape(i) == nullptr) return context.set(0, context.element(0));
    ranks.push_back(context.shape(i)->size());
  }
  const EinsumEquation equation(equation_of(context.node()), ranks);
  // A label's extent is the first that is not surely 1.
  ir::Shape extents(static_cast<size_t>(equation.labels), ir::Dim::of(1));
  for (size_t i = 0; i < ranks.size(); ++i) {
    for (size_t a = 0; a < ranks[i]; ++a) {
      ir::Dim& extent = extents[static_cast<size_t>(equation.operands[i][a])];
      extent = broadcast_shapes({extent}, {(*context.shape(i))[a]})[0];
    }
  }
  ir::Shape out;
  for (const int label : equation.output) out.push_back(extents[static_cast<size_t>(label)]);
  context.set(0, context.element(0), std::move(out));
}

int64_t einsum_macs(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                    const std::vector<ir::Dims>&) {
  if (inputs.size() < 2) return 0;
  std::vector<size_t> ranks;
  for (const ir::Dims& dims : inputs) ranks.push_back(dims.size());
  ir::Dims factors = label_extents(EinsumEquation(equation_of(node), ranks), inputs);
  factors.push_back(static_cast<int64_t>(inputs.size()) - 1);
  return saturating_product(factors);
}

}  // namespace fettle::ops
