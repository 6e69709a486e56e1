// Where, NonZero, OneHot and the rows of the indexing family.
#include <algorithm>

#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/dims.h"
#include "ops/dispatch.h"
#include "ops/element_width.h"
#include "ops/families.h"
#include "ops/indexing.h"

namespace fettle::ops {
namespace {

// --- Where -----------------------------------------------------------------------------------

void where_ints(InferContext& ctx) {
  const auto condition = ctx.ints(0);
  const auto x = ctx.ints(1);
  const auto y = ctx.ints(2);
  if (!condition || !x || !y) return;
  const size_t count = std::max({condition->size(), x->size(), y->size()});
  const auto at = [count](const Ints& ints, size_t i) {
    return ints.size() == count ? ints[i] : ints.size() == 1 ? ints[0] : ir::Dim::unknown();
  };
  Ints out;
  for (size_t i = 0; i < count; ++i) {
    const auto chosen = int_value(at(*condition, i));
    const ir::Dim a = at(*x, i);
    const ir::Dim b = at(*y, i);
    out.push_back(chosen ? (*chosen != 0 ? a : b) : a.same(b) ? a : ir::Dim::unknown());
  }
  ctx.set_ints(0, std::move(out));
}

void infer_where(InferContext& ctx) {
  const ir::DataType element =
      ctx.element(1) != ir::DataType::kUndefined ? ctx.element(1) : ctx.element(2);
  const ir::Shape* shapes[] = {ctx.shape(0), ctx.shape(1), ctx.shape(2)};
  for (const ir::Shape* s : shapes) {
    if (s == nullptr) return ctx.set(0, element);
  }
  ir::Shape out = broadcast_shapes(broadcast_shapes(*shapes[0], *shapes[1]), *shapes[2]);
  if (out.size() <= 1) where_ints(ctx);
  ctx.set(0, element, std::move(out));
}

void where(KernelContext& ctx) {
  const ir::Tensor& condition = ctx.input(0);
  const ir::Tensor& x = ctx.input(1);
  const ir::Tensor& y = ctx.input(2);
  require_same_type(x, y, "Where");
  if (condition.type() != ir::DataType::kBool) {
    fail(ErrorCode::kBadInput, "expected a condition of type bool, found {}",
         ir::data_type_name(condition.type()));
  }
  const ir::Dims dims = broadcast_dims(broadcast_dims(condition.dims(), x.dims()), y.dims());
  ir::Tensor& out = ctx.output(0, x.type(), dims);
  const BroadcastLoop<3> loop(dims, {&condition.dims(), &x.dims(), &y.dims()});
  with_element(x.type(), [&]<typename T>(ElementTag<T>) {
    const auto* choose = elements<uint8_t>(condition);
    const T* a = elements<T>(x);
    const T* b = elements<T>(y);
    T* to = mutable_elements<T>(out);
    loop.for_each_run([&](int64_t at, int64_t count, const auto& offsets, const auto& steps) {
      for (int64_t i = 0; i < count; ++i) {
        to[at + i] = choose[offsets[0] + i * steps[0]] != 0 ? a[offsets[1] + i * steps[1]]
                                                            : b[offsets[2] + i * steps[2]];
      }
    });
  });
}

// --- NonZero ---------------------------------------------------------------------------------

void infer_nonzero(InferContext& ctx) {
  const ir::Shape* in = ctx.shape(0);
  const ir::Dim rank =
      in != nullptr ? ir::Dim::of(static_cast<int64_t>(in->size())) : ir::Dim::unknown();
  ctx.set(0, ir::DataType::kInt64, ir::Shape{rank, ir::Dim::unknown()});
}

void nonzero(KernelContext& ctx) {
  const ir::Tensor& in = ctx.input(0);
  std::vector<int64_t> found;
  dispatch(NumericTypes{} + BoolType{}, in.type(), [&]<typename T>(Tag<T>) {
    const auto values = in.data<T>();
    const auto count =
        std::count_if(values.begin(), values.end(), [](const T& v) { return v != T(0); });
    ir::require_memory(static_cast<size_t>(count) * sizeof(int64_t));
    found.reserve(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != T(0)) found.push_back(static_cast<int64_t>(i));
    }
  });
  const auto count = static_cast<int64_t>(found.size());
  ir::Tensor& out = ctx.output(0, ir::DataType::kInt64, {static_cast<int64_t>(in.rank()), count});
  if (out.size() == 0) return;
  int64_t* to = out.mutable_data<int64_t>().data();
  int64_t period = 1;
  for (size_t k = in.rank(); k-- > 0;) {
    for (int64_t i = 0; i < count; ++i) {
      to[static_cast<int64_t>(k) * count + i] = found[static_cast<size_t>(i)] / period % in.dim(k);
    }
    period *= in.dim(k);
  }
}

// --- OneHot ----------------------------------------------------------------------------------

int64_t onehot_axis(const ir::Node& node, size_t rank) {
  return normalized_axis(node.attr_int("axis", -1), static_cast<int64_t>(rank) + 1);
}

void infer_onehot(InferContext& ctx) {
  const ir::Shape* indices = ctx.shape(0);
  if (indices == nullptr) return ctx.set(0, ctx.element(2));
  const auto depth = ctx.ints(1);
  ir::Shape out = *indices;
  out.insert(out.begin() + onehot_axis(ctx.node(), out.size()),
             depth && depth->size() == 1 ? depth->front() : ir::Dim::unknown());
  ctx.set(0, ctx.element(2), std::move(out));
}

void onehot(KernelContext& ctx) {
  const ir::Tensor& indices = ctx.input(0);
  const ir::Tensor& values = ctx.input(2);
  if (ctx.input(1).size() != 1 || values.size() != 2) {
    fail(ErrorCode::kBadInput, "expected one depth and two values, found {} and {}",
         ctx.input(1).size(), values.size());
  }
  const auto depth = truncate_to<int64_t>(ir::element_as_double(ctx.input(1), 0));
  if (depth < 1) fail(ErrorCode::kBadInput, "expected a depth of at least 1, found {}", depth);
  const auto axis = static_cast<size_t>(onehot_axis(ctx.node(), indices.rank()));
  ir::Dims dims = indices.dims();
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  ir::Tensor& out = ctx.output(0, values.type(), dims);
  if (out.size() == 0) return;
  int64_t inner = 1;
  for (size_t k = axis + 1; k < dims.size(); ++k) inner *= dims[k];
  const int64_t lowest = ctx.opset() < 11 ? 0 : -depth;
  with_element(values.type(), [&]<typename T>(ElementTag<T>) {
    T* to = mutable_elements<T>(out);
    std::fill_n(to, out.size(), elements<T>(values)[0]);
    for (int64_t i = 0; i < indices.size(); ++i) {
      int64_t hot = ir::is_floating(indices.type())
                        ? truncate_to<int64_t>(ir::element_as_double(indices, i))
                        : ir::element_as_int(indices, i);
      if (hot < lowest || hot >= depth) continue;
      if (hot < 0) hot += depth;
      to[(i / inner * depth + hot) * inner + i % inner] = elements<T>(values)[1];
    }
  });
}

void infer_as_data(InferContext& ctx) {
  ctx.set_same(0, 0);
}

constexpr uint32_t kMoves = kDataMovement;
constexpr uint32_t kData02 = 0b101;

constexpr OpDef kOps[] = {
    {"", "Gather", 1, infer_gather, by_width<gather>, kMoves},
    {"", "GatherElements", 11, infer_gather_elements, by_width<gather_elements>, kMoves},
    {"", "GatherND", 11, infer_gather_nd, by_width<gather_nd>, kMoves},
    {"", "GatherND", 12, infer_gather_nd, by_width<gather_nd>, kMoves},
    {"", "NonZero", 9, infer_nonzero, nonzero},
    {"", "OneHot", 9, infer_onehot, by_width<onehot, 0b100>, kNoFacts, 0b10},
    {"", "OneHot", 11, infer_onehot, by_width<onehot, 0b100>, kNoFacts, 0b10},
    {"", "Scatter", 9, infer_as_data, by_width<scatter_elements, kData02>, kMoves},
    {"", "ScatterElements", 11, infer_as_data, by_width<scatter_elements, kData02>, kMoves},
    {"", "ScatterElements", 16, infer_as_data, by_width<scatter_elements, kData02>},
    {"", "ScatterElements", 18, infer_as_data, by_width<scatter_elements, kData02>},
    {"", "ScatterND", 11, infer_as_data, by_width<scatter_nd, kData02>, kMoves},
    {"", "ScatterND", 16, infer_as_data, by_width<scatter_nd, kData02>},
    {"", "ScatterND", 18, infer_as_data, by_width<scatter_nd, kData02>},
    {"", "Unique", 11, infer_unique, unique},
    {"", "Where", 9, infer_where, by_width<where, 0b110>, kMoves},
};

}  // namespace

std::span<const OpDef> indexing_ops() {
  return kOps;
}

}  // namespace fettle::ops
