// MatMul, Gemm and MatMulInteger. Einsum is in einsum.cpp.
#include <cmath>

#include "ops/checked.h"
#include "ops/dispatch.h"
#include "ops/einsum.h"
#include "ops/families.h"
#include "ops/matmul_shape.h"
#include "ops/matrix_product.h"
#include "ops/quantized_product.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

using WideIntegers = TypeList<int32_t, int64_t, uint32_t, uint64_t>;

void require_one_type(const ir::Tensor& a, const ir::Tensor& b) {
  if (a.type() == b.type()) return;
  fail(ErrorCode::kBadInput, "expected operands of one type, found {} and {}",
       ir::data_type_name(a.type()), ir::data_type_name(b.type()));
}

// An integer matrix and its strides in elements.
template <typename T>
struct IntegerMatrix {
  const T* data;
  int64_t row_stride;
  int64_t column_stride;
};

// Element (row, column) of a product, modulo 2^64.
template <typename T>
uint64_t wrapping_dot(const IntegerMatrix<T>& a, const IntegerMatrix<T>& b, int64_t row,
                      int64_t column, int64_t depth) {
  const T* x = a.data + row * a.row_stride;
  const T* y = b.data + column * b.column_stride;
  uint64_t sum = 0;
  for (int64_t k = 0; k < depth; ++k) {
    sum +=
        static_cast<uint64_t>(x[k * a.column_stride]) * static_cast<uint64_t>(y[k * b.row_stride]);
  }
  return sum;
}

void matmul_integers(const ir::Tensor& a, const ir::Tensor& b, const MatMulShape& s,
                     ir::Tensor& y) {
  dispatch(WideIntegers{}, a.type(), [&]<typename T>(Tag<T>) {
    T* out = y.mutable_data<T>().data();
    for (size_t i = 0; i < s.a_matrix.size(); ++i) {
      const IntegerMatrix<T> x{a.data<T>().data() + s.a_matrix[i] * s.m * s.k, s.k, 1};
      const IntegerMatrix<T> w{b.data<T>().data() + s.b_matrix[i] * s.k * s.n, s.n, 1};
      for (int64_t r = 0; r < s.m; ++r) {
        for (int64_t c = 0; c < s.n; ++c) *out++ = static_cast<T>(wrapping_dot(x, w, r, c, s.k));
      }
    }
  });
}

void matmul(KernelContext& context) {
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(1);
  require_one_type(a, b);
  const MatMulShape s(a.dims(), b.dims());
  ir::Tensor& y = context.output(0, a.type(), s.output);
  if (y.size() == 0) return;
  if (!is_real(a.type())) return matmul_integers(a, b, s, y);
  ir::Tensor scratch = scratch_doubles(checked_mul(s.m, s.n));
  double* product = scratch.mutable_data<double>().data();
  for (size_t i = 0; i < s.a_matrix.size(); ++i) {
    multiply({plain_loader(a), s.a_matrix[i] * s.m * s.k, s.m, s.k},
             {plain_loader(b), s.b_matrix[i] * s.k * s.n, s.k, s.n}, product);
    store_doubles(product, s.m * s.n, y, static_cast<int64_t>(i) * s.m * s.n);
  }
}

struct GemmShape {
  bool trans_a;
  bool trans_b;
  int64_t m;
  int64_t n;
  int64_t k;
};

GemmShape gemm_shape(const ir::Node& node, const ir::Dims& a, const ir::Dims& b) {
  GemmShape s{};
  s.trans_a = node.attr_int("transA", 0) != 0;
  s.trans_b = node.attr_int("transB", 0) != 0;
  if (a.size() != 2 || b.size() != 2 || a[s.trans_a ? 0 : 1] != b[s.trans_b ? 1 : 0]) {
    fail(ErrorCode::kBadInput, "shapes {} and {} cannot be multiplied (transA {}, transB {})",
         ir::to_string(a), ir::to_string(b), s.trans_a, s.trans_b);
  }
  s.m = a[s.trans_a ? 1 : 0];
  s.k = a[s.trans_a ? 0 : 1];
  s.n = b[s.trans_b ? 0 : 1];
  return s;
}

// Strides of C within [m, n]; C broadcasts to that shape, not the other way round.
std::vector<int64_t> bias_strides(const ir::Tensor& c, const ir::Tensor& a, const GemmShape& s) {
  require_one_type(a, c);
  if (c.rank() > 2) {
    fail(ErrorCode::kBadInput, "C of shape {} does not broadcast to [{}, {}]",
         ir::to_string(c.dims()), s.m, s.n);
  }
  return broadcast_strides(c.dims(), {s.m, s.n});
}

void gemm_integers(const ir::Node& node, const ir::Tensor& a, const ir::Tensor& b,
                   const ir::Tensor* c, const GemmShape& s, ir::Tensor& y) {
  const double alpha = node.attr_float("alpha", 1.0f);
  const double beta = node.attr_float("beta", 1.0f);
  const auto strides = c != nullptr ? bias_strides(*c, a, s) : std::vector<int64_t>{0, 0};
  dispatch(WideIntegers{}, a.type(), [&]<typename T>(Tag<T>) {
    const IntegerMatrix<T> x{a.data<T>().data(), s.trans_a ? 1 : s.k, s.trans_a ? s.m : 1};
    const IntegerMatrix<T> w{b.data<T>().data(), s.trans_b ? 1 : s.n, s.trans_b ? s.k : 1};
    const T* bias = c != nullptr ? c->data<T>().data() : nullptr;
    const auto scaled = [](double factor, T value) {
      return factor == 1 ? value : truncate_to<T>(factor * static_cast<double>(value));
    };
    T* out = y.mutable_data<T>().data();
    for (int64_t r = 0; r < s.m; ++r) {
      for (int64_t q = 0; q < s.n; ++q) {
        const T product = scaled(alpha, static_cast<T>(wrapping_dot(x, w, r, q, s.k)));
        const T added = bias != nullptr ? scaled(beta, bias[r * strides[0] + q * strides[1]]) : T{};
        *out++ = static_cast<T>(static_cast<uint64_t>(product) + static_cast<uint64_t>(added));
      }
    }
  });
}

void gemm(KernelContext& context) {
  const ir::Node& node = context.node();
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(1);
  const ir::Tensor* c = context.optional(2);
  require_one_type(a, b);
  const GemmShape s = gemm_shape(node, a.dims(), b.dims());
  ir::Tensor& y = context.output(0, a.type(), {s.m, s.n});
  if (y.size() == 0) return;
  if (!is_real(a.type())) return gemm_integers(node, a, b, c, s, y);
  const double alpha = node.attr_float("alpha", 1.0f);
  const double beta = node.attr_float("beta", 1.0f);
  ir::Tensor scratch = scratch_doubles(y.size());
  double* out = scratch.mutable_data<double>().data();
  multiply({plain_loader(a), 0, s.m, s.k, s.trans_a}, {plain_loader(b), 0, s.k, s.n, s.trans_b},
           out);
  for (int64_t i = 0; i < y.size(); ++i) out[i] *= alpha;
  if (c != nullptr) {
    const auto strides = bias_strides(*c, a, s);
    const ir::Tensor bias = as_doubles(*c);
    const double* values = bias.data<double>().data();
    for (int64_t i = 0; i < y.size(); ++i) {
      out[i] += beta * values[i / s.n * strides[0] + i % s.n * strides[1]];
    }
  }
  store_doubles(out, y.size(), y, 0);
}

void matmul_integer(KernelContext& context) {
  const ir::Tensor& a = context.input(0);
  const ir::Tensor& b = context.input(1);
  const MatMulShape s(a.dims(), b.dims());
  const auto a_zero = line_zero_points(context.optional(2), a, MatrixLines::kRows, "a_zero_point");
  const auto b_zero =
      line_zero_points(context.optional(3), b, MatrixLines::kColumns, "b_zero_point");
  ir::Tensor& y = context.output(0, ir::DataType::kInt32, s.output);
  int32_t* out = y.mutable_data<int32_t>().data();
  quantized_matmul(a, a_zero, b, b_zero, s, [&](int64_t, int64_t, std::span<const double> sums) {
    for (const double sum : sums) *out++ = wrapped_int32(sum);
  });
}

void infer_matmul_real(InferContext& context) {
  infer_matmul(context, 0, 1, context.element(0));
}
void infer_matmul_integer(InferContext& context) {
  infer_matmul(context, 0, 1, ir::DataType::kInt32);
}

void infer_gemm(InferContext& context) {
  const ir::Shape* a = context.shape(0);
  const ir::Shape* b = context.shape(1);
  ir::Shape out(2);
  if (a != nullptr) {
    if (a->size() != 2) fail(ErrorCode::kBadInput, "A: expected rank 2, found {}", to_string(*a));
    out[0] = (*a)[context.node().attr_int("transA", 0) != 0 ? 1 : 0];
  }
  if (b != nullptr) {
    if (b->size() != 2) fail(ErrorCode::kBadInput, "B: expected rank 2, found {}", to_string(*b));
    out[1] = (*b)[context.node().attr_int("transB", 0) != 0 ? 0 : 1];
  }
  context.set(0, context.element(0), std::move(out));
}

int64_t macs_of_matmul(const ir::Node&, const std::vector<ir::Dims>& inputs,
                       const std::vector<ir::Dims>& outputs) {
  return inputs.empty() || outputs.empty() ? 0 : matmul_macs(inputs[0], outputs[0]);
}

int64_t macs_of_gemm(const ir::Node& node, const std::vector<ir::Dims>& inputs,
                     const std::vector<ir::Dims>& outputs) {
  if (inputs.empty() || inputs[0].size() != 2 || outputs.empty()) return 0;
  const int64_t k = inputs[0][node.attr_int("transA", 0) != 0 ? 0 : 1];
  return matmul_macs({k}, outputs[0]);
}

}  // namespace

std::span<const OpDef> matrix_ops() {
  static constexpr OpDef kRows[] = {
      {.domain = "",
       .name = "MatMul",
       .since_version = 1,
       .infer = infer_matmul_real,
       .kernel = matmul,
       .macs = macs_of_matmul},
      {.domain = "",
       .name = "Gemm",
       .since_version = 1,
       .infer = infer_gemm,
       .kernel = gemm,
       .macs = macs_of_gemm},
      {.domain = "",
       .name = "MatMulInteger",
       .since_version = 10,
       .infer = infer_matmul_integer,
       .kernel = matmul_integer,
       .macs = macs_of_matmul},
      {.domain = "",
       .name = "Einsum",
       .since_version = 12,
       .infer = infer_einsum,
       .kernel = einsum,
       .macs = einsum_macs},
  };
  return kRows;
}

}  // namespace fettle::ops
