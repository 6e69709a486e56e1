#include <gtest/gtest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ir/atomic_file.h"
#include "ir/graph.h"
#include "ir/io.h"
#include "model_bytes.h"
#include "support/text_model.h"

namespace fettle::ir {
namespace {

using fettle::test::expect_error;
using fettle::test::parse;
using fettle::test::parse_text_graph;
using fettle::test::raw_tensor;
using fettle::test::read_bytes;
using fettle::test::relu_model;
using fettle::test::TempFolder;
using fettle::test::write_bytes;

onnx::ModelProto written(const Model& model) {
  onnx::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(serialize_model(model)));
  return proto;
}

size_t files_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(Writer, WritesNewObjects) {
  Model model = parse_text_graph("g (float[4] x) => (float[4] y) { y = Relu(x) }");
  Graph& graph = *model.graph;
  Value& w = graph.add_constant("w", Tensor::of<float>({4}, {1, 2, 3, 4}));
  Node& add = graph.add_node("Add", {graph.inputs()[0], &w}, {"a"}, graph.first_node(), "d");
  add.name = "added";
  add.overload = "o";
  add.set_attribute(Attribute("i", 3));
  add.set_attribute(Attribute("f", 0.5f));
  add.set_attribute(Attribute("s", "text"));
  add.set_attribute(Attribute("ints", std::vector<int64_t>{}));
  add.set_attribute(Attribute("t", Tensor::scalar<int64_t>(7)));
  graph.last_node()->set_input(0, add.output(0));
  const onnx::ModelProto proto = written(model);
  const auto& node = proto.graph().node(0);
  EXPECT_EQ(node.name(), "added");
  EXPECT_EQ(node.domain(), "d");
  EXPECT_EQ(node.input(1), "w");
  EXPECT_EQ(node.attribute(0).i(), 3);
  EXPECT_EQ(node.attribute(1).f(), 0.5f);
  EXPECT_EQ(node.attribute(2).s(), "text");
  EXPECT_EQ(node.attribute(3).type(), onnx::AttributeProto::INTS);
  EXPECT_EQ(node.attribute(4).t().raw_data().size(), 8u);
  EXPECT_EQ(proto.graph().initializer(0).name(), "w");
  EXPECT_EQ(parse(proto).graph->first_node()->overload, "o");
  EXPECT_EQ(proto.graph().value_info_size(), 0);
}

TEST(Writer, RewritesOnlyWhatChanged) {
  onnx::ModelProto before = relu_model();
  before.mutable_graph()->mutable_node(0)->set_doc_string("kept");
  before.mutable_graph()->mutable_node(0)->set_name("n");
  before.mutable_graph()->mutable_output(0)->set_doc_string("kept");
  before.mutable_graph()->mutable_output(0)->mutable_type()->set_denotation("kept");
  Model model = parse(before);
  model.graph->first_node()->op_type = "Sigmoid";
  model.graph->outputs()[0]->type = Type::tensor(DataType::kFloat16, Shape{Dim::named("N")});
  model.set_opset("", 19);
  model.ir_version = 9;
  onnx::ModelProto expected = before;
  expected.mutable_graph()->mutable_node(0)->set_op_type("Sigmoid");
  auto& type = *expected.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type();
  type.set_elem_type(10);
  type.mutable_shape()->mutable_dim(0)->set_dim_param("N");
  expected.mutable_opset_import(0)->set_version(19);
  expected.set_ir_version(9);
  EXPECT_EQ(written(model).DebugString(), expected.DebugString());
}

TEST(Writer, InferredTypesDoNotGrowTheFile) {
  Model model = parse_text_graph("g (float[4] x) => (float[4] y) { a = Abs(x) y = Relu(a) }");
  model.graph->find("a")->type = Type::tensor(DataType::kFloat, shape_of({4}));
  EXPECT_EQ(written(model).graph().value_info_size(), 0);
  model.graph->find("a")->value_info_order = 0;
  EXPECT_EQ(written(model).graph().value_info_size(), 1);
}

TEST(Writer, BytesAreTheSameEveryTime) {
  const Model model = parse_text_graph(
      "g (bool c, float[4] x) => (float[4] y) { y = If(c) <then_branch = t () => (float[4] p) "
      "{ p = Neg(x) }, else_branch = e () => (float[4] q) { q = Relu(x) }> }");
  EXPECT_EQ(serialize_model(model), serialize_model(model));
  EXPECT_EQ(serialize_model(model), serialize_model(parse_model(serialize_model(model))));
}

TEST(Writer, RefusesToReplaceItsInput) {
  const TempFolder folder;
  write_bytes(folder / "m.onnx", relu_model().SerializeAsString());
  const Model model = read_model(folder / "m.onnx");
  expect_error("is an input of this run", [&] { write_model(model, folder / "m.onnx"); });
  std::filesystem::create_hard_link(folder / "m.onnx", folder / "hard.onnx");
  expect_error("is an input of this run", [&] { write_model(model, folder / "hard.onnx"); });
  std::filesystem::create_symlink("m.onnx", folder / "soft.onnx");
  expect_error("is an input of this run", [&] { write_model(model, folder / "soft.onnx"); });
  EXPECT_EQ(read_bytes(folder / "m.onnx"), relu_model().SerializeAsString());
}

TEST(Writer, ReplacesOtherFilesWhole) {
  const TempFolder folder;
  write_bytes(folder / "out.onnx", std::string(100000, 'x'));
  write_model(parse(relu_model()), folder / "out.onnx");
  EXPECT_EQ(read_bytes(folder / "out.onnx"), relu_model().SerializeAsString());
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(Writer, LeavesNothingBehindWhenItFails) {
  const TempFolder folder;
  const Model model = parse(relu_model());
  expect_error("cannot write", [&] { write_model(model, folder / "absent/out.onnx"); });
  expect_error("not a regular file", [&] { write_model(model, folder.path()); });
  expect_error("not a regular file", [&] { write_model(model, "/dev/null"); });
  EXPECT_EQ(files_in(folder.path()), 0u);
  // A model that would not read back is not written either.
  Model broken = parse(relu_model());
  broken.graph->first_node()->op_type.clear();
  expect_error(
      "not valid", [&] { write_model(broken, folder / "out.onnx"); }, ErrorCode::kInternal);
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(Writer, AFullDiskLeavesNothingBehind) {
  const TempFolder folder;
  write_bytes(folder / "out.onnx", "old");
  Model model = parse(relu_model());
  model.graph->add_constant("w", Tensor::of<float>({4096}, std::vector<float>(4096, 1)));
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  rlimit small = old_limit;
  small.rlim_cur = 5000;
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  expect_error("nothing was changed", [&] { write_model(model, folder / "out.onnx"); });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, old_handler);
  EXPECT_EQ(read_bytes(folder / "out.onnx"), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(Writer, InterruptedWritesLeaveNothingBehind) {
  const TempFolder folder;
  {
    AtomicFile file(folder / "out.onnx");
    file.write("half");
    EXPECT_EQ(files_in(folder.path()), 1u);
    // What a handler of SIGINT does before the process ends, here a child.
    const pid_t child = fork();
    if (child == 0) {
      remove_temporary_files();
      _exit(0);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_EQ(files_in(folder.path()), 0u);
  }
  AtomicFile file(folder / "out.onnx");
  file.write("whole");
  file.commit();
  remove_temporary_files();
  EXPECT_EQ(read_bytes(folder / "out.onnx"), "whole");
}

TEST(Writer, LinksStayAndWhatTheyLeadToIsReplaced) {
  namespace fs = std::filesystem;
  const TempFolder folder;
  fs::create_directory(folder / "real");
  write_file(folder / "real" / "old.onnx", "old");
  fs::create_symlink("real/old.onnx", folder / "link.onnx");
  fs::create_symlink("link.onnx", folder / "link2.onnx");
  fs::create_symlink("real/new.onnx", folder / "dangling.onnx");
  write_file(folder / "link2.onnx", "new");
  write_file(folder / "dangling.onnx", "made");
  EXPECT_EQ(read_bytes(folder / "real" / "old.onnx"), "new");
  EXPECT_EQ(read_bytes(folder / "real" / "new.onnx"), "made");
  for (const char* link : {"link.onnx", "link2.onnx", "dangling.onnx"}) {
    EXPECT_TRUE(fs::is_symlink(folder / link)) << link;
  }
  // External data lie beside the model itself.
  WriteOptions options;
  options.force_external = true;
  Model model = parse(relu_model());
  write_model(model, folder / "link.onnx", options);
  EXPECT_EQ(files_in(folder.path()), 4u);
}

TEST(Writer, LinksToOpenFilesAndCirclesAreRefused) {
  namespace fs = std::filesystem;
  const TempFolder folder;
  const int fd = open((folder / "log").c_str(), O_CREAT | O_WRONLY, 0666);
  ASSERT_GE(fd, 0);
  fs::create_symlink("/proc/self/fd/" + std::to_string(fd), folder / "out");
  fs::create_symlink("circle", folder / "circle");
  expect_error("not a regular file", [&] { write_file(folder / "out", "x"); });
  expect_error("lead nowhere", [&] { write_file(folder / "circle", "x"); });
  close(fd);
  EXPECT_TRUE(fs::is_symlink(folder / "out"));
  EXPECT_EQ(read_bytes(folder / "log"), "");
}

TEST(Writer, RespectsTheUmask) {
  const TempFolder folder;
  const mode_t old_mask = umask(027);
  write_model(parse(relu_model()), folder / "out.onnx");
  umask(old_mask);
  struct stat status {};
  ASSERT_EQ(stat((folder / "out.onnx").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

}  // namespace
}  // namespace fettle::ir
