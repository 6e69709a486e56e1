#include "interp/accelerated.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "interp/binary.h"
#include "interp/cast.h"
#include "interp/channel_affine.h"
#include "interp/concat.h"
#include "interp/convolution.h"
#include "interp/convolution_integer.h"
#include "interp/expand.h"
#include "interp/gather.h"
#include "interp/half_adapter.h"
#include "interp/integer_convolution.h"
#include "interp/integer_product.h"
#include "interp/matrix_product.h"
#include "interp/normalization.h"
#include "interp/pad.h"
#include "interp/pooling.h"
#include "interp/quantize.h"
#include "interp/recurrent.h"
#include "interp/reduce.h"
#include "interp/reshape_view.h"
#include "interp/resize.h"
#include "interp/row_kernels.h"
#include "interp/shape_values.h"
#include "interp/slice.h"
#include "interp/transpose.h"
#include "interp/transposed_convolution.h"
#include "interp/unary.h"
#include "interp/where.h"

namespace fettle::interp {
namespace {

using Factory = std::unique_ptr<AcceleratedKernel> (*)(const NodeFacts&);

struct Row {
  std::string_view op;  // of the default domain
  Factory make;
  bool halves = true;  // may compute float16 and bfloat16 in float32, rounding the result
};

constexpr std::array kRows{
    Row{"Abs", accelerate_unary},
    Row{"Add", accelerate_binary},
    Row{"And", accelerate_predicate},
    Row{"ArgMax", accelerate_arg_reduction},
    Row{"ArgMin", accelerate_arg_reduction},
    Row{"AveragePool", accelerate_average_pool},
    Row{"BatchNormalization", accelerate_batch_normalization},
    Row{"Cast", accelerate_cast, false},
    Row{"Ceil", accelerate_unary},
    Row{"Celu", accelerate_unary},
    Row{"Clip", accelerate_unary},
    Row{"Concat", accelerate_concat, false},
    Row{"ConstantOfShape", accelerate_constant_of_shape, false},
    Row{"Conv", accelerate_conv},
    Row{"ConvInteger", accelerate_convolution_integer, false},
    Row{"ConvTranspose", accelerate_conv_transpose},
    Row{"Cos", accelerate_unary},
    Row{"CumSum", accelerate_cumulative_sum},
    Row{"DepthToSpace", accelerate_depth_to_space, false},
    Row{"DequantizeLinear", accelerate_dequantize, false},
    Row{"Div", accelerate_binary},
    Row{"Dropout", accelerate_pass_through, false},
    Row{"Elu", accelerate_unary},
    Row{"Equal", accelerate_predicate},
    Row{"DynamicQuantizeLinear", accelerate_dynamic_quantize, false},
    Row{"Erf", accelerate_unary},
    Row{"Exp", accelerate_unary},
    Row{"Expand", accelerate_expand, false},
    Row{"Flatten", accelerate_view, false},
    Row{"Floor", accelerate_unary},
    Row{"GRU", accelerate_recurrent},
    Row{"Gather", accelerate_gather, false},
    Row{"GatherND", accelerate_gather_nd, false},
    Row{"Gelu", accelerate_unary},
    Row{"Gemm", accelerate_gemm},
    Row{"GlobalAveragePool", accelerate_reduction},
    Row{"GlobalMaxPool", accelerate_reduction},
    Row{"Greater", accelerate_predicate},
    Row{"GreaterOrEqual", accelerate_predicate},
    Row{"GroupNormalization", accelerate_group_normalization},
    Row{"HardSigmoid", accelerate_unary},
    Row{"HardSwish", accelerate_unary},
    Row{"Identity", accelerate_pass_through, false},
    Row{"InstanceNormalization", accelerate_group_normalization},
    Row{"LSTM", accelerate_recurrent},
    Row{"LayerNormalization", accelerate_layer_normalization},
    Row{"LeakyRelu", accelerate_unary},
    Row{"Less", accelerate_predicate},
    Row{"LessOrEqual", accelerate_predicate},
    Row{"Log", accelerate_unary},
    Row{"LogSoftmax", accelerate_softmax},
    Row{"MatMul", accelerate_matmul},
    Row{"MatMulInteger", accelerate_matmul_integer, false},
    Row{"Max", accelerate_binary},
    Row{"MaxPool", accelerate_max_pool},
    Row{"Mean", accelerate_binary},
    Row{"Min", accelerate_binary},
    Row{"Mish", accelerate_unary},
    Row{"Mul", accelerate_binary},
    Row{"Neg", accelerate_unary},
    Row{"Not", accelerate_predicate},
    Row{"Or", accelerate_predicate},
    Row{"PRelu", accelerate_binary},
    Row{"Pad", accelerate_pad, false},
    Row{"Pow", accelerate_binary},
    Row{"QLinearConv", accelerate_qlinear_conv, false},
    Row{"QLinearMatMul", accelerate_qlinear_matmul, false},
    Row{"QuantizeLinear", accelerate_quantize, false},
    Row{"RMSNormalization", accelerate_rms_normalization},
    Row{"RNN", accelerate_recurrent},
    Row{"Range", accelerate_range, false},
    Row{"Reciprocal", accelerate_unary},
    Row{"ReduceL1", accelerate_reduction},
    Row{"ReduceL2", accelerate_reduction},
    Row{"ReduceLogSum", accelerate_reduction},
    Row{"ReduceLogSumExp", accelerate_reduction},
    Row{"ReduceMax", accelerate_reduction},
    Row{"ReduceMean", accelerate_reduction},
    Row{"ReduceMin", accelerate_reduction},
    Row{"ReduceProd", accelerate_reduction},
    Row{"ReduceSum", accelerate_reduction},
    Row{"ReduceSumSquare", accelerate_reduction},
    Row{"Relu", accelerate_unary},
    Row{"Reshape", accelerate_view, false},
    Row{"Resize", accelerate_resize, false},
    Row{"Round", accelerate_unary},
    Row{"ScatterND", accelerate_scatter_nd, false},
    Row{"Selu", accelerate_unary},
    Row{"Shape", accelerate_shape, false},
    Row{"Shrink", accelerate_unary},
    Row{"Sigmoid", accelerate_unary},
    Row{"Sign", accelerate_unary},
    Row{"SimplifiedLayerNormalization", accelerate_rms_normalization},
    Row{"Sin", accelerate_unary},
    Row{"Size", accelerate_size, false},
    Row{"Slice", accelerate_slice, false},
    Row{"Softmax", accelerate_softmax},
    Row{"Softplus", accelerate_unary},
    Row{"Softsign", accelerate_unary},
    Row{"SpaceToDepth", accelerate_space_to_depth, false},
    Row{"Split", accelerate_split, false},
    Row{"Sqrt", accelerate_unary},
    Row{"Squeeze", accelerate_view, false},
    Row{"Sub", accelerate_binary},
    Row{"Sum", accelerate_binary},
    Row{"Swish", accelerate_unary},
    Row{"Tanh", accelerate_unary},
    Row{"ThresholdedRelu", accelerate_unary},
    Row{"Tile", accelerate_tile, false},
    Row{"Transpose", accelerate_transpose, false},
    Row{"Unsqueeze", accelerate_view, false},
    Row{"Upsample", accelerate_resize, false},
    Row{"Where", accelerate_where, false},
    Row{"Xor", accelerate_predicate},
};

}  // namespace

bool has_accelerated_kernel(std::string_view domain, std::string_view op) {
  return domain.empty() &&
         std::any_of(kRows.begin(), kRows.end(), [&](const Row& row) { return row.op == op; });
}

std::unique_ptr<AcceleratedKernel> make_accelerated(const NodeFacts& facts) {
  if (!facts.node->is_default_domain()) return nullptr;
  for (const Row& row : kRows) {
    if (row.op != facts.node->op_type) continue;
    std::unique_ptr<AcceleratedKernel> kernel = row.make(facts);
    return row.halves ? with_half_operands(std::move(kernel)) : std::move(kernel);
  }
  return nullptr;
}

}  // namespace fettle::interp
