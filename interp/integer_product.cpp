#include "interp/integer_product.h"

#include <algorithm>

#include "interp/parallel.h"
#include "ir/error.h"

namespace fettle::interp {
namespace {

constexpr int64_t kRows = 48;           // rows computed together; a multiple of the kernels' tiles
constexpr int64_t kSlice = 256;         // columns computed together when there are few rows
constexpr int64_t kShared = 3'000'000;  // multiply-accumulates worth a parallel region

bool is_byte(ir::DataType type) {
  return type == ir::DataType::kInt8 || type == ir::DataType::kUint8;
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

// What turns int8 elements of A into uint8 ones, and uint8 elements of B into int8 ones.
uint8_t flip_of_a(ir::DataType type) {
  return type == ir::DataType::kInt8 ? 0x80 : 0;
}
uint8_t flip_of_b(ir::DataType type) {
  return type == ir::DataType::kUint8 ? 0x80 : 0;
}

// `values`, one or one per column, with zeros up to `padded` columns.
template <typename T>
void spread(const std::vector<T>& values, int64_t n, int64_t padded, std::vector<T>& to) {
  if (values.size() != 1 && values.size() != static_cast<size_t>(n)) {
    fail(ErrorCode::kBadInput, "expected {} quantization parameters, found {}", n, values.size());
  }
  to.assign(static_cast<size_t>(padded), T{});
  for (size_t j = 0; j < static_cast<size_t>(n); ++j) to[j] = values[values.size() == 1 ? 0 : j];
}

}  // namespace

void IntegerProduct::set_shape(const IntegerMatrix& a, const IntegerMatrix& b) {
  if (shape_ && a_dims_ == a.values->dims() && b_dims_ == b.values->dims()) return;
  ir::Dims b_dims = b.values->dims();
  if (b.transposed && b_dims.size() == 2) std::swap(b_dims[0], b_dims[1]);
  shape_ = product_shape(a.values->dims(), b_dims);
  if (!shape_) {
    fail(ErrorCode::kBadInput, "cannot multiply integer matrices of shapes {} and {}",
         ir::to_string(a.values->dims()), ir::to_string(b_dims));
  }
  a_dims_ = a.values->dims();
  b_dims_ = b.values->dims();
  set_columns();
}

void IntegerProduct::set_columns() {
  const int64_t n = shape_->n();
  columns_ = (n + kPanel - 1) / kPanel * kPanel;
  if (result_.kind != ByteResult::Kind::kSums) spread(result_.multiplier, n, columns_, multiplier_);
  if (!result_.float_bias.empty()) spread(result_.float_bias, n, columns_, float_bias_);
}

void IntegerProduct::pack(const IntegerMatrix& b) {
  const int64_t n = shape_->n();
  const int64_t k = shape_->k();
  const int64_t count = matrices(shape_->b);
  const int64_t bytes = columns_ / kPanel * panel_bytes(1, k);
  const auto size = static_cast<size_t>(count * bytes);
  if (packed_ == nullptr || packed_->size() < size) packed_ = ir::Buffer::allocate(size);
  sums_.resize(static_cast<size_t>(count * columns_));
  const auto* from = reinterpret_cast<const uint8_t*>(b.values->bytes());
  std::vector<uint8_t> turned;
  if (b.transposed) {
    turned.resize(static_cast<size_t>(k * n));
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = 0; i < k; ++i) turned[static_cast<size_t>(i * n + j)] = from[j * k + i];
    }
    from = turned.data();
  }
  auto* to = reinterpret_cast<int8_t*>(packed_->mutable_data());
  for_each_row(count, k * n / 8, [&](int64_t i) {
    byte_kernels().pack({from + i * k * n, k, n, flip_of_b(b.values->type()), to + i * bytes,
                         sums_.data() + i * columns_});
  });
}

// With b' = b - shift, zb' = zb - shift and a' = a + flip, za' = za + flip:
//   sum (a - za)(b - zb) = sum a'b' - za' sum b' - zb' sum a' + k za' zb', modulo 2^32.
void IntegerProduct::set_bias(const IntegerMatrix& a, const IntegerMatrix& b) {
  const int32_t shift = flip_of_b(b.values->type());
  const int32_t zero = a.zero[0] + flip_of_a(a.values->type());
  if (b.constant && !bias_.empty() && biased_for_a_ == zero && biased_for_b_ == b.zero) return;
  biased_for_a_ = zero;
  biased_for_b_ = b.zero;
  const auto a_zero = static_cast<uint32_t>(zero);
  spread(b.zero, shape_->n(), columns_, column_zero_);
  for (int64_t j = 0; j < shape_->n(); ++j) column_zero_[static_cast<size_t>(j)] -= shift;
  const int64_t count = matrices(shape_->b);
  bias_.resize(static_cast<size_t>(count * columns_));
  const uint32_t k_zero = static_cast<uint32_t>(shape_->k()) * a_zero;
  std::vector<int32_t> added;
  if (!result_.bias.empty()) spread(result_.bias, shape_->n(), columns_, added);
  for (int64_t i = 0; i < count * columns_; ++i) {
    const auto at = static_cast<size_t>(i);
    const auto j = static_cast<size_t>(i % columns_);
    const uint32_t own = added.empty() ? 0 : static_cast<uint32_t>(added[j]);
    bias_[at] = static_cast<int32_t>(own - a_zero * static_cast<uint32_t>(sums_[at]) +
                                     k_zero * static_cast<uint32_t>(column_zero_[j]));
  }
  if (std::all_of(column_zero_.begin(), column_zero_.end(), [](int32_t z) { return z == 0; })) {
    column_zero_.clear();
  }
}

void IntegerProduct::multiply_matrices(const IntegerMatrix& a, std::byte* out) {
  const int64_t m = shape_->m();
  const int64_t n = shape_->n();
  const int64_t k = shape_->k();
  const int64_t count = matrices(shape_->product);
  const uint8_t flip = flip_of_a(a.values->type());
  const auto* left = reinterpret_cast<const uint8_t*>(a.values->bytes());
  const ops::QuantRange range = ops::quant_range(result_.y.type);
  const int64_t width = result_.kind == ByteResult::Kind::kBytes ? 1 : 4;
  const bool shared = count * m * n * k > kShared;
  const int64_t blocks = (m + kRows - 1) / kRows;
  const int64_t slice = shared && count * blocks < 8 ? std::min(columns_, kSlice) : columns_;
  const int64_t slices = (columns_ + slice - 1) / slice;
  const bool correct = !column_zero_.empty();
  if (correct) {
    row_terms_.resize(static_cast<size_t>(matrices(shape_->a) * m));
    for_each_row(static_cast<int64_t>(row_terms_.size()), k / 16, [&](int64_t r) {
      row_terms_[static_cast<size_t>(r)] = -byte_kernels().sum(left + r * k, k, flip);
    });
  }
  for_each_index(count * blocks * slices, shared, [&](int64_t task) {
    const int64_t batch = task / (blocks * slices);
    const int64_t begin = task / slices % blocks * kRows;
    const int64_t first = task % slices * slice;
    const int64_t of_a = matrix_of(batch, shape_->product, shape_->a) * m + begin;
    const int64_t of_b = matrix_of(batch, shape_->product, shape_->b);
    const uint8_t* rows[kRows];
    const int64_t offset = 0;
    ByteBlock b;
    b.row_count = std::min(kRows, m - begin);
    for (int64_t r = 0; r < b.row_count; ++r) rows[r] = left + (of_a + r) * k;
    b.rows = rows;
    b.offsets = &offset;
    b.segment_bytes = k;
    b.flip = flip;
    b.packed = reinterpret_cast<const int8_t*>(packed_->data()) +
               (of_b * columns_ + first) / kPanel * panel_bytes(1, k);
    b.columns = std::min(n, first + slice) - first;
    b.result.kind = result_.kind;
    b.result.bias = bias_.data() + of_b * columns_ + first;
    b.result.multiplier = multiplier_.data() + first;
    b.result.float_bias = float_bias_.empty() ? nullptr : float_bias_.data() + first;
    b.result.column_zero = correct ? column_zero_.data() + first : nullptr;
    b.result.row_term = correct ? row_terms_.data() + of_a : nullptr;
    b.result.zero_point = result_.y.zero_point;
    b.result.lowest = range.lowest;
    b.result.highest = range.highest;
    b.out = out + ((batch * m + begin) * n + first) * width;
    b.out_stride = n;
    byte_kernels().multiply(b);
  });
}

ir::Tensor IntegerProduct::multiply(const IntegerMatrix& a, const IntegerMatrix& b) {
  set_shape(a, b);
  if (!b.constant || !packed_constant_) {
    pack(b);
    packed_constant_ = b.constant;
    bias_.clear();
    if (b.constant) b.values->buffer()->release_pages();
  }
  set_bias(a, b);
  const ir::DataType type = result_.kind == ByteResult::Kind::kBytes    ? result_.y.type
                            : result_.kind == ByteResult::Kind::kFloats ? ir::DataType::kFloat
                                                                        : ir::DataType::kInt32;
  ir::Tensor out(type, shape_->output);
  multiply_matrices(a, out.mutable_bytes());
  return out;
}

namespace {

ProductResult result_of(const IntegerProductSpec& spec) {
  return {spec.quantized ? ByteResult::Kind::kBytes : ByteResult::Kind::kFloats, spec.bias,
          spec.multiplier, spec.float_bias, spec.y};
}

class QuantizedProduct : public AcceleratedKernel {
 public:
  explicit QuantizedProduct(IntegerProductSpec spec)
      : spec_(std::move(spec)),
        a_{nullptr, {spec_.a.zero_point}, false, false},
        b_{nullptr, {spec_.b_type.zero_point}, false, spec_.transpose_b},
        product_(result_of(spec_)) {
    if (!spec_.b.defined()) return;
    b_.values = &spec_.b;
    b_.zero = spec_.b_zero;
    b_.constant = true;
  }

  bool run(Call& call) override {
    check(call, 0, spec_.a.type);
    if (!b_.constant) check(call, 1, spec_.b_type.type);
    a_.values = call.tensor(0);
    if (!b_.constant) b_.values = call.tensor(1);
    if (a_.values->size() == 0 && b_.values->size() > 0 && set_empty(call)) return true;
    call.set(0, product_.multiply(a_, b_));
    return true;
  }

  std::string describe() const override { return byte_kernels().name; }

 private:
  static void check(Call& call, size_t i, ir::DataType type) {
    if (call.type(i) == type) return;
    fail(ErrorCode::kBadInput, "operand {}: expected a quantized tensor of {}, found {}", i,
         ir::data_type_name(type), ir::data_type_name(call.type(i)));
  }

  // The product with an A of no rows.
  bool set_empty(Call& call) {
    const ir::Dims& b = b_.values->dims();
    ir::Dims dims = a_.values->dims();
    if (dims.size() < 2 || b.size() != 2) return false;
    dims.back() = b_.transposed ? b[0] : b[1];
    if (ir::element_count(dims) != 0) return false;
    call.set(0, ir::Tensor(spec_.quantized ? spec_.y.type : ir::DataType::kFloat, dims));
    return true;
  }

  IntegerProductSpec spec_;
  IntegerMatrix a_, b_;
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
    call.set(0, product_.multiply(a, b));
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
