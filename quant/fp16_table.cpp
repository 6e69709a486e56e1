#include "quant/fp16_table.h"

#include <algorithm>
#include <limits>

namespace fettle::quant {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr std::string_view kSubgraph = "its subgraphs stay float32";
constexpr std::string_view kIntegers = "its scales are float32";
constexpr std::string_view kCoordinates = "coordinates lose precision in float16";
constexpr std::string_view kRandom = "random numbers are drawn in float32";
constexpr std::string_view kContainer = "sequences and optionals stay float32";

constexpr Fp16Row kRows[] = {
    {.op = "Bernoulli", .blocked = kRandom},
    {.op = "BlackmanWindow", .blocked = "windows are computed in float32"},
    {.op = "Cast", .type_attribute = "to"},
    {.op = "Celu", .float16_since = kNever},
    {.op = "ConcatFromSequence", .blocked = kContainer},
    {.op = "Constant", .tensor_attribute = "value"},
    {.op = "ConstantOfShape", .tensor_attribute = "value"},
    {.op = "ConvInteger", .blocked = kIntegers},
    {.op = "CumSum", .blocked = "running sums lose precision in float16"},
    {.op = "DequantizeLinear", .blocked = kIntegers},
    {.op = "DynamicQuantizeLinear", .float16_since = kNever},
    {.op = "EyeLike", .type_attribute = "dtype"},
    {.op = "GridSample", .blocked = kCoordinates},
    {.op = "HammingWindow", .blocked = "windows are computed in float32"},
    {.op = "HannWindow", .blocked = "windows are computed in float32"},
    {.op = "If", .blocked = kSubgraph},
    {.op = "ImageDecoder", .float16_since = kNever},
    {.op = "IsInf", .float16_since = 20},
    {.op = "Loop", .blocked = kSubgraph},
    {.op = "MatMulInteger", .blocked = kIntegers},
    {.op = "MelWeightMatrix", .blocked = "windows are computed in float32"},
    {.op = "Multinomial", .blocked = kRandom},
    {.op = "NonMaxSuppression", .float16_since = kNever},
    {.op = "Optional", .blocked = kContainer},
    {.op = "OptionalGetElement", .blocked = kContainer},
    {.op = "OptionalHasElement", .blocked = kContainer},
    {.op = "QLinearConv", .blocked = kIntegers},
    {.op = "QLinearMatMul", .blocked = kIntegers},
    {.op = "QuantizeLinear", .blocked = kIntegers},
    {.op = "RandomNormal", .blocked = kRandom},
    {.op = "RandomNormalLike", .blocked = kRandom},
    {.op = "RandomUniform", .blocked = kRandom},
    {.op = "RandomUniformLike", .blocked = kRandom},
    {.op = "Range", .float16_since = kNever},
    {.op = "Resize", .float_operands = 0b0110},
    {.op = "RoiAlign", .blocked = kCoordinates},
    {.op = "Scan", .blocked = kSubgraph},
    {.op = "SequenceAt", .blocked = kContainer},
    {.op = "SequenceConstruct", .blocked = kContainer},
    {.op = "SequenceEmpty", .blocked = kContainer},
    {.op = "SequenceErase", .blocked = kContainer},
    {.op = "SequenceInsert", .blocked = kContainer},
    {.op = "SequenceLength", .blocked = kContainer},
    {.op = "SequenceMap", .blocked = kSubgraph},
    {.op = "Shape", .any_type = true},
    {.op = "Size", .any_type = true},
    {.op = "SplitToSequence", .blocked = kContainer},
    {.op = "StringNormalizer", .blocked = kContainer},
    {.op = "TfIdfVectorizer", .float16_since = kNever},
    {.op = "Upsample", .float_operands = 0b0010},
};

static_assert(std::is_sorted(std::begin(kRows), std::end(kRows),
                             [](const auto& a, const auto& b) { return a.op < b.op; }));

}  // namespace

const Fp16Row* find_fp16_row(const ir::Node& node) {
  if (!node.is_default_domain()) return nullptr;
  const auto it =
      std::lower_bound(std::begin(kRows), std::end(kRows), node.op_type,
                       [](const Fp16Row& row, const std::string& op) { return row.op < op; });
  return it != std::end(kRows) && it->op == node.op_type ? it : nullptr;
}

}  // namespace fettle::quant
