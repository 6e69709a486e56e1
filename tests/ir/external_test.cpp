// Data beside the model: reading it safely, writing it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ir/graph.h"
#include "ir/io.h"
#include "model_bytes.h"

namespace fettle::ir {
namespace {

namespace fs = std::filesystem;
using fettle::test::expect_error;
using fettle::test::parse;
using fettle::test::raw_tensor;
using fettle::test::read_bytes;
using fettle::test::relu_model;
using fettle::test::TempFolder;
using fettle::test::write_bytes;
using Entries = std::vector<std::pair<std::string, std::string>>;

// A model whose float[4] initializer w lies where `entries` say.
onnx::ModelProto external_model(const Entries& entries) {
  onnx::ModelProto proto = relu_model();
  auto& tensor = *proto.mutable_graph()->add_initializer();
  tensor = raw_tensor("w", 1, {4}, "");
  tensor.clear_raw_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  return proto;
}

class External : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "model" / "sub");
    write_bytes(folder_ / "secret", std::string(64, 's'));
    write_bytes(model_ / "w.data", std::string(4096, 'p') + std::string(64, 'w'));
    write_bytes(model_ / "sub" / "w.data", std::string(64, 'w'));
  }

  Model read(const Entries& entries, bool allow_symlinks = false) {
    write_bytes(model_ / "m.onnx", external_model(entries).SerializeAsString());
    return read_model(model_ / "m.onnx", ReadOptions{.allow_symlinks = allow_symlinks});
  }
  void expect_refused(const Entries& entries, const std::string& part,
                      bool allow_symlinks = false) {
    expect_error(part, [&] { read(entries, allow_symlinks); });
  }
  static std::string content(const Model& model) {
    const Tensor& t = *model.graph->constants()[0]->constant();
    return {reinterpret_cast<const char*>(t.bytes()), t.byte_size()};
  }

  TempFolder folder_;
  fs::path model_ = folder_ / "model";
};

TEST_F(External, ReadsRangesOfFilesBesideTheModel) {
  EXPECT_EQ(content(read({{"location", "w.data"}, {"offset", "4096"}, {"length", "16"}})),
            std::string(16, 'w'));
  EXPECT_EQ(content(read({{"location", "sub/w.data"}})), std::string(16, 'w'));
  EXPECT_EQ(content(read({{"location", "./w.data"}, {"offset", "4089"}})),
            std::string(7, 'p') + std::string(9, 'w'));
  const Model model = read({{"location", "w.data"}, {"future", "1"}, {"basepath", "/etc"}});
  EXPECT_EQ(model.data_files, (std::vector<std::string>{(model_ / "w.data").string()}));
}

TEST_F(External, RefusesLocationsOutside) {
  expect_refused({}, "is empty");
  expect_refused({{"location", ""}}, "is empty");
  expect_refused({{"location", (folder_ / "secret").string()}}, "is absolute");
  expect_refused({{"location", "../secret"}}, "leaves the model's folder");
  expect_refused({{"location", "sub/../../secret"}}, "leaves the model's folder");
  expect_refused({{"location", std::string("w.data\0x", 8)}}, "NUL");
  expect_refused({{"location", "..\\secret"}}, "backslash");
  expect_refused({{"location", "C:secret"}}, "is absolute");
  expect_refused({{"location", "w.data"}, {"location", "m.onnx"}}, "given twice");
}

TEST_F(External, RefusesNumbersThatAreNotPlainOrDoNotFit) {
  for (const char* bad : {"-1", "+1", " 1", "1 ", "0x10", "1e3", "", "99999999999999999999"}) {
    expect_refused({{"location", "w.data"}, {"offset", bad}}, "decimal number");
    expect_refused({{"location", "w.data"}, {"length", bad}}, "decimal number");
  }
  expect_refused({{"location", "w.data"}, {"length", "15"}}, "expected 16 bytes");
  expect_refused({{"location", "w.data"}, {"length", "1099511627776"}}, "expected 16 bytes");
  expect_refused({{"location", "w.data"}, {"offset", "4145"}}, "has only 4160");
  expect_refused({{"location", "w.data"}, {"offset", "9223372036854775807"}}, "has only 4160");
}

TEST_F(External, RefusesWhatIsNoRegularFile) {
  expect_refused({{"location", "absent"}}, "cannot be opened");
  expect_refused({{"location", "sub"}}, "a folder");
  ASSERT_EQ(mkfifo((model_ / "pipe").c_str(), 0600), 0);
  expect_refused({{"location", "pipe"}}, "expected a regular file");
  expect_error("read from memory", [] { parse(external_model({{"location", "w.data"}})); });
}

TEST_F(External, FollowsSymbolicLinksOnlyWhenAskedAndInside) {
  fs::create_symlink("w.data", model_ / "inside");
  fs::create_symlink("../secret", model_ / "outside");
  fs::create_symlink("..", model_ / "up");
  expect_refused({{"location", "inside"}}, "--allow-symlinks");
  expect_refused({{"location", "outside"}}, "--allow-symlinks");
  expect_refused({{"location", "up/secret"}}, "--allow-symlinks");
  EXPECT_EQ(content(read({{"location", "inside"}}, true)), std::string(16, 'p'));
  expect_refused({{"location", "outside"}}, "leads out", true);
  expect_refused({{"location", "up/secret"}}, "leads out", true);
  expect_refused({{"location", "../secret"}}, "leaves", true);
}

TEST_F(External, ReadsHuggingFaceCaches) {
  fs::create_directories(folder_ / "cache/blobs");
  fs::create_directories(folder_ / "cache/snapshots/x");
  write_bytes(folder_ / "cache/blobs/1",
              external_model({{"location", "w.data"}}).SerializeAsString());
  write_bytes(folder_ / "cache/blobs/2", std::string(16, 'h'));
  fs::create_symlink("../../blobs/1", folder_ / "cache/snapshots/x/m.onnx");
  fs::create_symlink("../../blobs/2", folder_ / "cache/snapshots/x/w.data");
  const fs::path path = folder_ / "cache/snapshots/x/m.onnx";
  expect_error("--allow-symlinks", [&] { read_model(path); });
  EXPECT_EQ(content(read_model(path, ReadOptions{.allow_symlinks = true})), std::string(16, 'h'));
}

TEST_F(External, RefusesDataInTwoPlaces) {
  onnx::ModelProto proto = external_model({{"location", "w.data"}});
  proto.mutable_graph()->mutable_initializer(0)->set_raw_data(std::string(16, 'r'));
  write_bytes(model_ / "m.onnx", proto.SerializeAsString());
  expect_error("both external and inside", [&] { read_model(model_ / "m.onnx"); });
}

onnx::ModelProto model_with_weights() {
  onnx::ModelProto proto = relu_model();
  auto& graph = *proto.mutable_graph();
  *graph.add_initializer() = raw_tensor("small", 1, {2}, std::string(8, 'a'));
  *graph.add_initializer() = raw_tensor("big", 1, {3000}, std::string(12000, 'b'));
  *graph.add_initializer() = raw_tensor("odd", 2, {5001}, std::string(5001, 'c'));
  auto& attribute =
      fettle::test::add_attribute(*graph.mutable_node(0), "t", onnx::AttributeProto::TENSOR);
  *attribute.mutable_t() = raw_tensor("", 2, {6000}, std::string(6000, 'd'));
  return proto;
}

TEST_F(External, WritesAlignedDataBesideTheModel) {
  const Model model = parse(model_with_weights());
  write_model(model, model_ / "out.onnx", WriteOptions{.force_external = true});
  onnx::ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(read_bytes(model_ / "out.onnx")));
  EXPECT_TRUE(proto.graph().initializer(0).has_raw_data());
  EXPECT_TRUE(proto.graph().node(0).attribute(0).t().has_raw_data());
  const auto& odd = proto.graph().initializer(2);
  EXPECT_EQ(odd.data_location(), onnx::TensorProto::EXTERNAL);
  EXPECT_EQ(odd.external_data(0).value(), "out.onnx.data");
  EXPECT_EQ(odd.external_data(1).value(), "12288");
  EXPECT_EQ(odd.external_data(2).value(), "5001");
  EXPECT_EQ(fs::file_size(model_ / "out.onnx.data"), 12288u + 5001u);
  // Read back and written into one file again, it is the model it was.
  write_model(read_model(model_ / "out.onnx"), model_ / "single.onnx");
  EXPECT_EQ(read_bytes(model_ / "single.onnx"), model_with_weights().SerializeAsString());
}

TEST_F(External, BecomesExternalBeyondTheLimit) {
  const Model model = parse(model_with_weights());
  write_model(model, model_ / "out.onnx", WriteOptions{.single_file_limit = 23000});
  EXPECT_TRUE(fs::exists(model_ / "out.onnx.data"));
  EXPECT_GT(fs::file_size(model_ / "out.onnx"), 6000u);
  // A limit that even the attributes exceed moves these out too.
  write_model(model, model_ / "tiny.onnx", WriteOptions{.single_file_limit = 1000});
  EXPECT_LT(fs::file_size(model_ / "tiny.onnx"), 1000u);
  const Model back = read_model(model_ / "tiny.onnx");
  EXPECT_TRUE(identical(*back.graph->first_node()->attr_tensor("t"),
                        *model.graph->first_node()->attr_tensor("t")));
}

TEST_F(External, NeverReplacesDataOfItsInput) {
  write_model(parse(model_with_weights()), model_ / "out.onnx",
              WriteOptions{.force_external = true});
  const std::string data = read_bytes(model_ / "out.onnx.data");
  fs::rename(model_ / "out.onnx", model_ / "in.onnx");
  const Model model = read_model(model_ / "in.onnx");
  expect_error("is an input of this run", [&] {
    write_model(model, model_ / "out.onnx", WriteOptions{.force_external = true});
  });
  EXPECT_EQ(read_bytes(model_ / "out.onnx.data"), data);
  EXPECT_FALSE(fs::exists(model_ / "out.onnx"));
}

TEST_F(External, SharedHostileFiles) {
  const fs::path source(FETTLE_SOURCE_DIR);
  const fs::path evil =
      source.parent_path() / "shared/graphs_ort/onnxruntime/test/testdata/test_evil_weights.onnx";
  if (!fs::exists(evil)) GTEST_SKIP() << "../shared is absent";
  expect_error("external data", [&] { read_model(evil); });
}

}  // namespace
}  // namespace fettle::ir
