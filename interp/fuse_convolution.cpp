// [Pad ->] Conv or ConvTranspose [-> scale and shift of channels] [-> Add(residual)] [->
// activation] as one step:
//
//   x -- Conv -- BatchNormalization -- Add -- Relu -- y     =>     (x, w, b, r) -- Conv -- y
//                                       |
//                                       r
//
// The scale goes into the weights and the shift into the bias (w' = w * scale, b' = b * scale +
// shift), which must then be constant. x * Sigmoid(x), x * HardSigmoid(x; 1/6, 1/2) and
// x * Clip(x + 3, 0, 6) / 6 count as activations (SiLU, HardSwish). Conditions: each intermediate
// value has one reader and is neither a graph output nor observed; r exists before the Conv and is
// not constant.
#include <algorithm>
#include <cmath>

#include "interp/convolution.h"
#include "interp/fusion.h"
#include "interp/hard_swish.h"
#include "interp/transposed_convolution.h"

namespace fettle::interp {
namespace {

// The other operand of `add` when it can be a residual for `conv`, else null.
const ir::Value* residual_of(const ir::Node& add, const ir::Value* conv_output,
                             const ir::Node& conv, const FusionView& view) {
  const bool adds = add.is("Add") || (add.is("Sum") && add.inputs().size() == 2);
  if (!adds || view.opset(add) < 7) return nullptr;
  const ir::Value* other = add.input(0) == conv_output ? add.input(1) : add.input(0);
  if (other == nullptr || other == conv_output || view.constant(other) != nullptr) return nullptr;
  return view.available_before(other, conv) ? other : nullptr;
}

// The activation x * gate(x) when `gate` is one of these.
std::optional<Activation> gated(const ir::Node& gate) {
  if (gate.is("Sigmoid")) return Activation{dnnl::algorithm::eltwise_swish, 1.0f, 0.0f};
  const bool hard = gate.is("HardSigmoid") && gate.attr_float("beta", 0.5f) == 0.5f &&
                    std::abs(gate.attr_float("alpha", 0.2f) - 1.0f / 6.0f) < 1e-7f;
  if (hard) return Activation{dnnl::algorithm::eltwise_hardswish, 0.0f, 0.0f};
  return std::nullopt;
}

// Appends a gate and Mul to the members when they alone read `value` and make x * gate(x).
std::optional<Activation> append_gated(const ir::Value* value, const FusionView& view,
                                       Fusion& fusion) {
  const std::vector<const ir::Node*> readers = view.readers(value);
  if (readers.size() != 2) return std::nullopt;
  const size_t first = readers[0]->is("Mul") ? 1 : 0;
  const ir::Node& gate = *readers[first];
  const ir::Node& mul = *readers[1 - first];
  const std::optional<Activation> activation = gated(gate);
  if (!activation || !mul.is("Mul") || view.opset(mul) < 7 ||
      view.sole_reader(gate.output(0)) != &mul || view.taken(gate) || view.taken(mul)) {
    return std::nullopt;
  }
  fusion.members.push_back(&gate);
  fusion.members.push_back(&mul);
  return activation;
}

// Folds what scales and shifts the channels after `conv`, when its own parameters are constant.
ChannelFold take_fold(const ir::Node& conv, bool transposed, const FusionView& view,
                      Fusion& fusion) {
  const ir::Tensor* w = view.constant(conv.input(1));
  const ir::Tensor* b = view.constant(conv.input(2));
  const bool constant = w != nullptr && (conv.input(2) == nullptr || b != nullptr);
  if (!constant || w->rank() < 3 || w->type() != ir::DataType::kFloat || w->size() == 0) return {};
  const int64_t channels = transposed ? w->dim(1) * conv.attr_int("group", 1) : w->dim(0);
  return fold_channels(conv.output(0), channels, w->rank(), view, fusion.members);
}

// Appends a residual addition to the members. Returns the residual, null when there is none.
const ir::Value* take_residual(const ir::Node& conv, const FusionView& view, Fusion& fusion) {
  const ir::Value* own = fusion.members.back()->output(0);
  const ir::Node* next = view.sole_reader(own);
  if (next == nullptr || view.taken(*next)) return nullptr;
  const ir::Value* residual = residual_of(*next, own, conv, view);
  if (residual != nullptr) fusion.members.push_back(next);
  return residual;
}

// Pads of a Pad node as [begins, ends]; empty when they are not known.
std::vector<int64_t> pads_of(const ir::Node& pad, const FusionView& view) {
  if (view.opset(pad) < 11) return pad.attr_ints("pads");
  const ir::Tensor* pads = view.constant(pad.input(1));
  const bool whole = pads != nullptr && pads->type() == ir::DataType::kInt64 && !pad.input(3);
  return whole ? ir::elements_as_ints(*pads) : std::vector<int64_t>();
}

bool pads_with_zero(const ir::Node& pad, const FusionView& view) {
  if (pad.attr_string("mode", "constant") != "constant") return false;
  if (view.opset(pad) < 11) return pad.attr_float("value", 0.0f) == 0.0f;
  if (pad.input(2) == nullptr) return true;
  const ir::Tensor* value = view.constant(pad.input(2));
  return value != nullptr && value->type() == ir::DataType::kFloat && value->size() == 1 &&
         value->data<float>()[0] == 0.0f;
}

// Takes the Pad that gives operand 0 of `conv` into the step. Returns what then is operand 0.
const ir::Value* take_pad(const ir::Node& conv, const FusionView& view, Fusion& fusion,
                          ConvolutionOptions& options) {
  const ir::Value* x = conv.input(0);
  const ir::Node* pad = x == nullptr ? nullptr : x->producer();
  if (pad == nullptr || &pad->graph() != &conv.graph() || !pad->is("Pad") ||
      !pad->is_default_domain() || view.taken(*pad) || view.sole_reader(x) != &conv ||
      !pads_with_zero(*pad, view)) {
    return x;
  }
  const std::vector<int64_t> pads = pads_of(*pad, view);
  const size_t rank = pads.size() / 2;
  const bool spatial = pads.size() % 2 == 0 && rank >= 3 && rank <= 5 && pads[0] == 0 &&
                       pads[1] == 0 && pads[rank] == 0 && pads[rank + 1] == 0;
  if (!spatial || std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p < 0; })) return x;
  options.pads_begin.assign(pads.begin() + 2, pads.begin() + static_cast<std::ptrdiff_t>(rank));
  options.pads_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(rank) + 2, pads.end());
  fusion.members.insert(fusion.members.begin(), pad);
  return pad->input(0);
}

// Appends a residual addition and an activation. Returns the residual, null when there is none.
const ir::Value* take_what_follows(const ir::Node& conv, const FusionView& view, Fusion& fusion,
                                   ConvolutionOptions& options) {
  const ir::Value* residual = take_residual(conv, view, fusion);
  options.residual = residual != nullptr;
  const ir::Node* next = view.sole_reader(fusion.members.back()->output(0));
  if (next != nullptr && !view.taken(*next)) {
    options.activations = as_activations(*next, view);
    if (!options.activations.empty()) fusion.members.push_back(next);
    return residual;
  }
  const ir::Value* value = fusion.members.back()->output(0);
  const std::vector<const ir::Node*> swish = find_hard_swish(value, view);
  if (!swish.empty()) {
    fusion.members.insert(fusion.members.end(), swish.begin(), swish.end());
    options.activations = {{dnnl::algorithm::eltwise_hardswish, 0.0f, 0.0f}};
  } else if (const auto gate = append_gated(value, view, fusion)) {
    options.activations = {*gate};
  }
  return residual;
}

// The activation after a transposed convolution.
void take_function(const FusionView& view, Fusion& fusion, TransposedConvolutionOptions& options) {
  const ir::Node* next = view.sole_reader(fusion.members.back()->output(0));
  if (next == nullptr || view.taken(*next) || !next->is_default_domain()) return;
  if (next->input(0) != fusion.members.back()->output(0)) return;
  const auto activation = as_activation(*next, view);
  if (activation && activation->algorithm == dnnl::algorithm::eltwise_clip) {
    options.low = activation->alpha;
    options.high = activation->beta;
  } else if (activation && activation->algorithm == dnnl::algorithm::eltwise_relu &&
             activation->alpha == 0.0f) {
    options.low = 0.0f;
  } else {
    NodeFacts facts{next, view.opset(*next), {}};
    for (const ir::Value* input : next->inputs()) facts.constants.push_back(view.constant(input));
    const auto function = unary_function(facts);
    if (!function) return;
    options.function = *function;
  }
  fusion.members.push_back(next);
}

std::optional<Fusion> fuse_transposed(const ir::Node& conv, const FusionView& view) {
  Fusion fusion;
  TransposedConvolutionOptions options;
  fusion.members.push_back(&conv);
  options.fold = take_fold(conv, true, view, fusion);
  const ir::Tensor* w = view.constant(conv.input(1));
  const ir::Value* residual = nullptr;
  if (w != nullptr && (w->rank() == 3 || w->rank() == 4)) {
    residual = take_residual(conv, view, fusion);
    options.residual = residual != nullptr;
    take_function(view, fusion, options);
  }
  if (fusion.members.size() == 1) return std::nullopt;
  fusion.inputs = {conv.input(0), conv.input(1), conv.input(2), residual};
  fusion.kernel = make_transposed_convolution(conv, std::move(options));
  return fusion;
}

}  // namespace

std::optional<Fusion> fuse_convolution(const ir::Node& conv, const FusionView& view) {
  if (conv.is("ConvTranspose")) return fuse_transposed(conv, view);
  Fusion fusion;
  ConvolutionOptions options;
  const ir::Value* x = take_pad(conv, view, fusion, options);
  fusion.members.push_back(&conv);
  options.fold = take_fold(conv, false, view, fusion);
  const ir::Value* residual = take_what_follows(conv, view, fusion, options);
  if (fusion.members.size() == 1) return std::nullopt;
  fusion.inputs = {x, conv.input(1), conv.input(2), residual};
  fusion.kernel = make_convolution(conv, std::move(options));
  return fusion;
}

}  // namespace fettle::interp
