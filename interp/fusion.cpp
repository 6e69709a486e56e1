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
    Row{"Add", fuse_qdq_binary},
    Row{"Clip", fuse_qdq_unary},
    Row{"Conv", fuse_qdq_convolution},
    Row{"Conv", fuse_convolution},
    Row{"DepthToSpace", fuse_qdq_movement},
    Row{"Elu", fuse_qdq_unary},
    Row{"Flatten", fuse_qdq_movement},
    Row{"Gelu", fuse_qdq_unary},
    Row{"Gemm", fuse_qdq_product},
    Row{"HardSigmoid", fuse_qdq_unary},
    Row{"HardSwish", fuse_qdq_unary},
    Row{"LeakyRelu", fuse_qdq_unary},
    Row{"MatMul", fuse_qdq_product},
    Row{"Mul", fuse_qdq_binary},
    Row{"Relu", fuse_qdq_unary},
    Row{"Reshape", fuse_qdq_movement},
    Row{"Sigmoid", fuse_qdq_unary},
    Row{"Slice", fuse_qdq_movement},
    Row{"SpaceToDepth", fuse_qdq_movement},
    Row{"Squeeze", fuse_qdq_movement},
    Row{"Tanh", fuse_qdq_unary},
    Row{"Transpose", fuse_qdq_movement},
    Row{"Unsqueeze", fuse_qdq_movement},
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
