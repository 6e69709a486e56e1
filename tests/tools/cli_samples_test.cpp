// Which samples a command runs and how their outputs lie, and what it says when it chose by itself.
#include "cli_fixture.h"

namespace fettle::tools {
namespace {

class CliSamples : public Cli {
 protected:
  // The bundled model with a fixed batch of four.
  std::string batch_of_four() const {
    ir::Model fixed = ir::read_model(model());
    for (const auto& values : {fixed.graph->inputs(), fixed.graph->outputs()}) {
      for (ir::Value* v : values) v->type.shape->front() = ir::Dim::of(4);
    }
    ir::write_model(fixed, path("b4.onnx"));
    return path("b4.onnx");
  }
  static ir::Dims stored_shape(const Outcome& o) {
    return nlohmann::json::parse(o.out)["outputs"][0]["shape"].get<ir::Dims>();
  }
};

TEST_F(CliSamples, ThoseThatFillNoBatchAreMentioned) {
  const std::string four = "'" + batch_of_four() + "'";
  const std::string samples = " --samples 7 --json";
  const std::string data = " --data '" + labelled() + "'";
  const std::string note = "--samples 7: the last 3 of 7 samples fill no batch of 4 and are left out";
  for (const std::string& arguments :
       {"evaluate " + four + data, "compare " + four + " " + four + data, "run " + four + data + " -o '" + path("y.npz") + "'",
        "run " + four + " -o '" + path("y.npz") + "'", "calibrate " + four + data + " -o '" + path("t.json") + "'"}) {
    const Outcome o = fettle(arguments + samples);
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.err.find(note), std::string::npos) << arguments << o.err;
    EXPECT_EQ(nlohmann::json::parse(o.out)["samples"], 4) << arguments;
    EXPECT_EQ(fettle(arguments + " --samples 8 --json").err, "") << arguments;
    expect_refused(arguments + " --samples 3", {"4 samples at a time", "--samples is 3"});
  }
  const Outcome q = fettle("quantize " + four + data + " -o '" + path("q.onnx") + "'" + samples);
  EXPECT_NE(q.err.find(note), std::string::npos) << q.err;
}

TEST_F(CliSamples, CompressUsesWholeBatches) {
  const std::string four = batch_of_four();
  for (const std::string& rest : {std::string(), " --eval-data '" + labelled() + "'", std::string(" --mode dynamic")}) {
    const Outcome o = fettle("compress '" + four + "' --data '" + calib() + "'" + rest +
                             " --samples 9 --eval-samples 7 --no-bench --json -o '" + path("o") + "'");
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.err.find("--samples 9: the last 1 of 9 samples"), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("--eval-samples 7: the last 3 of 7 samples"), std::string::npos) << o.err;
    EXPECT_EQ(nlohmann::json::parse(o.out)["accuracy"]["evaluation_samples"], 4) << rest;
  }
  expect_refused("compress '" + four + "' --data '" + calib() + "' --eval-samples 2 -o '" + path("out") + "'",
                 {"--eval-samples", "4 or more"});
}

TEST_F(CliSamples, RandomOnesAreStoredAsThoseOfData) {
  const std::string tail = "' -o '" + path("y.npz") + "' --json";
  EXPECT_EQ(stored_shape(fettle("run '" + model() + tail)), (ir::Dims{1, 10}));
  EXPECT_EQ(stored_shape(fettle("run '" + model() + tail + " --samples 3")), (ir::Dims{3, 10}));
  EXPECT_EQ(stored_shape(fettle("run '" + model() + tail + " --samples 1 --data '" + calib() + "'")), (ir::Dims{1, 10}));
  EXPECT_EQ(stored_shape(fettle("run '" + batch_of_four() + tail)), (ir::Dims{4, 10}));
  // A state is whole, and so is its new value; the rest is samples.
  ir::write_model(test::parse_text_graph(R"(
    g (float[1, 3] x, float[2, 1, 3] s) => (float[1, 3] y, float[2, 1, 3] t) { y = Relu(x)  t = Add(s, x) })"),
                  path("state.onnx"));
  const auto stored = nlohmann::json::parse(fettle("run '" + path("state.onnx") + tail + " --samples 5").out)["outputs"];
  EXPECT_EQ(stored[0]["shape"].get<ir::Dims>(), (ir::Dims{5, 3}));
  EXPECT_EQ(stored[1]["shape"].get<ir::Dims>(), (ir::Dims{5, 2, 1, 3}));
  // Other inputs whose first axes differ are not made of samples: every output is an entry.
  ir::write_model(test::parse_text_graph("g (float[2, 3] x, float[3, 4] w) => (float[2, 4] y) { y = MatMul(x, w) }"),
                  path("m.onnx"));
  EXPECT_EQ(stored_shape(fettle("run '" + path("m.onnx") + tail + " --samples 5")), (ir::Dims{5, 2, 4}));
}

TEST_F(CliSamples, BenchTellsWhatItRanOn) {
  const std::string arguments = "bench '" + model() + "' --engine fettle --runs 3";
  const std::string note = "input 'image' [1, 1, 8, 8]: symbolic extents chosen; give --data";
  for (const std::string& more : {std::string(), std::string(" --plan")}) {
    const Outcome o = fettle(arguments + more);
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find(note), std::string::npos) << o.out;
    EXPECT_EQ(fettle(arguments + more + " --data '" + calib() + "'").out.find("symbolic"), std::string::npos);
    const auto answer = nlohmann::json::parse(fettle(arguments + more + " --json").out);
    const auto inputs = more.empty() ? answer["runs"][0]["inputs"] : answer["inputs"];
    ASSERT_EQ(inputs.size(), 1u);
    EXPECT_EQ(inputs[0]["name"], "image");
    EXPECT_EQ(inputs[0]["shape"].get<ir::Dims>(), (ir::Dims{1, 1, 8, 8}));
    EXPECT_TRUE(inputs[0]["symbolic"].get<bool>());
  }
  const Outcome fixed = fettle("bench '" + batch_of_four() + "' --engine fettle --runs 3");
  EXPECT_EQ(fixed.out.find("symbolic"), std::string::npos) << fixed.out;
  const Outcome two = fettle(arguments + " '" + batch_of_four() + "'");
  EXPECT_NE(two.out.find("digits_resnet.onnx: " + note), std::string::npos) << two.out;
}

TEST_F(CliSamples, QuietConcernsStderrOnly) {
  const std::string arguments = "evaluate '" + batch_of_four() + "' --data '" + labelled() + "' --samples 7";
  const Outcome loud = fettle(arguments);
  const Outcome quiet = fettle(arguments + " -q");
  EXPECT_NE(loud.err, "");
  EXPECT_EQ(quiet.err, "");
  EXPECT_NE(quiet.out, "");
  EXPECT_EQ(quiet.out, loud.out);
}

}  // namespace
}  // namespace fettle::tools
