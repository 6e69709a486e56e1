#include "ir/wire_schema.h"

#include <array>

namespace fettle::ir {
namespace {

struct Row {
  MessageKind kind;
  uint32_t field;
  MessageKind holds;
};

using enum MessageKind;

constexpr std::array kRows = std::to_array<Row>({
    {kModel, 7, kGraph},
    {kModel, 8, kEntry},
    {kModel, 14, kEntry},
    {kModel, 20, kTraining},
    {kModel, 25, kFunction},
    {kTraining, 1, kGraph},
    {kTraining, 2, kGraph},
    {kTraining, 3, kEntry},
    {kTraining, 4, kEntry},
    {kGraph, 1, kNode},
    {kGraph, 2, kName},
    {kGraph, 5, kTensor},
    {kGraph, 11, kValueInfo},
    {kGraph, 12, kValueInfo},
    {kGraph, 13, kValueInfo},
    {kGraph, 14, kAnnotation},
    {kGraph, 15, kSparseTensor},
    {kFunction, 1, kName},
    {kFunction, 4, kName},
    {kFunction, 5, kName},
    {kFunction, 6, kName},
    {kFunction, 7, kNode},
    {kFunction, 9, kEntry},
    {kFunction, 10, kName},
    {kNode, 1, kName},
    {kNode, 2, kName},
    {kNode, 3, kName},
    {kNode, 4, kName},
    {kNode, 5, kAttribute},
    {kNode, 7, kName},
    {kAttribute, 1, kName},
    {kAttribute, 5, kTensor},
    {kAttribute, 6, kGraph},
    {kAttribute, 10, kTensor},
    {kAttribute, 11, kGraph},
    {kAttribute, 14, kType},
    {kAttribute, 15, kType},
    {kAttribute, 21, kName},
    {kAttribute, 22, kSparseTensor},
    {kAttribute, 23, kSparseTensor},
    {kTensor, 3, kEntry},
    {kTensor, 8, kName},
    {kTensor, 13, kEntry},
    {kSparseTensor, 1, kTensor},
    {kSparseTensor, 2, kTensor},
    {kValueInfo, 1, kName},
    {kValueInfo, 2, kType},
    {kType, 1, kTensorType},
    {kType, 4, kElementType},
    {kType, 5, kMapType},
    {kType, 7, kEntry},
    {kType, 8, kTensorType},
    {kType, 9, kElementType},
    {kTensorType, 2, kShape},
    {kShape, 1, kDimension},
    {kDimension, 2, kName},
    {kElementType, 1, kType},
    {kMapType, 2, kType},
    {kAnnotation, 2, kEntry},
});

constexpr size_t kKinds = static_cast<size_t>(kEntry) + 1;
constexpr size_t kFields = 32;  // no row has a higher number

using Table = std::array<std::array<MessageKind, kFields>, kKinds>;

constexpr Table make_table() {
  Table table{};
  for (const Row& row : kRows) table[static_cast<size_t>(row.kind)][row.field] = row.holds;
  return table;
}

constexpr Table kTable = make_table();

}  // namespace

MessageKind field_kind(MessageKind kind, uint32_t field) {
  return field < kFields ? kTable[static_cast<size_t>(kind)][field] : kLeaf;
}

}  // namespace fettle::ir
