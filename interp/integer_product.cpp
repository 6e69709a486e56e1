#include "interp/integer_product.h"

#include <algorithm>

#include "interp/integer_cpu.h"
#include "interp/parallel.h"
#include "ir/error.h"

namespace fettle::interp {
namespace {

using dnnl::memory;

bool is_byte(ir::DataType type) {
  return type == ir::DataType::kInt8 || type == ir::DataType::kUint8;
}

// `b` as int8, row major: uint8 elements minus 128, and a transposed matrix turned over when
// `turn` says so.
ir::Tensor as_int8(const ir::Tensor& b, bool turn) {
  if (b.type() == ir::DataType::kInt8 && !turn) return b;
  ir::Tensor out(ir::DataType::kInt8, turn ? ir::Dims{b.dim(1), b.dim(0)} : b.dims());
  const auto* from = reinterpret_cast<const uint8_t*>(b.bytes());
  auto* to = reinterpret_cast<uint8_t*>(out.mutable_bytes());
  const uint8_t flip = b.type() == ir::DataType::kUint8 ? 0x80 : 0;
  const int64_t rows = turn ? b.dim(0) : 1;
  const int64_t columns = turn ? b.dim(1) : b.size();
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c] ^ flip;
  }
  return out;
}

int32_t byte_at(const ir::Tensor& t, int64_t i) {
  return t.type() == ir::DataType::kInt8 ? t.data<int8_t>()[static_cast<size_t>(i)]
                                         : t.data<uint8_t>()[static_cast<size_t>(i)];
}

// Number of the operand's matrix that takes part in matrix `batch` of the product.
int64_t matrix_of(int64_t batch, const ir::Dims& product, const ir::Dims& operand) {
  int64_t index = 0;
  int64_t stride = 1;
  for (size_t axis = product.size() - 2; axis-- > 0;) {
    if (operand[axis] != 1) index += batch % product[axis] * stride;
    stride *= operand[axis];
    batch /= product[axis];
  }
  return index;
}

int64_t matrices(const ir::Dims& dims) {
  int64_t count = 1;
  for (size_t i = 0; i + 2 < dims.size(); ++i) count *= dims[i];
  return count;
}

}  // namespace

struct IntegerProduct::Compiled {
  Prepared prepared;
  memory::desc weights;
};

IntegerProduct::IntegerProduct() = default;
IntegerProduct::~IntegerProduct() = default;

std::unique_ptr<IntegerProduct::Compiled> IntegerProduct::compile(
    const ProductShape& shape, const ir::Tensor& a, const IntegerMatrix& source) const {
  const auto attempt = [&](const memory::desc& weights) -> std::unique_ptr<Compiled> {
    try {
      const dnnl::matmul::desc desc(plain_desc(shape.a, a.type()), weights,
                                    plain_desc(shape.product, ir::DataType::kInt32));
      auto compiled = std::make_unique<Compiled>();
      compiled->prepared = prepare<dnnl::matmul>(
          ir::element_count(shape.product) * shape.k(),
          [&] { return dnnl::matmul::primitive_desc(desc, scratch_attr(), cpu_engine()); },
          [&](const dnnl::matmul::primitive_desc& pd) { compiled->weights = pd.weights_desc(); });
      return compiled;
    } catch (const dnnl::error&) {
      return nullptr;
    }
  };
  if (!source.constant) return attempt(plain_desc(shape.b, ir::DataType::kInt8));
  if (packed_.layout() != nullptr) {
    if (auto compiled = attempt(*packed_.layout())) return compiled;
  }
  return attempt(any_desc(shape.b, ir::DataType::kInt8));
}

// B as row-major int8; made when it is not held.
const ir::Tensor& IntegerProduct::signed_b(const IntegerMatrix& source) {
  if (!signed_.defined()) signed_ = as_int8(*source.values, source.transposed);
  return signed_;
}

// out = a * b without zero points.
void IntegerProduct::multiply(const ProductShape& shape, const ir::Tensor& a,
                              const IntegerMatrix& source, ir::Tensor& out) {
  Compiled* compiled = nullptr;
  if (exact_byte_products()) {
    ShapeCache<Compiled>::Key key = shape.a;
    key.insert(key.end(), shape.b.begin(), shape.b.end());
    key.push_back(static_cast<int64_t>(a.type()));
    compiled = cache_.get(key, [&] { return compile(shape, a, source); });
  }
  if (compiled != nullptr) {
    const bool packed =
        source.constant && packed_.layout() != nullptr && *packed_.layout() == compiled->weights;
    const ir::Tensor& b = packed ? signed_ : signed_b(source);
    const memory::desc plain_b = plain_desc(shape.b, ir::DataType::kInt8);
    const memory::desc src = plain_desc(shape.a, a.type());
    const memory::desc dst = plain_desc(shape.product, ir::DataType::kInt32);
    compiled->prepared.run({{DNNL_ARG_SRC, &src, a.bytes()},
                            {DNNL_ARG_WEIGHTS, &compiled->weights,
                             packed_.get(b, plain_b, compiled->weights, source.constant)},
                            {DNNL_ARG_DST, &dst, out.mutable_bytes()}});
    return;
  }
  const int64_t m = shape.m();
  const int64_t n = shape.n();
  const int64_t k = shape.k();
  const int8_t* weights = signed_b(source).data<int8_t>().data();
  int32_t* acc = out.mutable_data<int32_t>().data();
  for_each_row(matrices(shape.product) * m, n * k, [&](int64_t row) {
    const int64_t batch = row / m;
    const int64_t from = (matrix_of(batch, shape.product, shape.a) * m + row % m) * k;
    const int8_t* matrix = weights + matrix_of(batch, shape.product, shape.b) * k * n;
    std::fill_n(acc + row * n, n, 0);
    for (int64_t i = 0; i < k; ++i) {
      add_scaled_bytes(byte_at(a, from + i), matrix + i * n, n, acc + row * n);
    }
  });
}

ir::Tensor IntegerProduct::accumulate(const IntegerMatrix& a, const IntegerMatrix& b) {
  ir::Dims b_dims = b.values->dims();
  if (b.transposed && b_dims.size() == 2) std::swap(b_dims[0], b_dims[1]);
  const auto shape = product_shape(a.values->dims(), b_dims);
  if (!shape) {
    fail(ErrorCode::kBadInput, "cannot multiply integer matrices of shapes {} and {}",
         ir::to_string(a.values->dims()), ir::to_string(b_dims));
  }
  if (!b.constant) signed_ = {};
  ir::Tensor out(ir::DataType::kInt32, shape->product);
  multiply(*shape, *a.values, b, out);

  const int64_t m = shape->m();
  const int64_t n = shape->n();
  const int64_t k = shape->k();
  if (!b.constant || column_sums_.empty()) {
    const int8_t* values = signed_b(b).data<int8_t>().data();
    column_sums_.assign(static_cast<size_t>(matrices(shape->b) * n), 0);
    for (int64_t row = 0; row < matrices(shape->b) * k; ++row) {
      add_scaled_bytes(1, values + row * n, n, column_sums_.data() + row / k * n);
    }
  }
  // With b' = b - shift: sum (a - za)(b' - zb') = sum ab' - za sum b' - zb' sum a + k za zb'.
  const int32_t shift = b.values->type() == ir::DataType::kUint8 ? 128 : 0;
  const int32_t a_zero = a.zero[0];
  std::vector<int32_t> zeros(static_cast<size_t>(n));
  for (size_t j = 0; j < zeros.size(); ++j) {
    zeros[j] = b.zero[b.zero.size() == 1 ? 0 : j] - shift;
  }
  const bool skip =
      a_zero == 0 && std::all_of(zeros.begin(), zeros.end(), [](int32_t z) { return z == 0; });
  int32_t* acc = out.mutable_data<int32_t>().data();
  for_each_row(skip ? 0 : matrices(shape->product) * m, n + k, [&](int64_t row) {
    const int64_t batch = row / m;
    const int64_t from = (matrix_of(batch, shape->product, shape->a) * m + row % m) * k;
    const int32_t* sums = column_sums_.data() + matrix_of(batch, shape->product, shape->b) * n;
    uint32_t row_sum = 0;
    for (int64_t i = 0; i < k; ++i) {
      row_sum += static_cast<uint32_t>(byte_at(*a.values, from + i) - a_zero);
    }
    add_scaled_columns(sums, -a_zero, n, acc + row * n);
    add_scaled_columns(zeros.data(), static_cast<int32_t>(-row_sum), n, acc + row * n);
  });
  // A packed copy of a constant is enough.
  if (!b.constant || packed_.layout() != nullptr) signed_ = {};
  return out.reshaped(shape->output);
}

namespace {

class QuantizedProduct : public AcceleratedKernel {
 public:
  explicit QuantizedProduct(IntegerProductSpec spec) : spec_(std::move(spec)) {}

  bool run(Call& call) override {
    const bool constant = spec_.b.defined();
    check(call, 0, spec_.a.type);
    if (!constant) check(call, 1, spec_.b_type.type);
    const IntegerMatrix a{call.tensor(0), {spec_.a.zero_point}, false, false};
    const IntegerMatrix b{constant ? &spec_.b : call.tensor(1),
                          constant ? spec_.b_zero : std::vector<int32_t>{spec_.b_type.zero_point},
                          constant, spec_.transpose_b};
    const ir::Dims& b_dims = b.values->dims();
    const int64_t n = b_dims.size() < 2 ? 1 : b.transposed ? b_dims[0] : b_dims.back();
    const ir::Dims& a_dims = a.values->dims();
    const bool empty =
        a.values->size() == 0 && b.values->size() > 0 && a_dims.size() >= 2 && b_dims.size() == 2;
    if (empty) {
      ir::Dims dims = a_dims;
      dims.back() = n;
      if (ir::element_count(dims) == 0) {
        call.set(0, ir::Tensor(spec_.quantized ? spec_.y.type : ir::DataType::kFloat, dims));
        return true;
      }
    }
    finish(call, product_.accumulate(a, b), n);
    return true;
  }

 private:
  static void check(Call& call, size_t i, ir::DataType type) {
    if (call.type(i) == type) return;
    fail(ErrorCode::kBadInput, "operand {}: expected a quantized tensor of {}, found {}", i,
         ir::data_type_name(type), ir::data_type_name(call.type(i)));
  }

  // The vector with one element per column, or null when it is empty.
  template <typename T>
  static const T* per_column(std::vector<T>& values, int64_t n) {
    if (values.empty()) return nullptr;
    if (values.size() == 1) values.resize(static_cast<size_t>(n), values[0]);
    if (values.size() != static_cast<size_t>(n)) {
      fail(ErrorCode::kBadInput, "expected {} quantization parameters, found {}", n, values.size());
    }
    return values.data();
  }

  void finish(Call& call, const ir::Tensor& acc, int64_t n) {
    const int64_t rows = acc.size() / std::max<int64_t>(1, n);
    std::vector<float> multipliers = spec_.multiplier;
    std::vector<int32_t> biases = spec_.bias;
    std::vector<float> float_biases = spec_.float_bias;
    const float* multiplier = per_column(multipliers, n);
    const int32_t* bias = per_column(biases, n);
    const float* float_bias = per_column(float_biases, n);
    const int32_t* from = acc.data<int32_t>().data();
    ir::Tensor out(spec_.quantized ? spec_.y.type : ir::DataType::kFloat, acc.dims());
    std::byte* to = out.mutable_bytes();
    for_each_row(rows, n, [&](int64_t r) {
      if (spec_.quantized) {
        requantize_row(from + r * n, bias, multiplier, n, spec_.y,
                       reinterpret_cast<uint8_t*>(to) + r * n);
        return;
      }
      float* row = reinterpret_cast<float*>(to) + r * n;
      scale_row(from + r * n, bias, multiplier, n, row);
      for (int64_t j = 0; float_bias != nullptr && j < n; ++j) row[j] += float_bias[j];
    });
    call.set(0, std::move(out));
  }

  IntegerProductSpec spec_;
  IntegerProduct product_;
};

// MatMulInteger with per-tensor zero points (of B also per column), known when it runs.
class MatMulInteger : public AcceleratedKernel {
 public:
  bool run(Call& call) override {
    if (!is_byte(call.type(0)) || !is_byte(call.type(1))) return false;
    IntegerMatrix a{call.tensor(0), {0}, false, false};
    IntegerMatrix b{call.tensor(1), {0}, call.is_constant(1), false};
    if (!product_shape(a.values->dims(), b.values->dims())) return false;
    const int64_t n = b.values->rank() < 2 ? 1 : b.values->dims().back();
    if (!load_zero(call, 2, a, 1) || !load_zero(call, 3, b, n)) return false;
    call.set(0, product_.accumulate(a, b));
    return true;
  }

 private:
  static bool load_zero(Call& call, size_t i, IntegerMatrix& matrix, int64_t most) {
    if (!call.has(i)) return true;
    const ir::Tensor* zero = call.tensor(i);
    if (zero == nullptr || zero->type() != matrix.values->type() || zero->rank() > 1) return false;
    if (zero->size() != 1 && zero->size() != most) return false;
    matrix.zero.clear();
    for (int64_t j = 0; j < zero->size(); ++j) matrix.zero.push_back(byte_at(*zero, j));
    return true;
  }

  IntegerProduct product_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_integer_product(IntegerProductSpec spec) {
  return std::make_unique<QuantizedProduct>(std::move(spec));
}

std::unique_ptr<AcceleratedKernel> accelerate_matmul_integer(const NodeFacts&) {
  return std::make_unique<MatMulInteger>();
}

std::unique_ptr<AcceleratedKernel> accelerate_qlinear_matmul(const NodeFacts& facts) {
  enum { kA, kAScale, kAZero, kB, kBScale, kBZero, kYScale, kYZero };
  for (const size_t i : {kAScale, kAZero, kBScale, kBZero, kYScale, kYZero}) {
    const ir::Tensor* t = facts.constant(i);
    const bool scale = i == kAScale || i == kBScale || i == kYScale;
    if (t == nullptr || t->size() != 1 ||
        !(scale ? t->type() == ir::DataType::kFloat : is_byte(t->type()))) {
      return nullptr;
    }
  }
  const auto scale = [&](size_t i) { return facts.constant(i)->data<float>()[0]; };
  const auto bytes = [&](size_t i) {
    return ByteTarget{facts.constant(i)->type(), byte_at(*facts.constant(i), 0)};
  };
  IntegerProductSpec spec;
  spec.a = bytes(kAZero);
  spec.b_type = bytes(kBZero);
  spec.y = bytes(kYZero);
  spec.multiplier = {ops::requantize_multiplier(scale(kAScale), scale(kBScale), scale(kYScale))};
  const ir::Tensor* b = facts.constant(kB);
  if (b == nullptr) return nullptr;  // operands of the kernel are those of the node
  if (b->type() != spec.b_type.type || b->size() == 0) return nullptr;
  spec.b = *b;
  spec.b_zero = {spec.b_type.zero_point};
  return make_integer_product(std::move(spec));
}

}  // namespace fettle::interp
