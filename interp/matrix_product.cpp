#include "interp/matrix_product.h"

#include <algorithm>

#include "interp/subnormals.h"
#include "ops/kernel_context.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;
// Few rows read constant weights of this size and more where they lie, if they lie well: the time
// goes into reading memory, and a copy would double it.
constexpr int64_t kHugeWeights = 4 << 20;  // floats

// out = beta * c, broadcast to `dims`.
void fill_broadcast(float* out, const ir::Dims& dims, const ir::Tensor& c, float beta) {
  const std::vector<int64_t> strides = ops::broadcast_strides(c.dims(), dims);
  const float* values = c.data<float>().data();
  const int64_t columns = dims.back();
  const int64_t rows = ir::element_count(dims) / columns;
  const int64_t step = strides.back();
  for (int64_t r = 0; r < rows; ++r) {
    int64_t offset = 0;
    int64_t rest = r;
    for (size_t axis = dims.size() - 1; axis-- > 0;) {
      offset += rest % dims[axis] * strides[axis];
      rest /= dims[axis];
    }
    float* row = out + r * columns;
    const float* from = values + offset;
    for (int64_t i = 0; i < columns; ++i) row[i] = beta * from[i * step];
  }
}

bool broadcasts(const ir::Dims& from, const ir::Dims& to) {
  if (from.size() > to.size() || to.empty()) return false;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t d = from[from.size() - 1 - i];
    if (d != 1 && d != to[to.size() - 1 - i]) return false;
  }
  return true;
}

class Product : public AcceleratedKernel {
 public:
  explicit Product(ProductOptions options) : options_(std::move(options)) {}

  bool run(Call& call) override {
    if (call.type(kA) != kFloat || call.type(kB) != kFloat) return false;
    const ir::Tensor& a = *call.tensor(kA);
    const ir::Tensor& b = *call.tensor(kB);
    if (options_.matrices && (a.rank() != 2 || b.rank() != 2)) return false;
    const ProductLayout* layout = find(a.dims(), b.dims());
    if (layout == nullptr || layout->output.size() < options_.least_rank) return false;
    const ir::Tensor* c = nullptr;
    const ir::Tensor* d = nullptr;
    if (!addends(call, *layout, c, d)) return false;
    const FlushSubnormals flush;
    ir::Tensor out = output(call, *layout, c, d);
    auto* to = reinterpret_cast<float*>(out.mutable_bytes());
    const ProductEnd end = end_of(*layout, c, d, to);
    compute(call, *layout, a, b, end, to);
    call.set(0, std::move(out));
    return true;
  }

 private:
  enum Operand : size_t { kA, kB, kC, kD };
  enum class Addend { kNone, kRow, kSame, kBroadcast };

  const ProductLayout* find(const ir::Dims& a, const ir::Dims& b) {
    if (a_dims_ != a || b_dims_ != b) {
      layout_ = product_layout(a, options_.a, b, options_.b, options_.out_perm);
      a_dims_ = a;
      b_dims_ = b;
    }
    return layout_ ? &*layout_ : nullptr;
  }

  // Addend C as it is used.
  Addend kind_of(const ir::Tensor* c, const ProductLayout& layout) const {
    if (c == nullptr) return Addend::kNone;
    const int64_t columns = layout.b.columns;
    if (c->rank() > 0 && c->dims().back() == columns && c->size() == columns &&
        !layout.output.empty() && layout.output.back() == columns) {
      return Addend::kRow;
    }
    if (options_.beta == 1.0f && c->dims() == layout.output) return Addend::kSame;
    return Addend::kBroadcast;
  }

  // False for addends that the kernel does not take.
  bool addends(Call& call, const ProductLayout& layout, const ir::Tensor*& c,
               const ir::Tensor*& d) const {
    const bool has_c = call.has(kC) && options_.beta != 0.0f;
    if ((call.has(kC) && call.type(kC) != kFloat) || (call.has(kD) && call.type(kD) != kFloat)) {
      return false;
    }
    if (has_c) c = call.tensor(kC);
    if (call.has(kD)) d = call.tensor(kD);
    const Addend kind = kind_of(c, layout);
    const bool whole = kind == Addend::kSame || kind == Addend::kBroadcast || d != nullptr;
    if (whole && !options_.out_perm.empty()) return false;
    if (kind == Addend::kBroadcast && !broadcasts(c->dims(), layout.output)) return false;
    if (d == nullptr) return true;
    return d->dims() == layout.output && (kind == Addend::kNone || kind == Addend::kRow);
  }

  // A new tensor, or the addend's own storage where it may be overwritten.
  ir::Tensor output(Call& call, const ProductLayout& layout, const ir::Tensor* c,
                    const ir::Tensor* d) const {
    const bool same = d == nullptr && kind_of(c, layout) == Addend::kSame;
    if (d != nullptr || same) {
      if (auto own = call.reusable(d != nullptr ? kD : kC)) {
        return ir::Tensor(kFloat, layout.output, std::move(own));
      }
    }
    return ir::Tensor(kFloat, layout.output);
  }

  ProductEnd end_of(const ProductLayout& layout, const ir::Tensor* c, const ir::Tensor* d,
                    float* out) {
    ProductEnd end;
    end.scale = options_.alpha;
    end.low = options_.low;
    end.high = options_.high;
    end.function = options_.function;
    if (d != nullptr) end.start = d->data<float>().data();
    switch (kind_of(c, layout)) {
      case Addend::kNone:
        break;
      case Addend::kRow:
        end.bias = c->data<float>().data();
        if (options_.beta != 1.0f) {
          scaled_.assign(end.bias, end.bias + layout.b.columns);
          for (float& x : scaled_) x *= options_.beta;
          end.bias = scaled_.data();
        }
        break;
      case Addend::kSame:
        end.start = c->data<float>().data();
        break;
      case Addend::kBroadcast:
        fill_broadcast(out, layout.output, *c, options_.beta);
        end.start = out;
        break;
    }
    return end;
  }

  void compute(Call& call, const ProductLayout& layout, const ir::Tensor& a, const ir::Tensor& b,
               const ProductEnd& end, float* out) {
    LeftMatrix left = layout.a;
    left.data = reinterpret_cast<const float*>(a.bytes());
    MatrixView right = layout.b;
    right.data = reinterpret_cast<const float*>(b.bytes());
    const bool in_place = left.rows < kTileRows && right.row_step == 1 && left.column_step == 1 &&
                          right.rows * right.columns >= kHugeWeights;
    if (layout.single && call.is_constant(kB) && (!in_place || !packed_.empty())) {
      if (packed_.empty()) packed_ = PackedMatrix(right, 0, b.buffer().get());
      multiply(left, packed_, end, out, layout.out_row);
    } else {
      multiply(left, right, layout.batch, end, out, layout.out_row);
    }
  }

  ProductOptions options_;
  ir::Dims a_dims_;  // of the last run, with its layout
  ir::Dims b_dims_;
  std::optional<ProductLayout> layout_;
  PackedMatrix packed_;  // B when it is constant
  std::vector<float> scaled_;
};

}  // namespace

ProductOptions gemm_options(const ir::Node& gemm) {
  ProductOptions options;
  options.matrices = true;
  options.a.swapped = gemm.attr_int("transA", 0) != 0;
  options.b.swapped = gemm.attr_int("transB", 0) != 0;
  options.alpha = gemm.attr_float("alpha", 1.0f);
  options.beta = gemm.attr_float("beta", 1.0f);
  return options;
}

std::unique_ptr<AcceleratedKernel> make_product(ProductOptions options) {
  return std::make_unique<Product>(std::move(options));
}

std::unique_ptr<AcceleratedKernel> accelerate_matmul(const NodeFacts&) {
  return make_product({});
}

std::unique_ptr<AcceleratedKernel> accelerate_gemm(const NodeFacts& facts) {
  return make_product(gemm_options(*facts.node));
}

std::unique_ptr<AcceleratedKernel> accelerate_fused_matmul(const NodeFacts& facts) {
  const ir::Node& node = *facts.node;
  if (node.attr_int("transBatchA", 0) != 0 || node.attr_int("transBatchB", 0) != 0) return nullptr;
  ProductOptions options;
  options.a.swapped = node.attr_int("transA", 0) != 0;
  options.b.swapped = node.attr_int("transB", 0) != 0;
  options.alpha = node.attr_float("alpha", 1.0f);
  return make_product(std::move(options));
}

}  // namespace fettle::interp
