// Damaged copies of a model: each is an Error or a model, under fixed seeds.
#include <gtest/gtest.h>

#include <random>

#include "hostile_models.h"
#include "ir/graph.h"
#include "ir/io.h"

namespace fettle::ir {
namespace {

using fettle::test::add_attribute;
using fettle::test::add_function;
using fettle::test::add_node;
using fettle::test::nested;
using fettle::test::raw_tensor;
using onnx::AttributeProto;

// A small model that has a bit of everything.
std::string seed_model() {
  onnx::ModelProto proto = nested(2);
  auto& graph = *proto.mutable_graph();
  *graph.add_initializer() = raw_tensor("w", 1, {1100}, std::string(4400, 'w'));
  *graph.add_initializer() = raw_tensor("q", 22, {3}, "\x12\x03");
  auto& typed = *graph.add_initializer();
  typed.set_name("t");
  typed.set_data_type(7);
  typed.add_dims(2);
  typed.add_int64_data(1);
  typed.add_int64_data(-1);
  auto& sparse = *graph.add_sparse_initializer();
  *sparse.mutable_values() = raw_tensor("s", 1, {1}, "1234");
  *sparse.mutable_indices() = raw_tensor("", 7, {1}, std::string(8, '\0'));
  sparse.add_dims(3);
  auto& node = add_node(proto, "Call", {"w", "x"}, {"z"});
  node.set_domain("f");
  add_attribute(node, "ints", AttributeProto::INTS).add_ints(3);
  add_attribute(node, "string", AttributeProto::STRING).set_s("text");
  add_function(proto, "Call", "Relu", 2, "");
  graph.add_value_info()->set_name("z");
  return proto.SerializeAsString();
}

// Reads `bytes`; what is accepted must be writable and read back the same.
bool survives(const std::string& bytes) {
  try {
    const Model model = parse_model(bytes);
    const std::string written = serialize_model(model);
    EXPECT_EQ(serialize_model(parse_model(written)), written);
    return true;
  } catch (const Error& error) {
    EXPECT_NE(static_cast<int>(error.code()), static_cast<int>(ErrorCode::kInternal))
        << error.what();
    return false;
  }
}

TEST(Mutations, EveryTruncationIsAnErrorOrAModel) {
  const std::string seed = seed_model();
  ASSERT_TRUE(survives(seed));
  int accepted = 0;
  for (size_t size = 0; size < seed.size(); ++size) {
    if (size > 300 && size + 300 < seed.size() && size % 16 != 0) continue;
    accepted += survives(seed.substr(0, size));
  }
  EXPECT_LT(accepted, 20);
}

TEST(Mutations, RandomEditsAreErrorsOrModels) {
  const std::string seed = seed_model();
  // Without the weights' bytes edits hit structure more often.
  const size_t weights = seed.find(std::string(4400, 'w'));
  std::mt19937 random(20240611);
  int accepted = 0;
  constexpr int kRounds = 6000;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes = seed;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int e = 0; e < edits; ++e) {
      size_t at = random() % bytes.size();
      if (at >= weights && at < weights + 4400) at = random() % weights;
      switch (random() % 5) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
          break;
        case 1:
          bytes[at] = static_cast<char>(random());
          break;
        case 2:
          bytes.erase(at, 1 + random() % 4);
          break;
        case 3:
          bytes.insert(at, 1 + random() % 4, static_cast<char>(random()));
          break;
        default:
          bytes[at] = static_cast<char>("\x00\x01\x7f\x80\xff"[random() % 5]);
          break;
      }
    }
    accepted += survives(bytes);
  }
  // Most edits break the model, but those of names and numbers must not.
  EXPECT_GT(accepted, kRounds / 100);
  EXPECT_LT(accepted, kRounds);
}

}  // namespace
}  // namespace fettle::ir
