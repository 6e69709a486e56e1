// One function per operator family, each returning the family's rows. table.cpp joins them.
#pragma once

#include <span>

#include "ops/table.h"

namespace fettle::ops {

std::span<const OpDef> activation_ops();      // Relu, Sigmoid, Gelu, Clip, ...
std::span<const OpDef> arithmetic_ops();      // Add, Sub, Pow, Mod, Max, Sum, ...
std::span<const OpDef> cast_ops();            // Cast, CastLike
std::span<const OpDef> control_flow_ops();    // If, Loop, Scan
std::span<const OpDef> convolution_ops();     // Conv, ConvTranspose, ConvInteger
std::span<const OpDef> generator_ops();       // Constant, ConstantOfShape, Range, Shape, Size, ...
std::span<const OpDef> geometry_ops();        // DeformConv, Col2Im, AffineGrid, Det, MaxRoiPool
std::span<const OpDef> indexing_ops();        // Gather*, Scatter*, Where, NonZero, OneHot, ...
std::span<const OpDef> logic_ops();           // Equal, Less, And, Not, BitwiseAnd, ...
std::span<const OpDef> loss_ops();            // NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss
std::span<const OpDef> matrix_ops();          // MatMul, Gemm, MatMulInteger, Einsum
std::span<const OpDef> movement_ops();        // Concat, Split, Slice, Transpose, Pad, Expand, ...
std::span<const OpDef> normalization_ops();   // BatchNormalization, LayerNormalization, LRN, ...
std::span<const OpDef> pooling_ops();         // MaxPool, AveragePool, Global*, LpPool
std::span<const OpDef> quantization_ops();    // QuantizeLinear, DequantizeLinear, Dynamic...
std::span<const OpDef> quantized_ops();       // QLinearConv, QLinearMatMul
std::span<const OpDef> recurrent_ops();       // LSTM, GRU, RNN
std::span<const OpDef> reduction_ops();       // Reduce*, ArgMax, ArgMin, CumSum
std::span<const OpDef> resize_ops();          // Resize, Upsample, DepthToSpace, SpaceToDepth
std::span<const OpDef> sorting_ops();         // TopK, NonMaxSuppression
std::span<const OpDef> sequence_ops();        // SequenceAt, SplitToSequence, Optional, ...
std::span<const OpDef> signal_ops();          // DFT, STFT
std::span<const OpDef> sampling_ops();        // Multinomial
std::span<const OpDef> softmax_ops();         // Softmax, LogSoftmax, Hardmax
std::span<const OpDef> string_ops();          // StringConcat, StringSplit, TfIdfVectorizer, ...
std::span<const OpDef> unary_ops();           // Abs, Exp, Sqrt, Sin, Erf, Round, ...
std::span<const OpDef> view_ops();            // Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout
std::span<const OpDef> window_function_ops();  // HannWindow, ..., MelWeightMatrix

}  // namespace fettle::ops
