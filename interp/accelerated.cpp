#include "interp/accelerated.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "interp/attention.h"
#include "interp/biased_activation.h"
#include "interp/binary.h"
#include "interp/cast.h"
#include "interp/channel_affine.h"
#include "interp/concat.h"
#include "interp/convolution.h"
#include "interp/convolution_integer.h"
#include "interp/einsum.h"
#include "interp/expand.h"
#include "interp/fused_convolution.h"
#include "interp/gather.h"
#include "interp/gather_elements.h"
#include "interp/grid_sample.h"
#include "interp/half_adapter.h"
#include "interp/integer_convolution.h"
#include "interp/integer_product.h"
#include "interp/local_response.h"
#include "interp/matrix_product.h"
#include "interp/normalization.h"
#include "interp/pad.h"
#include "interp/pooling.h"
#include "interp/quantize.h"
#include "interp/quantized_weights.h"
#include "interp/recurrent.h"
#include "interp/reduce.h"
#include "interp/reshape_view.h"
#include "interp/resize.h"
#include "interp/rotary.h"
#include "interp/row_kernels.h"
#include "interp/shape_values.h"
#include "interp/skip_normalization.h"
#include "interp/slice.h"
#include "interp/transpose.h"
#include "interp/transposed_convolution.h"
#include "interp/unary.h"
#include "interp/where.h"

namespace fettle::interp {
namespace {

using Factory = std::unique_ptr<AcceleratedKernel> (*)(const NodeFacts&);

struct Row {
  std::string_view op;
  Factory make;
  // What results are when float16 and bfloat16 are computed in float32; nothing where the kernel
  // takes such operands itself or not at all.
  std::optional<HalfResults> halves = HalfResults::kRounded;
};

constexpr std::nullopt_t kNone = std::nullopt;

constexpr std::array kRows{  // of ai.onnx
    Row{"Abs", accelerate_unary, HalfResults::kSelected},
    Row{"Add", accelerate_binary},
    Row{"And", accelerate_predicate},
    Row{"ArgMax", accelerate_arg_reduction},
    Row{"ArgMin", accelerate_arg_reduction},
    Row{"Attention", accelerate_attention},
    Row{"AveragePool", accelerate_average_pool},
    Row{"BatchNormalization", accelerate_batch_normalization},
    Row{"Cast", accelerate_cast, kNone},
    Row{"Ceil", accelerate_unary},
    Row{"Celu", accelerate_unary},
    Row{"Clip", accelerate_unary},
    Row{"Concat", accelerate_concat, HalfResults::kMoved},
    Row{"ConstantOfShape", accelerate_constant_of_shape, kNone},
    Row{"Conv", accelerate_conv},
    Row{"ConvInteger", accelerate_convolution_integer, kNone},
    Row{"ConvTranspose", accelerate_conv_transpose},
    Row{"Cos", accelerate_unary},
    Row{"CumSum", accelerate_cumulative_sum},
    Row{"DepthToSpace", accelerate_depth_to_space, HalfResults::kMoved},
    Row{"DequantizeLinear", accelerate_dequantize, kNone},
    Row{"Div", accelerate_binary},
    Row{"Dropout", accelerate_pass_through, kNone},
    Row{"Einsum", accelerate_einsum},
    Row{"Elu", accelerate_unary},
    Row{"Equal", accelerate_predicate},
    Row{"DynamicQuantizeLinear", accelerate_dynamic_quantize, kNone},
    Row{"Erf", accelerate_unary},
    Row{"Exp", accelerate_unary},
    Row{"Expand", accelerate_expand, kNone},
    Row{"Flatten", accelerate_view, HalfResults::kMoved},
    Row{"Floor", accelerate_unary},
    Row{"GRU", accelerate_recurrent},
    Row{"Gather", accelerate_gather, kNone},
    Row{"GatherElements", accelerate_gather_elements, kNone},
    Row{"GatherND", accelerate_gather_nd, kNone},
    Row{"Gelu", accelerate_unary},
    Row{"Gemm", accelerate_gemm},
    Row{"GlobalAveragePool", accelerate_reduction},
    Row{"GlobalMaxPool", accelerate_reduction, HalfResults::kSelected},
    Row{"Greater", accelerate_predicate},
    Row{"GreaterOrEqual", accelerate_predicate},
    Row{"GridSample", accelerate_grid_sample},
    Row{"GroupNormalization", accelerate_group_normalization},
    Row{"HardSigmoid", accelerate_unary},
    Row{"HardSwish", accelerate_unary},
    Row{"Identity", accelerate_pass_through, kNone},
    Row{"InstanceNormalization", accelerate_group_normalization},
    Row{"LRN", accelerate_local_response},
    Row{"LSTM", accelerate_recurrent},
    Row{"LayerNormalization", accelerate_layer_normalization},
    Row{"LeakyRelu", accelerate_unary},
    Row{"Less", accelerate_predicate},
    Row{"LessOrEqual", accelerate_predicate},
    Row{"Log", accelerate_unary},
    Row{"LogSoftmax", accelerate_softmax},
    Row{"MatMul", accelerate_matmul},
    Row{"MatMulInteger", accelerate_matmul_integer, kNone},
    Row{"Max", accelerate_binary, HalfResults::kSelected},
    Row{"MaxPool", accelerate_max_pool, HalfResults::kSelected},
    Row{"Mean", accelerate_binary},
    Row{"Min", accelerate_binary, HalfResults::kSelected},
    Row{"Mish", accelerate_unary},
    Row{"Mul", accelerate_binary},
    Row{"Neg", accelerate_unary, HalfResults::kSelected},
    Row{"Not", accelerate_predicate},
    Row{"Or", accelerate_predicate},
    Row{"PRelu", accelerate_binary},
    Row{"Pad", accelerate_pad, kNone},
    Row{"Pow", accelerate_binary},
    Row{"QLinearConv", accelerate_qlinear_conv, kNone},
    Row{"QLinearMatMul", accelerate_qlinear_matmul, kNone},
    Row{"QuantizeLinear", accelerate_quantize, kNone},
    Row{"RMSNormalization", accelerate_rms_normalization},
    Row{"RNN", accelerate_recurrent},
    Row{"Range", accelerate_range, kNone},
    Row{"Reciprocal", accelerate_unary},
    Row{"ReduceL1", accelerate_reduction},
    Row{"ReduceL2", accelerate_reduction},
    Row{"ReduceLogSum", accelerate_reduction},
    Row{"ReduceLogSumExp", accelerate_reduction},
    Row{"ReduceMax", accelerate_reduction, HalfResults::kSelected},
    Row{"ReduceMean", accelerate_reduction},
    Row{"ReduceMin", accelerate_reduction, HalfResults::kSelected},
    Row{"ReduceProd", accelerate_reduction},
    Row{"ReduceSum", accelerate_reduction},
    Row{"ReduceSumSquare", accelerate_reduction},
    Row{"Relu", accelerate_unary, HalfResults::kSelected},
    Row{"Reshape", accelerate_view, HalfResults::kMoved},
    Row{"Resize", accelerate_resize, kNone},
    Row{"RotaryEmbedding", accelerate_rotary},
    Row{"Round", accelerate_unary},
    Row{"ScatterND", accelerate_scatter_nd, kNone},
    Row{"Selu", accelerate_unary},
    Row{"Shape", accelerate_shape, kNone},
    Row{"Shrink", accelerate_unary},
    Row{"Sigmoid", accelerate_unary},
    Row{"Sign", accelerate_unary},
    Row{"SimplifiedLayerNormalization", accelerate_rms_normalization},
    Row{"Sin", accelerate_unary},
    Row{"Size", accelerate_size, kNone},
    Row{"Slice", accelerate_slice, HalfResults::kMoved},
    Row{"Softmax", accelerate_softmax},
    Row{"Softplus", accelerate_unary},
    Row{"Softsign", accelerate_unary},
    Row{"SpaceToDepth", accelerate_space_to_depth, HalfResults::kMoved},
    Row{"Split", accelerate_split, HalfResults::kMoved},
    Row{"Sqrt", accelerate_unary},
    Row{"Squeeze", accelerate_view, HalfResults::kMoved},
    Row{"Sub", accelerate_binary},
    Row{"Sum", accelerate_binary},
    Row{"Swish", accelerate_unary},
    Row{"Tanh", accelerate_unary},
    Row{"ThresholdedRelu", accelerate_unary},
    Row{"Tile", accelerate_tile, kNone},
    Row{"Transpose", accelerate_transpose, HalfResults::kMoved},
    Row{"Unsqueeze", accelerate_view, HalfResults::kMoved},
    Row{"Upsample", accelerate_resize, kNone},
    Row{"Where", accelerate_where, kNone},
    Row{"Xor", accelerate_predicate},
};

constexpr std::array kMicrosoftRows{  // of com.microsoft
    Row{"Attention", accelerate_packed_attention},
    Row{"BiasGelu", accelerate_biased_activation},
    Row{"EmbedLayerNormalization", accelerate_embed_normalization, kNone},
    Row{"FastGelu", accelerate_biased_activation},
    Row{"FusedConv", accelerate_fused_convolution},
    Row{"FusedMatMul", accelerate_fused_matmul},
    Row{"Gelu", accelerate_biased_activation},
    Row{"MatMulNBits", accelerate_matmul_nbits},
    Row{"MultiHeadAttention", accelerate_multi_head_attention},
    Row{"QuickGelu", accelerate_biased_activation},
    Row{"RotaryEmbedding", accelerate_contrib_rotary},
    Row{"SkipLayerNormalization", accelerate_skip_normalization},
    Row{"SkipSimplifiedLayerNormalization", accelerate_skip_normalization},
};

// Null when there is none.
const Row* find_row(std::string_view domain, std::string_view op) {
  std::span<const Row> rows;
  if (domain.empty() || domain == "ai.onnx") rows = kRows;
  if (domain == "com.microsoft") rows = kMicrosoftRows;
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.op == op; });
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace

bool has_accelerated_kernel(std::string_view domain, std::string_view op) {
  return find_row(domain, op) != nullptr;
}

std::unique_ptr<AcceleratedKernel> make_accelerated(const NodeFacts& facts) {
  const Row* row = find_row(facts.node->domain, facts.node->op_type);
  if (row == nullptr) return nullptr;
  std::unique_ptr<AcceleratedKernel> kernel = row->make(facts);
  return row->halves ? with_half_operands(std::move(kernel), *row->halves) : std::move(kernel);
}

}  // namespace fettle::interp
