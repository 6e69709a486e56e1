#include "interp/transposed_convolution.h"

#include <algorithm>

#include "interp/convolution.h"
#include "interp/transposed_image.h"

namespace fettle::interp {
namespace {

constexpr ir::DataType kFloat = ir::DataType::kFloat;

bool all_positive(const ir::Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t d) { return d > 0; });
}

class TransposedConvolution : public AcceleratedKernel {
 public:
  TransposedConvolution(const ir::Node& node, TransposedConvolutionOptions options)
      : node_(node), options_(std::move(options)) {}

  bool run(Call& call) override {
    if (call.type(0) != kFloat || call.type(1) != kFloat) return false;
    const ir::Dims& x = *call.dims(0);
    const ir::Dims& w = *call.dims(1);
    if (x.size() != w.size() || !all_positive(x) || !all_positive(w)) return false;
    if (x.size() == 5) return run_volume(call);
    if (x.size() != 3 && x.size() != 4) return false;
    if (x != x_ || w != w_) resolve(x, w);
    if (!all_positive(y_) || !fits(call)) return false;
    compute(call);
    return true;
  }

  std::string describe() const override {
    return volume_ == nullptr ? AcceleratedKernel::describe() : volume_->describe();
  }

 private:
  bool folds() const { return !options_.fold.scale.empty(); }

  // Three spatial axes: by a primitive.
  bool run_volume(Call& call) {
    if (!options_.plain_end()) return false;
    if (volume_ == nullptr) {
      volume_ = make_convolution(
          node_, {.transposed = true, .fold = options_.fold, .residual = false, .activations = {}});
    }
    return volume_->run(call);
  }

  void resolve(const ir::Dims& x, const ir::Dims& w) {
    const ops::Window window = ops::conv_transpose_window(node_, x, w);
    y_ = ops::conv_transpose_output_dims(window, x, w);
    geometry_ = transposed_geometry(window, x, w);
    if (w != w_) weights_ = {};
    x_ = x;
    w_ = w;
  }

  bool fits(Call& call) const {
    const auto filters = static_cast<size_t>(geometry_.filters);
    if (folds() && options_.fold.scale.size() != filters) return false;
    if (options_.residual && (call.type(3) != kFloat || *call.dims(3) != y_)) return false;
    return !call.has(2) || (call.type(2) == kFloat && call.tensor(2)->size() == geometry_.filters);
  }

  void place_input(Call& call, TransposedOperands& o, Blocked& storage) const {
    const Blocked* own = call.blocked(0);
    const int64_t positions = geometry_.height.input * geometry_.width.input;
    if (own == nullptr && !geometry_.depthwise()) {
      o.x = call.tensor(0)->data<float>().data();
      o.x_position = 1;
      o.x_channel = positions;
      o.x_image = positions * geometry_.channels;
      return;
    }
    o.x_position = geometry_.channels;
    const auto layout = own == nullptr ? std::nullopt : channel_layout(*own);
    if (layout && layout->groups == 1) {
      o.x = reinterpret_cast<const float*>(own->buffer->data());
      o.x_position = layout->block;
    } else {
      o.x = reinterpret_cast<const float*>(
          in_layout(call, 0, channels_last_desc(x_, kFloat), storage));
    }
    o.x_image = positions * o.x_position;
  }

  void prepare_weights(Call& call) {
    const bool constant = call.is_constant(1);
    if (constant && !weights_.empty()) return;
    const ir::Tensor& w = *call.tensor(1);
    weights_ = folds()
                   ? TransposedWeights(scaled_weights(w, geometry_.group, true, options_.fold.scale)
                                           .data<float>()
                                           .data(),
                                       geometry_)
                   : TransposedWeights(w.data<float>().data(), geometry_);
    if (constant) w.release_pages();
  }

  const float* bias(Call& call) {
    const float* own = call.has(2) ? call.tensor(2)->data<float>().data() : nullptr;
    if (!folds()) return own;
    if (folded_bias_.empty()) {
      folded_bias_ = options_.fold.shift;
      for (size_t c = 0; own != nullptr && c < folded_bias_.size(); ++c) {
        folded_bias_[c] += own[c] * options_.fold.scale[c];
      }
    }
    return folded_bias_.data();
  }

  void compute(Call& call) {
    TransposedOperands o;
    Blocked input;
    place_input(call, o, input);
    prepare_weights(call);
    o.bias = bias(call);
    o.low = options_.low;
    o.high = options_.high;
    o.function = options_.function;
    const dnnl::memory::desc layout =
        geometry_.filters == 1 ? plain_desc(y_, kFloat) : channels_last_desc(y_, kFloat);
    Blocked addend;
    Blocked out{layout, nullptr, kFloat};
    if (options_.residual) {
      o.residual = reinterpret_cast<const float*>(in_layout(call, 3, layout, addend));
      out.buffer = addend.buffer != nullptr ? addend.buffer : call.reusable(3);
      if (out.buffer != nullptr &&
          reinterpret_cast<const float*>(out.buffer->data()) != o.residual) {
        out.buffer = nullptr;
      }
    }
    if (out.buffer == nullptr) out = allocate_blocked(layout, kFloat);
    o.out = reinterpret_cast<float*>(out.buffer->mutable_data());
    transposed_convolution(geometry_, weights_, o);
    out.known_dims = y_;
    call.set(0, std::move(out));
  }

  const ir::Node& node_;
  TransposedConvolutionOptions options_;
  std::unique_ptr<AcceleratedKernel> volume_;
  ir::Dims x_, w_, y_;  // for which `geometry_` holds
  TransposedGeometry geometry_;
  TransposedWeights weights_;  // packed for w_
  std::vector<float> folded_bias_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_transposed_convolution(
    const ir::Node& node, TransposedConvolutionOptions options) {
  return std::make_unique<TransposedConvolution>(node, std::move(options));
}

std::unique_ptr<AcceleratedKernel> accelerate_conv_transpose(const NodeFacts& facts) {
  return make_transposed_convolution(*facts.node, {});
}

}  // namespace fettle::interp
