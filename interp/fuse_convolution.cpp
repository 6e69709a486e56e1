// Conv [-> Add(residual)] [-> activation] as one step:
//
//   x -- Conv -- Add -- Relu -- y     =>     (x, w, b, r) -- Conv+Add+Relu -- y
//                 |
//                 r
//
// and x * Sigmoid(x) after the Conv counts as an activation (SiLU).
// Conditions: each intermediate value has one reader and is neither a graph output nor observed;
// r exists before the Conv and is not constant (a constant is a broadcast bias as a rule).
#include "interp/convolution.h"
#include "interp/fusion.h"

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

// Appends Sigmoid and Mul to the members when they alone read `value` and make x * Sigmoid(x).
bool append_silu(const ir::Value* value, const FusionView& view, Fusion& fusion) {
  const std::vector<const ir::Node*> readers = view.readers(value);
  if (readers.size() != 2) return false;
  const size_t first = readers[0]->is("Sigmoid") ? 0 : 1;
  const ir::Node& sigmoid = *readers[first];
  const ir::Node& mul = *readers[1 - first];
  if (!sigmoid.is("Sigmoid") || !mul.is("Mul") || view.opset(mul) < 7 ||
      view.sole_reader(sigmoid.output(0)) != &mul || view.taken(sigmoid) || view.taken(mul)) {
    return false;
  }
  fusion.members.push_back(&sigmoid);
  fusion.members.push_back(&mul);
  return true;
}

}  // namespace

std::optional<Fusion> fuse_convolution(const ir::Node& conv, const FusionView& view) {
  Fusion fusion;
  ConvolutionOptions options;
  fusion.members.push_back(&conv);
  const ir::Value* residual = nullptr;
  const ir::Node* next = view.sole_reader(conv.output(0));
  if (next != nullptr && (residual = residual_of(*next, conv.output(0), conv, view)) != nullptr) {
    options.residual = true;
    fusion.members.push_back(next);
    next = view.sole_reader(next->output(0));
  }
  if (next != nullptr && !view.taken(*next)) {
    if (const auto activation = as_activation(*next, view)) {
      options.activation = *activation;
      fusion.members.push_back(next);
    }
  } else if (append_silu(fusion.members.back()->output(0), view, fusion)) {
    options.activation = {dnnl::algorithm::eltwise_swish, 1.0f, 0.0f};
  }
  if (fusion.members.size() == 1) return std::nullopt;
  fusion.inputs = {conv.input(0), conv.input(1), conv.input(2), residual};
  fusion.kernel = make_convolution(conv, options);
  return fusion;
}

}  // namespace fettle::interp
