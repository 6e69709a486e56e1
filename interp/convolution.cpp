#include "interp/convolution.h"

#include <algorithm>
#include <cstring>

#include "interp/convolution_geometry.h"
#include "interp/packed_weights.h"
#include "interp/shape_cache.h"

namespace fettle::interp {
namespace {

using dnnl::memory;
constexpr ir::DataType kFloat = ir::DataType::kFloat;

// A convolution compiled for one input shape.
struct Compiled {
  Prepared prepared;
  memory::desc src;
  memory::desc weights;
  memory::desc dst;
};

bool all_positive(const ir::Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t d) { return d > 0; });
}

class Convolution : public AcceleratedKernel {
 public:
  Convolution(const ir::Node& node, ConvolutionOptions options) : node_(node), options_(options) {}

  bool run(Call& call) override {
    if (!accepts(call)) return false;
    const ir::Dims x = *call.dims(0);
    const ir::Tensor& w = *call.tensor(1);
    ConvolutionGeometry g = convolution_geometry(node_, x, w.dims(), options_.transposed);
    if (!all_positive(g.dst)) return false;
    if (options_.residual && *call.dims(3) != g.dst) return false;
    const bool bias = call.has(2);
    if (bias && (call.type(2) != kFloat || call.tensor(2)->size() != g.dst[1])) return false;
    if (bias) g.bias = {g.dst[1]};
    ShapeCache<Compiled>::Key key = x;
    key.insert(key.end(), w.dims().begin(), w.dims().end());
    Compiled* compiled = cache_.get(key, [&] { return compile(g, call.is_constant(1)); });
    if (compiled == nullptr) return false;
    execute_on(call, *compiled, g, w);
    return true;
  }

 private:
  bool accepts(Call& call) const {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    if (options_.residual && call.type(3) != kFloat) return false;
    const ir::Dims& x = *call.dims(0);
    const ir::Dims& w = *call.dims(1);
    return x.size() >= 3 && x.size() <= 5 && w.size() == x.size() && all_positive(x) &&
           all_positive(w);
  }

  dnnl::primitive_attr attributes() const {
    dnnl::primitive_attr attr = scratch_attr();
    dnnl::post_ops post;
    if (options_.residual) post.append_sum(1.0f);
    const Activation& a = options_.activation;
    if (a.algorithm != dnnl::algorithm::undef) {
      post.append_eltwise(1.0f, a.algorithm, a.alpha, a.beta);
    }
    attr.set_post_ops(post);
    return attr;
  }

  // Null when oneDNN has no implementation. Weights already packed keep their layout.
  std::unique_ptr<Compiled> compile(const ConvolutionGeometry& g, bool constant_weights) {
    const memory::desc* held = constant_weights ? weights_.layout() : nullptr;
    if (held != nullptr) {
      if (auto compiled = try_compile(g, *held)) return compiled;
    }
    return try_compile(g, any_desc(g.weights, kFloat));
  }

  std::unique_ptr<Compiled> try_compile(const ConvolutionGeometry& g,
                                        const memory::desc& weights) const {
    try {
      return options_.transposed ? compile_transposed(g, weights) : compile_forward(g, weights);
    } catch (const dnnl::error&) {
      return nullptr;
    }
  }

  template <typename Primitive>
  std::unique_ptr<Compiled> finish(const ConvolutionGeometry& g,
                                   const typename Primitive::desc& desc) const {
    auto compiled = std::make_unique<Compiled>();
    compiled->prepared = prepare<Primitive>(
        g.macs(),
        [&] { return typename Primitive::primitive_desc(desc, attributes(), cpu_engine()); },
        [&](const typename Primitive::primitive_desc& pd) {
          compiled->src = pd.src_desc();
          compiled->weights = pd.weights_desc();
          compiled->dst = pd.dst_desc();
        });
    return compiled;
  }

  std::unique_ptr<Compiled> compile_forward(const ConvolutionGeometry& g,
                                            const memory::desc& weights) const {
    using Conv = dnnl::convolution_forward;
    const memory::desc bias = g.bias.empty() ? memory::desc() : plain_desc(g.bias, kFloat);
    const Conv::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                          any_desc(g.src, kFloat), weights, bias, any_desc(g.dst, kFloat),
                          g.strides, g.dilations, g.pads_begin, g.pads_end);
    return finish<Conv>(g, desc);
  }

  std::unique_ptr<Compiled> compile_transposed(const ConvolutionGeometry& g,
                                               const memory::desc& weights) const {
    using Deconv = dnnl::deconvolution_forward;
    const memory::desc bias = g.bias.empty() ? memory::desc() : plain_desc(g.bias, kFloat);
    const Deconv::desc desc(dnnl::prop_kind::forward_inference,
                            dnnl::algorithm::deconvolution_direct, any_desc(g.src, kFloat), weights,
                            bias, any_desc(g.dst, kFloat), g.strides, g.dilations, g.pads_begin,
                            g.pads_end);
    return finish<Deconv>(g, desc);
  }

  // Output storage that already holds the residual, in layout `dst`.
  static Blocked residual_storage(Call& call, const memory::desc& dst) {
    const Blocked* own = call.blocked(3);
    const memory::desc held = own != nullptr ? own->desc : plain_desc(*call.dims(3), kFloat);
    std::shared_ptr<ir::Buffer> reusable = call.reusable(3);
    if (held == dst && reusable != nullptr) return Blocked{dst, reusable, kFloat};
    Blocked out = allocate_blocked(dst, kFloat);
    const void* bytes = own != nullptr ? own->buffer->data() : call.tensor(3)->bytes();
    if (held == dst) {
      std::memcpy(out.buffer->mutable_data(), bytes, dst.get_size());
    } else {
      reorder(held, bytes, dst, out.buffer->mutable_data());
    }
    return out;
  }

  void execute_on(Call& call, Compiled& compiled, const ConvolutionGeometry& g,
                  const ir::Tensor& w) {
    Blocked converted;
    const std::byte* src = in_layout(call, 0, compiled.src, converted);
    const void* weights =
        weights_.get(w, g.weights_desc(kFloat), compiled.weights, call.is_constant(1));
    Blocked out = options_.residual ? residual_storage(call, compiled.dst)
                                    : allocate_blocked(compiled.dst, kFloat);
    const Argument x{DNNL_ARG_SRC, &compiled.src, src};
    const Argument weight{DNNL_ARG_WEIGHTS, &compiled.weights, weights};
    const Argument y{DNNL_ARG_DST, &out.desc, out.buffer->mutable_data()};
    if (g.bias.empty()) {
      compiled.prepared.run({x, weight, y});
    } else {
      const memory::desc bias = plain_desc(g.bias, kFloat);
      compiled.prepared.run({x, weight, y, {DNNL_ARG_BIAS, &bias, call.tensor(2)->bytes()}});
    }
    call.set(0, std::move(out));
  }

  const ir::Node& node_;
  ConvolutionOptions options_;
  PackedWeights weights_;
  ShapeCache<Compiled> cache_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_convolution(const ir::Node& node,
                                                    const ConvolutionOptions& options) {
  return std::make_unique<Convolution>(node, options);
}

std::unique_ptr<AcceleratedKernel> accelerate_conv(const NodeFacts& facts) {
  return make_convolution(*facts.node, {});
}

std::unique_ptr<AcceleratedKernel> accelerate_conv_transpose(const NodeFacts& facts) {
  return make_convolution(*facts.node, {.transposed = true, .residual = false, .activation = {}});
}

}  // namespace fettle::interp
