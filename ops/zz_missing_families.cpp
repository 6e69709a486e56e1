// Temporary: empty families until their files exist.
#include "ops/families.h"
namespace fettle::ops {
__attribute__((weak)) std::span<const OpDef> activation_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> arithmetic_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> cast_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> control_flow_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> convolution_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> generator_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> indexing_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> logic_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> matrix_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> movement_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> normalization_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> pooling_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> quantization_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> quantized_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> recurrent_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> reduction_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> resize_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> sorting_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> softmax_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> unary_ops() { return {}; }
__attribute__((weak)) std::span<const OpDef> view_ops() { return {}; }
}
