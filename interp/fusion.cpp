#include "interp/fusion.h"

#include <array>
#include <string_view>

namespace fettle::interp {
namespace {

struct Row {
  std::string_view op;  // of the default domain
  std::optional<Fusion> (*find)(const ir::Node&, const FusionView&);
};

// Several rows of one operator are tried in order.
constexpr std::array kRecognisers{
    Row{"Abs", fuse_elementwise},
    Row{"Add", fuse_qdq_binary},
    Row{"Add", fuse_elementwise},
    Row{"Ceil", fuse_elementwise},
    Row{"Celu", fuse_elementwise},
    Row{"Clip", fuse_qdq_unary},
    Row{"Clip", fuse_elementwise},
    Row{"Concat", fuse_qdq_concat},
    Row{"Conv", fuse_qdq_convolution},
    Row{"Conv", fuse_convolution},
    Row{"ConvTranspose", fuse_convolution},
    Row{"Cos", fuse_elementwise},
    Row{"DepthToSpace", fuse_qdq_movement},
    Row{"Div", fuse_elementwise},
    Row{"Elu", fuse_qdq_unary},
    Row{"Elu", fuse_elementwise},
    Row{"Erf", fuse_elementwise},
    Row{"Exp", fuse_elementwise},
    Row{"Flatten", fuse_qdq_movement},
    Row{"Floor", fuse_elementwise},
    Row{"Gather", fuse_qdq_movement},
    Row{"Gelu", fuse_qdq_unary},
    Row{"Gelu", fuse_elementwise},
    Row{"Gemm", fuse_qdq_product},
    Row{"Gemm", fuse_product},
    Row{"GlobalAveragePool", fuse_qdq_global_average},
    Row{"HardSigmoid", fuse_qdq_unary},
    Row{"HardSigmoid", fuse_elementwise},
    Row{"HardSwish", fuse_qdq_unary},
    Row{"HardSwish", fuse_elementwise},
    Row{"LeakyRelu", fuse_qdq_unary},
    Row{"LeakyRelu", fuse_elementwise},
    Row{"Log", fuse_elementwise},
    Row{"MatMul", fuse_qdq_product},
    Row{"MatMul", fuse_product},
    Row{"Max", fuse_elementwise},
    Row{"Min", fuse_elementwise},
    Row{"Mish", fuse_elementwise},
    Row{"MaxPool", fuse_qdq_max_pool},
    Row{"Mul", fuse_qdq_binary},
    Row{"Mul", fuse_elementwise},
    Row{"Neg", fuse_elementwise},
    Row{"Pow", fuse_elementwise},
    Row{"PRelu", fuse_elementwise},
    Row{"Reciprocal", fuse_elementwise},
    Row{"ReduceMean", fuse_elementwise},
    Row{"ReduceSum", fuse_elementwise},
    Row{"Pad", fuse_qdq_movement},
    Row{"QuantizeLinear", fuse_qdq_split},
    Row{"Relu", fuse_qdq_unary},
    Row{"Relu", fuse_elementwise},
    Row{"Reshape", fuse_qdq_channel_shuffle},
    Row{"Reshape", fuse_qdq_movement},
    Row{"Reshape", fuse_channel_shuffle},
    Row{"Round", fuse_elementwise},
    Row{"Selu", fuse_elementwise},
    Row{"Shrink", fuse_elementwise},
    Row{"Resize", fuse_qdq_movement},
    Row{"Sigmoid", fuse_qdq_unary},
    Row{"Sigmoid", fuse_elementwise},
    Row{"Sign", fuse_elementwise},
    Row{"Sin", fuse_elementwise},
    Row{"Slice", fuse_qdq_movement},
    Row{"Softplus", fuse_elementwise},
    Row{"Softsign", fuse_elementwise},
    Row{"SpaceToDepth", fuse_qdq_movement},
    Row{"Sqrt", fuse_elementwise},
    Row{"Squeeze", fuse_qdq_movement},
    Row{"Sub", fuse_elementwise},
    Row{"Swish", fuse_elementwise},
    Row{"Tanh", fuse_qdq_unary},
    Row{"Tanh", fuse_elementwise},
    Row{"ThresholdedRelu", fuse_elementwise},
    Row{"Transpose", fuse_qdq_movement},
    Row{"Unsqueeze", fuse_qdq_channel_pool},
    Row{"Unsqueeze", fuse_qdq_movement},
    Row{"Unsqueeze", fuse_channel_pool},
};

}  // namespace

std::optional<Fusion> find_fusion(const ir::Node& anchor, const FusionView& view) {
  if (!anchor.is_default_domain()) return std::nullopt;
  for (const Row& row : kRecognisers) {
    if (row.op != anchor.op_type) continue;
    if (std::optional<Fusion> fusion = row.find(anchor, view)) return fusion;
  }
  return std::nullopt;
}

}  // namespace fettle::interp
