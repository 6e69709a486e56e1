#include "interp/convolution.h"

#include <algorithm>
#include <cstring>

#include "interp/convolution_geometry.h"
#include "interp/packed_weights.h"
#include "interp/shape_cache.h"
#include "ir/error.h"

namespace fettle::interp {
namespace {

using dnnl::memory;
constexpr ir::DataType kFloat = ir::DataType::kFloat;

// A convolution compiled for one input shape.
struct Compiled {
  ir::Dims x, w;
  ConvolutionGeometry geometry;
  Prepared prepared;
  memory::desc src;
  memory::desc weights;
  memory::desc bias;
  memory::desc dst;
  bool possible = false;
};

bool all_positive(const ir::Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t d) { return d > 0; });
}

class Convolution : public AcceleratedKernel {
 public:
  Convolution(const ir::Node& node, ConvolutionOptions options)
      : node_(node), options_(std::move(options)) {}

  bool run(Call& call) override {
    if (!accepts(call)) return false;
    Compiled* compiled = find(*call.dims(0), *call.dims(1), call);
    if (!compiled->possible) return false;
    const ConvolutionGeometry& g = compiled->geometry;
    if (options_.residual && *call.dims(3) != g.dst) return false;
    const bool bias = call.has(2);
    if (bias && (call.type(2) != kFloat || call.tensor(2)->size() != g.dst[1])) return false;
    if (folds() && static_cast<int64_t>(options_.fold.scale.size()) != g.dst[1]) return false;
    execute_on(call, *compiled);
    used_ = compiled;
    return true;
  }

  std::string describe() const override {
    return used_ == nullptr ? "oneDNN" : "oneDNN " + used_->prepared.implementation();
  }

 private:
  bool accepts(Call& call) const {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    if (options_.residual && call.type(3) != kFloat) return false;
    const ir::Dims& x = *call.dims(0);
    const ir::Dims& w = *call.dims(1);
    const bool fits = options_.pads_begin.empty() || options_.pads_begin.size() + 2 == x.size();
    return fits && x.size() >= 3 && x.size() <= 5 && w.size() == x.size() && all_positive(x) &&
           all_positive(w);
  }

  dnnl::primitive_attr attributes() const {
    dnnl::primitive_attr attr = scratch_attr();
    dnnl::post_ops post;
    if (options_.residual) post.append_sum(1.0f);
    for (const Activation& a : options_.activations) {
      post.append_eltwise(1.0f, a.algorithm, a.alpha, a.beta);
    }
    attr.set_post_ops(post);
    return attr;
  }

  bool folds() const { return !options_.fold.scale.empty(); }

  Compiled* find(const ir::Dims& x, const ir::Dims& w, Call& call) {
    if (used_ != nullptr && used_->x == x && used_->w == w) return used_;
    used_ = nullptr;  // it may leave the cache
    ShapeCache<Compiled>::Key key = x;
    key.insert(key.end(), w.begin(), w.end());
    return cache_.get(key, [&] { return compile(x, w, call); });
  }

  ConvolutionGeometry padded_geometry(const ir::Dims& x, const ir::Dims& w) const {
    const size_t axes = options_.pads_begin.size();
    if (axes == 0) return convolution_geometry(node_, x, w, options_.transposed);
    FETTLE_ASSERT(axes + 2 == x.size());
    ir::Dims padded = x;
    for (size_t i = 0; i < axes; ++i) {
      padded[i + 2] += options_.pads_begin[i] + options_.pads_end[i];
    }
    ConvolutionGeometry g = convolution_geometry(node_, padded, w, options_.transposed);
    g.src = x;
    for (size_t i = 0; i < axes; ++i) {
      g.pads_begin[i] += options_.pads_begin[i];
      g.pads_end[i] += options_.pads_end[i];
    }
    return g;
  }

  // Not possible when oneDNN has no implementation. Weights already packed keep their layout.
  std::unique_ptr<Compiled> compile(const ir::Dims& x, const ir::Dims& w, Call& call) {
    auto compiled = std::make_unique<Compiled>();
    compiled->x = x;
    compiled->w = w;
    ConvolutionGeometry& g = compiled->geometry;
    g = padded_geometry(x, w);
    if (!all_positive(g.dst) || breaks_primitive(g)) return compiled;
    if (call.has(2) || folds()) compiled->bias = plain_desc({g.dst[1]}, kFloat);
    const memory::desc* held = call.is_constant(1) ? weights_.layout() : nullptr;
    compiled->possible = (held != nullptr && try_compile(*compiled, *held)) ||
                         try_compile(*compiled, any_desc(g.weights, kFloat));
    return compiled;
  }

  // Kernels that oneDNN 2.6 makes for AVX-512 crash on windows without a single element of the input
  // when a function follows the sum with another tensor.
  bool breaks_primitive(const ConvolutionGeometry& g) const {
    return options_.residual && !options_.activations.empty() && !options_.transposed &&
           has_empty_windows(g);
  }

  bool try_compile(Compiled& compiled, const memory::desc& weights) const {
    try {
      options_.transposed ? compile_transposed(compiled, weights)
                          : compile_forward(compiled, weights);
      return true;
    } catch (const dnnl::error&) {
      return false;
    }
  }

  template <typename Primitive>
  void finish(Compiled& compiled, const typename Primitive::desc& desc) const {
    compiled.prepared = prepare<Primitive>(
        compiled.geometry.macs(),
        [&] { return typename Primitive::primitive_desc(desc, attributes(), cpu_engine()); },
        [&](const typename Primitive::primitive_desc& pd) {
          compiled.src = pd.src_desc();
          compiled.weights = pd.weights_desc();
          compiled.dst = pd.dst_desc();
        });
  }

  void compile_forward(Compiled& compiled, const memory::desc& weights) const {
    using Conv = dnnl::convolution_forward;
    const ConvolutionGeometry& g = compiled.geometry;
    const Conv::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                          any_desc(g.src, kFloat), weights, compiled.bias, any_desc(g.dst, kFloat),
                          g.strides, g.dilations, g.pads_begin, g.pads_end);
    finish<Conv>(compiled, desc);
  }

  void compile_transposed(Compiled& compiled, const memory::desc& weights) const {
    using Deconv = dnnl::deconvolution_forward;
    const ConvolutionGeometry& g = compiled.geometry;
    const Deconv::desc desc(dnnl::prop_kind::forward_inference,
                            dnnl::algorithm::deconvolution_direct, any_desc(g.src, kFloat), weights,
                            compiled.bias, any_desc(g.dst, kFloat), g.strides, g.dilations,
                            g.pads_begin, g.pads_end);
    finish<Deconv>(compiled, desc);
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

  const void* weights(Call& call, const Compiled& compiled) {
    const ir::Tensor& w = *call.tensor(1);
    const memory::desc plain = compiled.geometry.weights_desc(kFloat);
    if (!folds()) return weights_.get(w, plain, compiled.weights, call.is_constant(1));
    if (const void* held = weights_.held(compiled.weights)) return held;
    const int64_t group = node_.attr_int("group", 1);
    const void* packed =
        weights_.keep(scaled_weights(w, group, options_.transposed, options_.fold.scale), plain,
                      compiled.weights);
    w.release_pages();
    return packed;
  }

  const void* bias(Call& call) {
    if (!folds()) return call.tensor(2)->bytes();
    if (folded_bias_.empty()) {
      folded_bias_ = options_.fold.shift;
      const float* own = call.has(2) ? call.tensor(2)->data<float>().data() : nullptr;
      for (size_t c = 0; own != nullptr && c < folded_bias_.size(); ++c) {
        folded_bias_[c] += own[c] * options_.fold.scale[c];
      }
    }
    return folded_bias_.data();
  }

  void execute_on(Call& call, Compiled& compiled) {
    Blocked converted;
    const std::byte* src = in_layout(call, 0, compiled.src, converted);
    const void* packed = weights(call, compiled);
    Blocked out = options_.residual ? residual_storage(call, compiled.dst)
                                    : allocate_blocked(compiled.dst, kFloat);
    const Argument x{DNNL_ARG_SRC, &compiled.src, src};
    const Argument weight{DNNL_ARG_WEIGHTS, &compiled.weights, packed};
    const Argument y{DNNL_ARG_DST, &compiled.dst, out.buffer->mutable_data()};
    if (call.has(2) || folds()) {
      compiled.prepared.run({x, weight, y, {DNNL_ARG_BIAS, &compiled.bias, bias(call)}});
    } else {
      compiled.prepared.run({x, weight, y});
    }
    out.known_dims = compiled.geometry.dst;
    call.set(0, std::move(out));
  }

  const ir::Node& node_;
  ConvolutionOptions options_;
  PackedWeights weights_;
  std::vector<float> folded_bias_;
  ShapeCache<Compiled> cache_;
  Compiled* used_ = nullptr;  // by the last run
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_convolution(const ir::Node& node,
                                                    ConvolutionOptions options) {
  return std::make_unique<Convolution>(node, std::move(options));
}

std::unique_ptr<AcceleratedKernel> accelerate_conv(const NodeFacts& facts) {
  return make_convolution(*facts.node, {});
}

}  // namespace fettle::interp
