// Rules and kernel frames that elementwise families share.
#pragma once

#include "ops/broadcast.h"
#include "ops/dispatch.h"
#include "ops/infer_context.h"
#include "ops/kernel_context.h"

namespace fettle::ops {

// Throws kBadInput when operands `i` and `j` have known, different element types.
void require_same_element(const InferContext& ctx, size_t i, size_t j);
void require_same_element(const KernelContext& ctx, size_t i, size_t j);

// Output 0 has the type and shape of operand 0 (not its contents).
void infer_like_input(InferContext& ctx);
// Output 0 is bool, of the shape of operand 0.
void infer_predicate(InferContext& ctx);
// Output 0 has the element type of operand 0 and the broadcast shape of all operands, which must
// have one element type.
void infer_broadcast(InferContext& ctx);
// Output 0 is bool, of the broadcast shape of operands 0 and 1, which must have one element type.
void infer_comparison(InferContext& ctx);

// The shape under which operand B of opset 1 to 6 broadcasts to A by today's rule, from attributes
// `broadcast` and `axis`: trailing 1s are added behind B's dimensions. Throws kBadInput when B is
// not a contiguous part of A's shape (extents of 1 are let through, as conformance cases have
// them), or differs from it without `broadcast`.
ir::Dims legacy_broadcast_dims(const ir::Node& node, const ir::Dims& a, const ir::Dims& b);
// infer_like_input() for operators of opset 1 to 6 with those attributes; checks what is known.
void infer_legacy_broadcast(InferContext& ctx);
void infer_legacy_comparison(InferContext& ctx);

// y = f(x) for every element, computed in C (Work<T> or double) and rounded once.
template <typename T, typename C, typename F>
void map_elements(KernelContext& ctx, const ir::Tensor& x, F f) {
  const auto in = x.data<T>();
  auto out = ctx.output(0, x.type(), x.dims()).mutable_data<T>();
  for (size_t i = 0; i < in.size(); ++i) {
    if constexpr (std::is_same_v<C, double>) {
      out[i] = from_double<T>(f(static_cast<double>(in[i])));
    } else {
      out[i] = narrow<T>(f(static_cast<C>(in[i])));
    }
  }
}

// y = f(x) computed in double, over the types of the list.
template <typename Types, typename F>
void map_reals(KernelContext& ctx, F f) {
  const ir::Tensor& x = ctx.input(0);
  dispatch(Types{}, x.type(), [&]<typename T>(Tag<T>) { map_elements<T, double>(ctx, x, f); });
}

template <typename Types, typename F>
void real_kernel(KernelContext& ctx) {
  map_reals<Types>(ctx, F{});
}

// y = F{}(x) computed in Work<T>, over the types of the list.
template <typename Types, typename F>
void native_kernel(KernelContext& ctx) {
  const ir::Tensor& x = ctx.input(0);
  dispatch(Types{}, x.type(), [&]<typename T>(Tag<T>) { map_elements<T, Work<T>>(ctx, x, F{}); });
}

// C = F{}(A, B) computed in Work<T>, under the given shape of B.
template <typename Types, typename F>
void binary_as(KernelContext& ctx, const ir::Dims& b_dims) {
  require_same_element(ctx, 0, 1);
  const ir::Tensor& a = ctx.input(0);
  const ir::Tensor& b = ctx.input(1);
  const ir::Dims dims = broadcast_dims(a.dims(), b_dims);
  dispatch(Types{}, a.type(), [&]<typename T>(Tag<T>) {
    using Out = decltype(F{}(Work<T>{}, Work<T>{}));
    using Stored = std::conditional_t<std::is_same_v<Out, bool>, bool, T>;
    auto out = ctx.output(0, ir::DataTypeOf<Stored>::value, dims).template mutable_data<Stored>();
    broadcast_binary(dims, a.dims(), a.data<T>().data(), b_dims, b.data<T>().data(), out.data(),
                     [](T x, T y) {
                       return narrow<Stored>(F{}(static_cast<Work<T>>(x), static_cast<Work<T>>(y)));
                     });
  });
}

template <typename Types, typename F>
void binary_kernel(KernelContext& ctx) {
  binary_as<Types, F>(ctx, ctx.input(1).dims());
}

template <typename Types, typename F>
void legacy_binary_kernel(KernelContext& ctx) {
  binary_as<Types, F>(ctx,
                      legacy_broadcast_dims(ctx.node(), ctx.input(0).dims(), ctx.input(1).dims()));
}

}  // namespace fettle::ops
