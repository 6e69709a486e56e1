#include "ops/infer.h"

#include "ops/run_text.h"

namespace fettle::test {
namespace {

std::string inferred(ir::Model& model, const std::string& value = "y") {
  ops::infer_shapes(model);
  return ir::to_string(model.graph->find(value)->type);
}
std::string inferred(const std::string& graph, int64_t opset = 17) {
  ir::Model model = parse_text_graph(graph, opset);
  return inferred(model);
}

TEST(Infer, ShapeArithmeticResolvesSymbolically) {
  // What PyTorch exports for x.view(x.size(0), -1) and back.
  EXPECT_EQ(inferred("g (float[N,4,H,W] x) => (float[] y) {"
                     "  s = Shape(x) zero = Constant<value_int = 0>() n = Gather(s, zero)"
                     "  a = Constant<value_ints = [0]>() un = Unsqueeze(n, a)"
                     "  minus = Constant<value_ints = [-1]>() t = Concat<axis = 0>(un, minus)"
                     "  y = Reshape(x, t) }"),
            "tensor(float)[N, H*W*4]");
  EXPECT_EQ(inferred("g (float[N,4,H,W] x) => (float[] y) {"
                     "  f = Flatten(x) s = Shape(x) y = Reshape(f, s) }"),
            "tensor(float)[N, 4, H, W]");
  EXPECT_EQ(inferred("g (float[N,8,64] x) => (float[] y) {"
                     "  t = Constant<value_ints = [0, 0, 4, -1]>() y = Reshape(x, t) }"),
            "tensor(float)[N, 8, 4, 16]");
}

TEST(Infer, ExpandSliceAndRangeOfSymbols) {
  EXPECT_EQ(inferred("g (float[N,1,H] x, float[M,5,H] z) => (float[] y) {"
                     "  s = Shape<start = 1>(z) y = Expand(x, s) }"),
            "tensor(float)[N, 5, H]");
  EXPECT_EQ(inferred("g (float[N,H] x) => (float[] y) {"
                     "  b = Constant<value_ints = [1]>() e = Constant<value_ints = [-1]>()"
                     "  y = Slice(x, b, e, b) }"),
            "tensor(float)[N, H-2]");
  EXPECT_EQ(inferred("g (float[N,H] x) => (int64[] y) {"
                     "  i = Constant<value_int = 1>() s = Shape(x) h = Gather(s, i)"
                     "  zero = Constant<value_int = 0>() y = Range(zero, h, i) }"),
            "tensor(int64)[H]");
}

TEST(Infer, MinusOneOfAnExpandTargetIsNeverASymbol) {
  // What PyTorch exports for x.expand(n, -1).
  EXPECT_EQ(inferred("g (float[1,4] x, float[N,2] z) => (float[] y) {"
                     "  s = Shape<end = 1>(z) four = Constant<value_ints = [4]>()"
                     "  t = Concat<axis = 0>(s, four) m = Constant<value_ints = [-1, -1]>()"
                     "  e = Equal(t, m) o = Constant<value_ints = [1, 1]>() w = Where(e, o, t)"
                     "  y = Expand(x, w) }"),
            "tensor(float)[N, 4]");
}

TEST(Infer, SubgraphsSeeOuterShapes) {
  ir::Model model = parse_text_graph(
      "g (bool c, float[N,3] x) => (float[] y) {"
      "  y = If<then_branch = t () => (float[] a) { a = Transpose(x) },"
      "         else_branch = e () => (float[] b) { n = Transpose(x) b = Neg(n) }>(c) }");
  EXPECT_EQ(inferred(model), "tensor(float)[3, N]");
  const ir::Graph& body = *model.graph->first_node()->subgraphs()[1];
  EXPECT_EQ(ir::to_string(body.find("n")->type), "tensor(float)[3, N]");
}

TEST(Infer, LoopStatesWidenUntilTheyHold) {
  const std::string loop =
      "g (float[N,3] x, float[1,3] z) => (float[] y, float[] all) {"
      "  m = Constant<value_int = 7>()"
      "  y, all = Loop<body = b (int64 i, bool on, float[] s) => (bool go, float[] r, float[] o)"
      "    { go = Identity(on) r = Concat<axis = 0>(s, z) o = Identity(z) }>(m, , x) }";
  ir::Model model = parse_text_graph(loop);
  EXPECT_EQ(inferred(model), "tensor(float)[?, 3]");
  EXPECT_EQ(ir::to_string(model.graph->find("all")->type), "tensor(float)[7, 1, 3]");
}

TEST(Infer, FunctionsAreLookedThrough) {
  ir::Model model = parse_text_model(
      "<ir_version: 8, opset_import: [\"\" : 17, \"local\" : 1]>"
      "g (float[N,4] x) => (float[] y) { y = local.Swap<axis = 1>(x) }"
      "<domain: \"local\", opset_import: [\"\" : 17]>"
      "Swap <axis> (a) => (b) { t = Transpose(a) b = Flatten<axis: int = @axis>(t) }");
  EXPECT_EQ(inferred(model), "tensor(float)[4, N]");
}

TEST(Infer, ContradictionsNameTheNode) {
  ir::Model model = parse_text_graph("g (float[2,3] x) => (float[2,3] y) { y = Transpose(x) }");
  try {
    ops::infer_shapes(model);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(error.what()).find("node 'y' (Transpose)"), std::string::npos);
  }
}

TEST(Infer, OverriddenInputsReplaceDeclaredShapes) {
  ir::Model model = parse_text_graph("g (float[1,3] x) => (float[3,1] y) { y = Transpose(x) }");
  ops::InferOptions options;
  options.inputs["x"] = ir::Type::tensor(ir::DataType::kFloat, ir::shape_of({8, 3}));
  ops::infer_shapes(model, options);
  EXPECT_EQ(ir::to_string(model.graph->find("y")->type), "tensor(float)[3, 8]");
}

TEST(Infer, SymbolsThatLookLikeNumbersStayNames) {
  ir::Model model =
      parse_text_graph("g (float[N,3] x) => (float[] y) { y = Flatten<axis = 0>(x) }");
  (*model.graph->inputs()[0]->type.shape)[0] = ir::Dim::named("-1");
  EXPECT_EQ(inferred(model), "tensor(float)[1, {-1}*3]");
}

}  // namespace
}  // namespace fettle::test
