// AttributeProto to Attribute.
#include <onnx/onnx_pb.h>

#include "ir/error.h"
#include "ir/reader_graph.h"
#include "ir/wire_format.h"

namespace fettle::ir {
namespace {

// The kinds whose payload field is in the message, at most two of them.
std::vector<AttributeKind> payload_kinds(const onnx::AttributeProto& proto) {
  std::vector<AttributeKind> kinds;
  const auto note = [&](bool present, AttributeKind kind) {
    if (present && kinds.size() < 2) kinds.push_back(kind);
  };
  note(proto.has_f(), AttributeKind::kFloat);
  note(proto.has_i(), AttributeKind::kInt);
  note(proto.has_s(), AttributeKind::kString);
  note(proto.has_t(), AttributeKind::kTensor);
  note(proto.has_g(), AttributeKind::kGraph);
  note(proto.floats_size() > 0, AttributeKind::kFloats);
  note(proto.ints_size() > 0, AttributeKind::kInts);
  note(proto.strings_size() > 0, AttributeKind::kStrings);
  note(proto.tensors_size() > 0, AttributeKind::kTensors);
  note(proto.graphs_size() > 0, AttributeKind::kGraphs);
  note(proto.has_sparse_tensor(), AttributeKind::kSparseTensor);
  note(proto.sparse_tensors_size() > 0, AttributeKind::kSparseTensors);
  note(proto.has_tp(), AttributeKind::kType);
  note(proto.type_protos_size() > 0, AttributeKind::kTypes);
  return kinds;
}

bool is_list(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::kFloats:
    case AttributeKind::kInts:
    case AttributeKind::kStrings:
    case AttributeKind::kTensors:
    case AttributeKind::kGraphs:
    case AttributeKind::kSparseTensors:
    case AttributeKind::kTypes:
      return true;
    default:
      return false;
  }
}

// Numbers and strings have a default that stands for an absent field.
bool has_default(AttributeKind kind) {
  return kind == AttributeKind::kFloat || kind == AttributeKind::kInt ||
         kind == AttributeKind::kString;
}

void clear_payload(onnx::AttributeProto& proto) {
  proto.clear_f();
  proto.clear_i();
  proto.clear_s();
  proto.clear_t();
  proto.clear_g();
  proto.clear_floats();
  proto.clear_ints();
  proto.clear_strings();
  proto.clear_tensors();
  proto.clear_graphs();
  proto.clear_sparse_tensor();
  proto.clear_sparse_tensors();
}

}  // namespace

Attribute GraphReader::read_attribute(onnx::AttributeProto& proto, Graph& graph) try {
  if (proto.name().empty()) fail(ErrorCode::kBadInput, "an attribute has no name");
  Attribute attribute;
  attribute.name = proto.name();
  attribute.kind = static_cast<AttributeKind>(proto.type());
  attribute.reference = proto.ref_attr_name();
  const std::vector<AttributeKind> present = payload_kinds(proto);
  if (present.size() > 1) fail(ErrorCode::kBadInput, "holds values of two types, expected one");
  if (!attribute.reference.empty()) {
    if (!present.empty()) {
      fail(ErrorCode::kBadInput, "refers to '{}' and holds a value too, expected one of them",
           attribute.reference);
    }
  } else {
    if (attribute.kind == AttributeKind::kUndefined && !present.empty()) {
      attribute.kind = present.front();
    }
    if (!present.empty() && present.front() != attribute.kind) {
      fail(ErrorCode::kBadInput, "is of type {}, but holds a value of type {}",
           static_cast<int>(attribute.kind), static_cast<int>(present.front()));
    }
    take_unknown_varint(proto, kAbsentPayloadField);
    if (present.empty() && has_default(attribute.kind)) {
      add_unknown_varint(proto, kAbsentPayloadField, 1);
    } else if (present.empty() && !is_list(attribute.kind) &&
               attribute.kind != AttributeKind::kUndefined) {
      fail(ErrorCode::kBadInput, "is of type {}, but holds no value",
           static_cast<int>(attribute.kind));
    }
    read_payload(proto, graph, attribute);
  }
  clear_payload(proto);
  onnx::AttributeProto fresh;
  fresh.set_name(attribute.name);
  fresh.set_type(static_cast<onnx::AttributeProto::AttributeType>(attribute.kind));
  if (!attribute.reference.empty()) fresh.set_ref_attr_name(attribute.reference);
  attribute.carry = carry_of(proto, fresh);
  return attribute;
} catch (Error& error) {
  throw error.add_context(fmt::format("attribute '{}'", proto.name()));
}

void GraphReader::read_payload(onnx::AttributeProto& proto, Graph& graph, Attribute& attribute) {
  if (is_list(attribute.kind)) {
    read_list_payload(proto, graph, attribute);
  } else {
    read_single_payload(proto, graph, attribute);
  }
}

void GraphReader::read_single_payload(onnx::AttributeProto& proto, Graph& graph,
                                      Attribute& attribute) {
  switch (attribute.kind) {
    case AttributeKind::kFloat:
      attribute.payload = proto.f();
      break;
    case AttributeKind::kInt:
      attribute.payload = static_cast<int64_t>(proto.i());
      break;
    case AttributeKind::kString:
      attribute.payload = proto.s();
      break;
    case AttributeKind::kTensor:
      attribute.payload = tensor_from_proto(*proto.mutable_t(), source_, {});
      break;
    case AttributeKind::kGraph: {
      Attribute::Graphs graphs;
      graphs.push_back(read_graph(*proto.mutable_g(), &graph));
      attribute.payload = std::move(graphs);
      break;
    }
    case AttributeKind::kSparseTensor: {
      std::vector<SparseTensor> sparse;
      sparse.push_back(sparse_from_proto(*proto.mutable_sparse_tensor(), source_));
      attribute.payload = std::move(sparse);
      break;
    }
    default:
      break;  // kType stays in the carried message
  }
}

void GraphReader::read_list_payload(onnx::AttributeProto& proto, Graph& graph,
                                    Attribute& attribute) {
  switch (attribute.kind) {
    case AttributeKind::kFloats:
      attribute.payload = std::vector<float>(proto.floats().begin(), proto.floats().end());
      break;
    case AttributeKind::kInts:
      attribute.payload = std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
      break;
    case AttributeKind::kStrings:
      attribute.payload = std::vector<std::string>(proto.strings().begin(), proto.strings().end());
      break;
    case AttributeKind::kTensors: {
      std::vector<StoredTensor> tensors;
      for (auto& t : *proto.mutable_tensors()) {
        tensors.push_back(tensor_from_proto(t, source_, {}));
      }
      attribute.payload = std::move(tensors);
      break;
    }
    case AttributeKind::kGraphs: {
      Attribute::Graphs graphs;
      for (auto& g : *proto.mutable_graphs()) graphs.push_back(read_graph(g, &graph));
      attribute.payload = std::move(graphs);
      break;
    }
    case AttributeKind::kSparseTensors: {
      std::vector<SparseTensor> sparse;
      for (auto& s : *proto.mutable_sparse_tensors()) {
        sparse.push_back(sparse_from_proto(s, source_));
      }
      attribute.payload = std::move(sparse);
      break;
    }
    default:
      break;  // kTypes stay in the carried message
  }
}

}  // namespace fettle::ir
