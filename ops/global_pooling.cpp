#include "ops/global_pooling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

// y[n, c] = rule(map of x[n, c], elements in it).
template <typename Rule>
void pool_maps(KernelContext& context, Rule rule) {
  const ir::Tensor& x = context.input(0);
  if (x.rank() < 2 || !is_real(x.type())) {
    fail(ErrorCode::kBadInput, "expected a floating-point input of rank >= 2, found {} {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
  ir::Dims dims(x.rank(), 1);
  std::copy_n(x.dims().begin(), 2, dims.begin());
  ir::Tensor& y = context.output(0, x.type(), dims);
  if (y.size() == 0) return;
  const int64_t map = x.size() / y.size();
  ir::Tensor scratch = scratch_doubles(map);
  double* cells = scratch.mutable_data<double>().data();
  for (int64_t i = 0; i < y.size(); ++i) {
    load_doubles(x, i * map, map, cells);
    store_double(rule(cells, map), y, i);
  }
}

}  // namespace

void infer_global_pool(InferContext& context) {
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, context.element(0));
  if (x->size() < 2) {
    fail(ErrorCode::kBadInput, "expected an input of rank >= 2, found {}", ir::to_string(*x));
  }
  ir::Shape out(x->size(), ir::Dim::of(1));
  std::copy_n(x->begin(), 2, out.begin());
  context.set(0, context.element(0), std::move(out));
}

void global_average_pool(KernelContext& context) {
  pool_maps(context, [](const double* cells, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += cells[i];
    return sum / static_cast<double>(count);
  });
}

void global_max_pool(KernelContext& context) {
  pool_maps(context, [](const double* cells, int64_t count) {
    double best = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < count; ++i) {
      if (cells[i] > best || std::isnan(cells[i])) best = cells[i];
    }
    return best;
  });
}

void global_lp_pool(KernelContext& context) {
  const double p = lp_exponent(context.node());
  pool_maps(context, [p](const double* cells, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += power_of_magnitude(cells[i], p);
    return std::pow(sum, 1 / p);
  });
}

double lp_exponent(const ir::Node& node) {
  const ir::Attribute* p = node.find_attribute("p");
  const double value = p != nullptr && p->kind == ir::AttributeKind::kFloat
                           ? node.attr_float("p", 2.0f)
                           : static_cast<double>(node.attr_int("p", 2));
  if (!(value > 0)) fail(ErrorCode::kBadInput, "attribute p: expected > 0, found {}", value);
  return value;
}

double power_of_magnitude(double x, double p) {
  if (p == 2) return x * x;
  return p == 1 ? std::fabs(x) : std::pow(std::fabs(x), p);
}

}  // namespace fettle::ops
