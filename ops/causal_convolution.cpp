#include "ops/causal_convolution.h"

#include <algorithm>
#include <cmath>

#include "ops/checked.h"
#include "ops/element_width.h"
#include "ops/elementwise.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

bool has_swish(const ir::Node& node) {
  const std::string name = node.attr_string("activation", "none");
  if (name == "silu" || name == "swish") return true;
  if (name == "none") return false;
  fail(ErrorCode::kBadInput, "attribute activation must be 'none', 'silu' or 'swish'; found '{}'",
       name);
}

void require_operand(const KernelContext& ctx, size_t operand, const ir::Dims& dims,
                     const char* what) {
  if (!ctx.has(operand)) return;
  const ir::Tensor& t = ctx.input(operand);
  require_same_type(ctx.input(0), t, what);
  if (t.dims() == dims) return;
  fail(ErrorCode::kBadInput, "{}: expected shape {}, found {}", what, ir::to_string(dims),
       ir::to_string(t.dims()));
}

// out [length] = sum over the kernel of taps times `line` [taps - 1 + length], plus bias.
void convolve_line(const double* line, const double* taps, int64_t count, double bias,
                   std::span<double> out) {
  std::fill(out.begin(), out.end(), bias);
  for (int64_t k = 0; k < count; ++k) {
    for (size_t i = 0; i < out.size(); ++i) out[i] += taps[k] * line[k + static_cast<int64_t>(i)];
  }
}

}  // namespace

void infer_causal_convolution(InferContext& ctx) {
  require_same_element(ctx, 0, 1);
  has_swish(ctx.node());
  infer_like_input(ctx);
  const ir::Shape* x = ctx.shape(0);
  const ir::Shape* w = ctx.shape(1);
  for (const ir::Shape* s : {x, w}) {
    if (s == nullptr || s->size() == 3) continue;
    fail(ErrorCode::kBadInput, "expected input and weight of rank 3, found {}", to_string(*s));
  }
  if (x == nullptr) return ctx.set(1, ctx.element(0));
  const ir::Dim state = w != nullptr ? dim_sub((*w)[2], ir::Dim::of(1)) : ir::Dim::unknown();
  ctx.set(1, ctx.element(0), ir::Shape{(*x)[0], (*x)[1], state});
}

void causal_convolution(KernelContext& ctx) {
  const bool swish = has_swish(ctx.node());
  const ir::Tensor& x = ctx.input(0);
  const ir::Tensor& w = ctx.input(1);
  if (!is_real(x.type()) || x.rank() != 3 || w.rank() != 3 || w.dim(2) < 1) {
    fail(ErrorCode::kBadInput,
         "expected floating inputs [batch, channels, length] and weights [channels, 1, 1 or more], "
         "found {} of shapes {} and {}",
         ir::data_type_name(x.type()), ir::to_string(x.dims()), ir::to_string(w.dims()));
  }
  const int64_t channels = x.dim(1);
  const int64_t length = x.dim(2);
  const int64_t taps = w.dim(2);
  const int64_t past = taps - 1;
  const ir::Dims state_dims = {x.dim(0), channels, past};
  require_operand(ctx, 1, {channels, 1, taps}, "weight");
  require_operand(ctx, 2, {channels}, "bias");
  require_operand(ctx, 3, state_dims, "past_state");
  const ir::Tensor* bias = ctx.optional(2);
  const ir::Tensor* state = ctx.optional(3);
  ir::Tensor& y = ctx.output(0, x.type(), x.dims());
  ir::Tensor present(x.type(), state_dims);
  ir::Tensor line_scratch = scratch_doubles(checked_add(past, length));
  ir::Tensor taps_scratch = scratch_doubles(taps);
  ir::Tensor out_scratch = scratch_doubles(length);
  double* line = line_scratch.mutable_data<double>().data();
  double* weights = taps_scratch.mutable_data<double>().data();
  const auto out = out_scratch.mutable_data<double>();
  const int64_t rows = y.size() + present.size() == 0 ? 0 : checked_mul(x.dim(0), channels);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t c = r % channels;
    std::fill_n(line, past, 0.0);
    if (state != nullptr) load_doubles(*state, r * past, past, line);
    load_doubles(x, r * length, length, line + past);
    load_doubles(w, c * taps, taps, weights);
    convolve_line(line, weights, taps, bias != nullptr ? ir::element_as_double(*bias, c) : 0.0,
                  out);
    if (swish) {
      for (double& v : out) v = v / (1.0 + std::exp(-v));
    }
    store_doubles(out.data(), length, y, r * length);
    store_doubles(line + length, past, present, r * past);
  }
  if (ctx.output_count() > 1 && ctx.wants(1)) ctx.set_output(1, std::move(present));
}

}  // namespace fettle::ops
