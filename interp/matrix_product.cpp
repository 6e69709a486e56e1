#include "interp/matrix_product.h"

#include "interp/packed_weights.h"
#include "interp/parallel.h"
#include "interp/product_shape.h"
#include "interp/shape_cache.h"
#include "ops/kernel_context.h"

namespace fettle::interp {
namespace {

using dnnl::memory;
constexpr ir::DataType kFloat = ir::DataType::kFloat;

struct Compiled {
  Prepared prepared;
  memory::desc weights;
};

// Row-major storage of a matrix, seen transposed when asked.
memory::desc matrix_desc(const ir::Dims& dims, bool transposed) {
  if (!transposed) return plain_desc(dims, kFloat);
  return memory::desc(dims, memory::data_type::f32, {1, dims[0]});
}

// out += beta * c, broadcast.
void add_broadcast(std::span<float> out, const ir::Dims& dims, const ir::Tensor& c, float beta) {
  const std::vector<int64_t> strides = ops::broadcast_strides(c.dims(), dims);
  const auto values = c.data<float>();
  const int64_t columns = dims.back();
  const int64_t rows = static_cast<int64_t>(out.size()) / columns;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t offset = 0;
    int64_t rest = r;
    for (size_t axis = dims.size() - 1; axis-- > 0;) {
      offset += rest % dims[axis] * strides[axis];
      rest /= dims[axis];
    }
    float* row = out.data() + r * columns;
    const float* from = values.data() + offset;
    for (int64_t i = 0; i < columns; ++i) row[i] += beta * from[i * strides.back()];
  }
}

class Product : public AcceleratedKernel {
 public:
  explicit Product(const ProductOptions& options) : options_(options) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    if (call.has(2) && call.type(2) != kFloat) return false;
    const ir::Tensor& a = *call.tensor(0);
    const ir::Tensor& b = *call.tensor(1);
    const auto shape = product_shape(seen(a, options_.transpose_a), seen(b, options_.transpose_b));
    if (!shape) return false;
    const ir::Tensor* c = call.has(2) ? call.tensor(2) : nullptr;
    const Addend addend = classify(c, shape->n());
    // What follows the addition cannot be left to the primitive when the addition is not.
    const bool activated = options_.activation.algorithm != dnnl::algorithm::undef;
    if (addend == Addend::kBroadcast && (activated || !broadcasts(*c, shape->output))) return false;
    Compiled* compiled = find(*shape, addend == Addend::kBias, call.is_constant(1));
    if (compiled == nullptr) return false;
    ir::Tensor out(kFloat, shape->output);
    const void* weights = weights_.get(b, matrix_desc(shape->b, options_.transpose_b),
                                       compiled->weights, call.is_constant(1));
    multiply(*shape, *compiled, a, weights, addend == Addend::kBias ? c : nullptr,
             call.is_constant(1), reinterpret_cast<float*>(out.mutable_bytes()));
    if (addend == Addend::kBroadcast) {
      add_broadcast(out.mutable_data<float>(), shape->output, *c, options_.beta);
    }
    call.set(0, std::move(out));
    return true;
  }

 private:
  enum class Addend { kNone, kBias, kBroadcast };

  static ir::Dims seen(const ir::Tensor& t, bool transposed) {
    ir::Dims dims = t.dims();
    if (transposed && dims.size() == 2) std::swap(dims[0], dims[1]);
    return dims;
  }

  static bool broadcasts(const ir::Tensor& c, const ir::Dims& to) {
    if (c.rank() > to.size() || to.empty()) return false;
    for (size_t i = 0; i < c.rank(); ++i) {
      const int64_t d = c.dim(c.rank() - 1 - i);
      if (d != 1 && d != to[to.size() - 1 - i]) return false;
    }
    return true;
  }

  Addend classify(const ir::Tensor* c, int64_t columns) const {
    if (c == nullptr || options_.beta == 0.0f) return Addend::kNone;
    const bool row = c->rank() >= 1 && c->dims().back() == columns && c->size() == columns;
    const bool plain = options_.alpha == 1.0f && options_.beta == 1.0f;
    return row && plain ? Addend::kBias : Addend::kBroadcast;
  }

  static ir::Dims bias_dims(const ProductShape& shape) {
    ir::Dims dims(shape.product.size(), 1);
    dims.back() = shape.n();
    return dims;
  }

  dnnl::primitive_attr attributes() const {
    dnnl::primitive_attr attr = scratch_attr();
    if (options_.alpha != 1.0f) attr.set_output_scales(0, {options_.alpha});
    const Activation& a = options_.activation;
    if (a.algorithm != dnnl::algorithm::undef) {
      dnnl::post_ops post;
      post.append_eltwise(1.0f, a.algorithm, a.alpha, a.beta);
      attr.set_post_ops(post);
    }
    return attr;
  }

  Compiled* find(const ProductShape& shape, bool bias, bool constant_weights) {
    ShapeCache<Compiled>::Key key = shape.a;
    key.insert(key.end(), shape.b.begin(), shape.b.end());
    key.push_back(bias);
    return cache_.get(key, [&] { return compile(shape, bias, constant_weights); });
  }

  // One product. A primitive that runs on one thread gets blocks of rows, of a size that does not
  // depend on the number of threads, where there are many.
  void multiply(const ProductShape& shape, Compiled& compiled, const ir::Tensor& a,
                const void* weights, const ir::Tensor* bias, bool constant_weights, float* out) {
    constexpr int64_t kRows = 64;
    const int64_t m = shape.m();
    const bool split =
        compiled.prepared.one_thread() && shape.a.size() == 2 && !options_.transpose_a && m > kRows;
    const int64_t rows = split ? kRows : m;
    ProductShape full = shape;
    ProductShape tail = shape;
    if (split) {
      full.a[0] = full.product[0] = rows;
      tail.a[0] = tail.product[0] = m % rows == 0 ? rows : m % rows;
    }
    Compiled* whole = split ? find(full, bias != nullptr, constant_weights) : &compiled;
    Compiled* last = split ? find(tail, bias != nullptr, constant_weights) : &compiled;
    // Blocks share the packed weights; a block that would want another layout prevents the split.
    const bool alike = whole != nullptr && last != nullptr && whole->weights == compiled.weights &&
                       last->weights == compiled.weights;
    const int64_t blocks = alike ? (m + rows - 1) / rows : 1;
    for_each_index(blocks, true, [&](int64_t i) {
      const bool is_last = i == blocks - 1;
      const ProductShape& part = !alike ? shape : is_last ? tail : full;
      Compiled& chosen = !alike ? compiled : is_last ? *last : *whole;
      const float* from = a.data<float>().data() + i * rows * shape.k();
      const memory::desc src = matrix_desc(part.a, options_.transpose_a);
      const memory::desc dst = plain_desc(part.product, kFloat);
      const Argument left{DNNL_ARG_SRC, &src, from};
      const Argument right{DNNL_ARG_WEIGHTS, &chosen.weights, weights};
      const Argument result{DNNL_ARG_DST, &dst, out + i * rows * shape.n()};
      Prepared own;  // blocks run at the same time
      if (blocks > 1) own = chosen.prepared;
      Prepared& prepared = blocks > 1 ? own : chosen.prepared;
      if (bias == nullptr) {
        prepared.run({left, right, result});
      } else {
        const memory::desc row = plain_desc(bias_dims(part), kFloat);
        prepared.run({left, right, result, {DNNL_ARG_BIAS, &row, bias->bytes()}});
      }
    });
  }

  std::unique_ptr<Compiled> compile(const ProductShape& shape, bool bias, bool constant_weights) {
    if (!constant_weights) {
      return try_compile(shape, bias, matrix_desc(shape.b, options_.transpose_b));
    }
    if (weights_.layout() != nullptr) {
      if (auto compiled = try_compile(shape, bias, *weights_.layout())) return compiled;
    }
    return try_compile(shape, bias, any_desc(shape.b, kFloat));
  }

  std::unique_ptr<Compiled> try_compile(const ProductShape& shape, bool bias,
                                        const memory::desc& weights) const {
    try {
      const memory::desc src = matrix_desc(shape.a, options_.transpose_a);
      const memory::desc dst = plain_desc(shape.product, kFloat);
      const memory::desc bias_desc = bias ? plain_desc(bias_dims(shape), kFloat) : memory::desc();
      const dnnl::matmul::desc desc = bias ? dnnl::matmul::desc(src, weights, bias_desc, dst)
                                           : dnnl::matmul::desc(src, weights, dst);
      auto compiled = std::make_unique<Compiled>();
      compiled->prepared = prepare<dnnl::matmul>(
          ir::element_count(shape.product) * shape.k(),
          [&] { return dnnl::matmul::primitive_desc(desc, attributes(), cpu_engine()); },
          [&](const dnnl::matmul::primitive_desc& pd) { compiled->weights = pd.weights_desc(); });
      return compiled;
    } catch (const dnnl::error&) {
      return nullptr;
    }
  }

  ProductOptions options_;
  PackedWeights weights_;
  ShapeCache<Compiled> cache_;
};

}  // namespace

ProductOptions gemm_options(const ir::Node& gemm) {
  ProductOptions options;
  options.transpose_a = gemm.attr_int("transA", 0) != 0;
  options.transpose_b = gemm.attr_int("transB", 0) != 0;
  options.alpha = gemm.attr_float("alpha", 1.0f);
  options.beta = gemm.attr_float("beta", 1.0f);
  return options;
}

std::unique_ptr<AcceleratedKernel> make_product(const ProductOptions& options) {
  return std::make_unique<Product>(options);
}

std::unique_ptr<AcceleratedKernel> accelerate_matmul(const NodeFacts&) {
  return make_product({});
}

std::unique_ptr<AcceleratedKernel> accelerate_gemm(const NodeFacts& facts) {
  return make_product(gemm_options(*facts.node));
}

}  // namespace fettle::interp
