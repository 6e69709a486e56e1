// Mistakes as a user makes them: exit code, message, and nothing half-written.
#include "cli_fixture.h"

namespace fettle::tools {
namespace {

TEST_F(Cli, MistypedOptionsAndCommandsGetASuggestion) {
  expect_refused("compress '" + model() + "' --dta '" + calib() + "' -o '" + path("out") + "'", {"--data"});
  expect_refused("compres '" + model() + "'", {"compress"});
  expect_refused("compress '" + model() + "' --data '" + calib() + "'", {"-o"});
  expect_refused("compress '" + model() + "' --data '" + calib() + "' -o '" + path("out") + "' --mode int9",
                 {"int9", "static"});
  expect_refused("", {"subcommand"});
  EXPECT_EQ(fettle("--help").code, 0);
  EXPECT_EQ(fettle("compress --help").code, 0);
}

TEST_F(Cli, BadModelFilesAreNamed) {
  const std::string tail = "' --data '" + calib() + "' -o '" + path("out") + "'";
  expect_refused("compress '" + path("missing.onnx") + tail, {"missing.onnx"});
  expect_refused("compress '" + write("empty.onnx", "") + tail, {"empty.onnx", "empty"});
  expect_refused("compress '" + write("text.onnx", "this is not a model\nbut two lines of text\n") + tail,
                 {"text.onnx"});
  const std::string whole = slurp(model());
  expect_refused("compress '" + write("cut.onnx", whole.substr(0, whole.size() / 2)) + tail, {"cut.onnx"});
  expect_refused("compress '" + folder_.string() + tail, {"folder"});
}

TEST_F(Cli, BadDataIsExplained) {
  const auto with = [&](const std::string& data) {
    return "compress '" + model() + "' --data '" + data + "' -o '" + path("out") + "'";
  };
  expect_refused(with(path("missing.h5")), {"missing.h5"});
  expect_refused(with(arrays("name.h5", {"picture_of_a_digit", "other"}, {images(4, 0.5f), images(4, 0.5f)})),
                 {"image", "picture_of_a_digit"});
  expect_refused(with(arrays("shape.npz", {"image"}, {ir::Tensor::of<float>({2, 1, 9, 9}, std::vector<float>(162))})),
                 {"image", "9"});
  expect_refused(with(arrays("nan.npz", {"image"}, {images(4, std::numeric_limits<float>::quiet_NaN())})),
                 {"image", "NaN"});
  expect_refused(with(arrays("none.npz", {"image"}, {images(0, 0)})), {"no samples"});
  expect_refused(with(write("text.h5", "not a data file")), {"text.h5"});
  expect_refused(with(write("empty.npz", "")), {"empty.npz"});
  const std::string whole = slurp(calib());
  expect_refused(with(write("cut.h5", whole.substr(0, whole.size() / 2))), {"cut.h5"});
}

TEST_F(Cli, UnwritableOutputsAreRefusedBeforeAnyWork) {
  expect_refused("compress '" + model() + "' --data '" + calib() + "' -o /proc/fettle-out", {"/proc/fettle-out"});
  const std::string file = write("file", "keep me");
  expect_refused("compress '" + model() + "' --data '" + calib() + "' -o '" + file + "'", {"file"});
  EXPECT_EQ(slurp(file), "keep me");
  const std::string own = path("own.onnx");
  fs::copy_file(model(), own);
  expect_refused("optimize '" + own + "' -o '" + own + "'", {"input"});
  EXPECT_EQ(slurp(own), slurp(model()));
  // Work on this data would fail before anything is written.
  const std::string bad = " --data '" + arrays("nan.npz", {"image"}, {images(4, std::numeric_limits<float>::quiet_NaN())}) + "'";
  for (const std::string& arguments :
       {"run '" + model() + "'" + bad + " -o /proc/y.npz", "calibrate '" + model() + "'" + bad + " -o /proc/y.json",
        "quantize '" + model() + "'" + bad + " -o /proc/y.onnx", "optimize '" + model() + "'" + bad + " -o /proc/y.onnx",
        "bench '" + model() + "'" + bad + " --profile /proc/y.json", "prune '" + model() + "' -o /proc/y.onnx"}) {
    expect_refused(arguments, {"cannot write /proc/y", "No such file or directory"});
  }
  expect_refused("run '" + model() + "'" + bad + " -o '" + path("y.txt") + "'", {"y.txt", ".npz"});
}

TEST_F(Cli, ErrorsAreMachineReadableToo) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"inspect '" + path("missing.onnx") + "'", "missing.onnx"},
      {"inspect '" + model() + "' --recipe '" + path("nope.yml") + "'", "nope.yml"},
      {"inspect '" + model() + "' --recipe '" + write("bad.yml", "jsn: true") + "'", "jsn"},
      {"inspct '" + model() + "'", "inspct"},
      {"inspect '" + model() + "' --bogus", "--bogus"}};
  for (const auto& [arguments, word] : mistakes) {
    const Outcome o = fettle(arguments + " --json");
    EXPECT_EQ(o.code, 2) << arguments;
    ASSERT_FALSE(o.out.empty()) << arguments;
    const auto error = nlohmann::json::parse(o.out)["error"];
    EXPECT_EQ(error["code"], 2) << arguments;
    EXPECT_NE(error["message"].get<std::string>().find(word), std::string::npos) << o.out;
    EXPECT_EQ(fettle(arguments).out, "") << arguments;
  }
}

TEST_F(Cli, MemoryLimitIsKept) {
  expect_refused("compress '" + model() + "' --data '" + calib() + "' --max-memory 1K -o '" + path("out") + "'",
                 {"--max-memory"});
  expect_refused("inspect '" + model() + "' --max-memory lots", {"lots"});
}

TEST_F(Cli, OutputThatCannotBePrintedIsAnError) {
  const auto redirected = [&](const std::string& arguments, const std::string& where) {
    const std::string err = path("stderr");
    const std::string command = "'" + std::string(FETTLE_BINARY_DIR) + "/fettle' " + arguments + " " + where +
                                " 2>'" + err + "' </dev/null";
    const int status = std::system(command.c_str());
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", slurp(err)};
    return outcome;
  };
  const std::string plan = "quantize '" + model() + "' --mode dynamic --plan-only";
  for (const std::string& arguments : {"inspect '" + model() + "' --json", "inspect '" + model() + "'", plan,
                                       std::string("--help"), std::string("optimize --list-passes")}) {
    for (const char* where : {">/dev/full", ">&-"}) {
      const Outcome o = redirected(arguments, where);
      EXPECT_EQ(o.code, 2) << arguments << where;
      EXPECT_NE(o.err.find("stdout"), std::string::npos) << arguments << where << o.err;
    }
  }
}

TEST_F(Cli, ExternalDataOfTheModelIsNeverOverwritten) {
  ir::WriteOptions external;
  external.force_external = true;
  fs::create_directory(path("in"));
  ir::write_model(ir::read_model(model()), path("in/model.onnx"), external);
  ASSERT_TRUE(fs::exists(path("in/model.onnx.data")));
  const std::string weights = slurp(path("in/model.onnx.data"));
  fs::create_symlink("model.onnx.data", path("in/alias.npz"));
  fs::create_symlink("model.onnx.data", path("in/alias.json"));
  expect_refused("run '" + path("in/model.onnx") + "' -o '" + path("in/alias.npz") + "'", {"alias.npz", "input"});
  expect_refused("calibrate '" + path("in/model.onnx") + "' --data '" + calib() + "' -o '" + path("in/alias.json") +
                     "'", {"alias.json", "input"});
  fs::rename(path("in/model.onnx"), path("in/other.onnx"));  // only its data is in the way then
  expect_refused("compress '" + path("in/other.onnx") + "' --data '" + calib() + "' --no-bench -o '" + path("in") + "'",
                 {"model.onnx.data", "input"});
  EXPECT_EQ(slurp(path("in/model.onnx.data")), weights);
  EXPECT_FALSE(fs::exists(path("in/model.onnx")));
}

TEST_F(Cli, EmptyOutputNamesAreExplained) {
  for (const std::string& command : {"optimize '" + model() + "'", "run '" + model() + "'",
                                     "compress '" + model() + "' --data '" + calib() + "'"}) {
    const Outcome o = fettle(command + " -o ''");
    EXPECT_EQ(o.code, 2);
    EXPECT_EQ(o.err.find("filesystem"), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("-o"), std::string::npos) << o.err;
  }
}

TEST_F(Cli, HelpIsReachedInEveryUsualWay) {
  EXPECT_EQ(fettle("help").code, 0);
  EXPECT_NE(fettle("help").out.find("compress"), std::string::npos);
  EXPECT_NE(fettle("help compress").out.find("--eval-data"), std::string::npos);
  for (const char* command : {"compress", "inspect", "bench"}) {
    EXPECT_NE(fettle(std::string(command) + " --help").out.find("--recipe"), std::string::npos) << command;
  }
  expect_refused("help compres", {"compress"});
  expect_refused("--bogus", {"--bogus"});
  expect_refused("--versoin", {"--version"});
  expect_refused("--json inspect x.onnx", {"--json", "after"});
}

TEST_F(Cli, MistakesInRecipesNameFileLineAndOption) {
  const auto with = [&](const std::string& text) {
    return "compress '" + model() + "' --data '" + calib() + "' -o '" + path("out") + "' --recipe '" +
           write("r.yaml", text) + "'";
  };
  expect_refused(with("no-bench: true\nexclude-typ: [Conv]\n"), {"r.yaml", "line 2", "exclude-typ", "'exclude-type'"});
  expect_refused(with("no-bench: maybe\n"), {"r.yaml", "line 1", "no-bench", "maybe"});
  expect_refused(with("a: [1\nb: }"), {"r.yaml", "line 2", "YAML"});
  expect_refused(with("[1]: 2\n"), {"r.yaml", "line 1"});
  expect_refused(with("mode: [static, fp16]\n"), {"r.yaml", "mode"});
  expect_refused(with("samples: many\n"), {"samples", "many"});
}

TEST_F(Cli, TheListOfOperatorsIsUpToDate) {
  const Outcome outcome = fettle("operators");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out == slurp(fs::path(FETTLE_SOURCE_DIR) / "docs" / "operators.md"))
      << "write it anew: build/fettle operators > docs/operators.md";
}

TEST_F(Cli, ListsPassesInJson) {
  const Outcome o = fettle("optimize --list-passes --json");
  ASSERT_EQ(o.code, 0);
  EXPECT_GT(nlohmann::json::parse(o.out).size(), 10u);
}

TEST_F(Cli, ModelsThatComputeNanAreBadInputAndNameTheWeight) {
  ir::Model sick = test::parse_text_graph(R"(
    g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] weight = {1, 2, 3, 4}> { y = MatMul(x, weight) })");
  ir::Model sound = ir::clone(sick);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  sick.graph->find("weight")->set_constant(ir::Tensor::of<float>({2, 2}, {1, nan, 3, 4}));
  ir::write_model(sick, path("nan.onnx"));
  ir::write_model(sound, path("sound.onnx"));
  const std::string data = arrays("x.npz", {"x"}, {ir::Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6})});
  for (const char* mode : {"static", "dynamic", "fp16"}) {
    expect_refused("compress '" + path("nan.onnx") + "' --data '" + data + "' --no-bench --mode " + mode +
                       " -o '" + path("out") + "'", {"weight", "NaN", "'y'"});
  }
  for (const char* with : {"", " --data x.npz"}) {
    const Outcome o = fettle("compare '" + path("sound.onnx") + "' '" + path("nan.onnx") + "'" +
                             (*with == '\0' ? "" : " --data '" + data + "'") + " --json");
    EXPECT_EQ(o.code, 1);
    EXPECT_NE(o.err.find("'y'"), std::string::npos) << o.err;
    const auto compared = nlohmann::json::parse(o.out);
    EXPECT_EQ(compared["outputs"][0]["sqnr_db"], -999.0);
    EXPECT_EQ(compared["outputs"][0]["cosine"], 0.0);
    EXPECT_FALSE(compared["passed"].get<bool>());
  }
}

TEST_F(Cli, WhatCannotBeJudgedHasFailed) {
  const ir::Model boxes = test::parse_text_graph("g (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }");
  ir::write_model(boxes, path("m.onnx"));
  const std::string data = arrays("x.npz", {"x"}, {ir::Tensor::of<float>({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})});
  const Outcome o = fettle("compress '" + path("m.onnx") + "' --data '" + data +
                           "' --no-bench -q --max-drop 1 -o '" + path("out") + "'");
  EXPECT_EQ(o.code, 1) << o.err;
  EXPECT_NE(o.err.find("max-drop"), std::string::npos) << o.err;
  const auto report = nlohmann::json::parse(slurp(path("out/report.json")));
  EXPECT_TRUE(report["gates"][0]["value"].is_null());
  EXPECT_FALSE(report["gates"][0]["passed"].get<bool>());
  fs::remove_all(path("out"));
  expect_refused("compress '" + model() + "' --data '" + calib() + "' --no-bench --max-latency 5 -o '" +
                     path("out") + "'", {"--max-latency", "--no-bench"});
}

TEST_F(Cli, LabelsOutsideTheClassesAreRefused) {
  const ir::Model linear = test::parse_text_graph(R"(
    g (float[N, 3] x) => (float[N, 2] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}> { y = MatMul(x, w) })");
  ir::write_model(linear, path("m.onnx"));
  const std::string data = arrays("x.npz", {"x", "labels"}, {ir::Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}),
                                                            ir::Tensor::of<int64_t>({2}, {0, 2})});
  expect_refused("evaluate '" + path("m.onnx") + "' --data '" + data + "'", {"label 2", "sample 1", "'y'"});
}

TEST_F(Cli, NumbersAreCheckedWithShortMessages) {
  for (const auto& [arguments, words] : std::vector<std::pair<std::string, std::string>>{
           {"run '" + model() + "' -o '" + path("y.npz") + "' --samples -1", "0 or more"},
           {"bench '" + model() + "' --max-seconds 0", "more than 0"},
           {"inspect x.onnx --seed -1", "--seed: must be a whole number, 0 or more"},
           {"inspect x.onnx --seed 18446744073709551616", "--seed: must be at most 18446744073709551615"},
           {"evaluate x.onnx --data x --samples 99999999999999999999", "--samples: must be at most"},
           {"evaluate x.onnx --data x --samples 1.5", "--samples: must be a whole number"}}) {
    const Outcome o = fettle(arguments);
    EXPECT_EQ(o.code, 2);
    EXPECT_NE(o.err.find(words), std::string::npos) << o.err;
    EXPECT_LT(o.err.size(), 120u) << o.err;
  }
  EXPECT_NE(fettle("compress --help").out.find("(0: all)"), std::string::npos);
  EXPECT_EQ(fettle("inspect '" + model() + "' --seed 18446744073709551615").code, 0);
}

TEST_F(Cli, OptionsThatMeanNothingTogetherAreRefused) {
  expect_refused("quantize '" + model() + "' --table t.json --samples 3 -o '" + path("out") + "'",
                 {"--samples", "--data"});
  for (const std::string& steps : {std::string("--plan"), "--profile '" + path("out") + "'"}) {
    expect_refused("bench '" + model() + "' " + steps + " --engine onnxruntime", {"--plan", "--engine onnxruntime"});
  }
}

TEST_F(Cli, IdleOptionsAreMentioned) {
  const Outcome o = fettle("quantize '" + model() + "' --mode dynamic --exclude-node 'nobody*' --exclude-type LSTM "
                           "--fp16-io -o '" + path("q.onnx") + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const std::string notes = nlohmann::json::parse(o.out)["notes"].dump();
  for (const char* word : {"nobody*", "LSTM", "--fp16-io"}) {
    EXPECT_NE(o.err.find(word), std::string::npos) << o.err;
    EXPECT_NE(notes.find(word), std::string::npos) << notes;
  }
}

TEST_F(Cli, IdleOptionsAreMentionedOnce) {
  const std::string tail = "'" + model() + "' --exclude-node nosuch ";
  for (const std::string& arguments :
       {"quantize " + tail + "--mode dynamic -o '" + path("q.onnx") + "'", "prune " + tail + "-o '" + path("p.onnx") + "'",
        "compress " + tail + "--data '" + calib() + "' --no-bench -o '" + path("out") + "'",
        "quantize " + tail + "--mode dynamic --plan-only"}) {
    const Outcome o = fettle(arguments);
    ASSERT_EQ(o.code, 0) << o.err;
    const std::string all = o.out + o.err;
    const size_t first = all.find("'nosuch' matches no node");
    EXPECT_NE(first, std::string::npos) << all;
    EXPECT_EQ(all.find("'nosuch' matches no node", first + 1), std::string::npos) << all;
  }
}

TEST_F(Cli, WeightsLeftInFloatAreExplained) {
  const Outcome o = fettle("quantize '" + model() + "' --mode dynamic -o '" + path("q.onnx") + "'");
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("in Conv ("), std::string::npos) << o.out;  // dynamic mode has no convolutions
  EXPECT_EQ(o.out.find("not in the plan"), std::string::npos) << o.out;
  // MatMul and Add become one Gemm in the plan, under the name of either.
  ir::Model model = test::parse_text_graph(R"(
    g (float[N, 32] x) => (float[N, 32] y) <float[1] w = {0}, float[1] b = {0}> { m = MatMul(x, w) y = Add(m, b) })");
  std::vector<float> values(32 * 32, 0.5f);
  model.graph->find("w")->set_constant(ir::Tensor::of<float>({32, 32}, values));
  values.resize(32);
  model.graph->find("b")->set_constant(ir::Tensor::of<float>({32}, values));
  ir::write_model(model, path("m.onnx"));
  const std::string data = arrays("x.npz", {"x"}, {ir::Tensor::of<float>({1, 32}, values)});
  const std::string command = "quantize '" + path("m.onnx") + "' --data '" + data + "' -o '" + path("q.onnx") + "'";
  const Outcome whole = fettle(command);
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_EQ(whole.out.find("left in float"), std::string::npos) << whole.out;
  const Outcome none = fettle(command + " --exclude-type Gemm");
  ASSERT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(none.err, "");
  EXPECT_NE(none.out.find("left in float"), std::string::npos) << none.out;
}

TEST_F(Cli, TableAndDataExcludeEachOther) {
  expect_refused("quantize '" + model() + "' --data '" + calib() + "' --table t.json -o '" + path("out") + "'",
                 {"--table", "--data"});
}

TEST_F(Cli, FailedLimitsSpeakEvenWhenQuiet) {
  Outcome o = fettle("compress '" + model() + "' --data '" + calib() + "' --no-bench -q --max-size 1K -o '" +
                     path("out") + "'");
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("max-size"), std::string::npos) << o.err;
  o = fettle("compare '" + model() + "' '" + path("out/model.onnx") + "' --max-error 1e-9 -q");
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("--max-error"), std::string::npos) << o.err;
}

TEST_F(Cli, RandomInputsAreSaidToBeRandom) {
  const Outcome o = fettle("compare '" + model() + "' '" + model() + "'");
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("random"), std::string::npos) << o.out;
  EXPECT_EQ(o.out.find("top class"), std::string::npos) << o.out;
}

TEST_F(Cli, AnOnnxRuntimeThatWasNamedMustLoad) {
  const std::string bogus = write("libonnxruntime.so", "no library");
  const std::string data = " --data '" + calib() + "' -o '" + path("out") + "'";
  expect_refused("compress '" + model() + "' --ort-library '" + bogus + "'" + data, {"libonnxruntime.so"});
  expect_refused("bench '" + model() + "' --ort-library '" + bogus + "'", {"libonnxruntime.so"});
  expect_refused("bench '" + model() + "' --engine onnxruntime --ort-library '" + bogus + "'", {"libonnxruntime.so"});
}

TEST_F(Cli, ModelsOfOneNameAreToldApart) {
  fs::create_directory(path("a"));
  fs::copy_file(model(), path("a/model.onnx"));
  const Outcome o = fettle("compress '" + path("a/model.onnx") + "' --data '" + calib() + "' --bench-runs 3 -o '" +
                           path("out") + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto runs = nlohmann::json::parse(o.out)["latency"]["runs"];
  EXPECT_EQ(runs[0]["model"], "a/model.onnx");
  EXPECT_EQ(runs[1]["model"], "out/model.onnx");
  EXPECT_EQ(runs[0]["engine_version"], "fettle 0.1.0");
}

TEST_F(Cli, Float16ModelsWithBatchNormalizationCanBeOptimized) {
  ir::Model model = test::parse_text_graph(R"(
    g (float16[N, 16] x) => (float16[N, 4] y)
    <float[1] w = {0}, float[1] scale = {0}, float[1] bias = {0}, float[1] mean = {0}, float[1] var = {0}>
    { m = MatMul(x, w)  y = BatchNormalization(m, scale, bias, mean, var) })");
  const auto fill = [&](const char* name, const ir::Dims& dims, float from, float step) {
    std::vector<ir::Float16> values;
    for (int64_t i = 0; i < ir::element_count(dims); ++i) {
      values.emplace_back(from + step * static_cast<float>(i * 37 % 101));
    }
    model.graph->find(name)->set_constant(ir::Tensor::of<ir::Float16>(dims, values));
  };
  fill("w", {16, 4}, -1, 0.0213f);
  fill("scale", {4}, 0.37f, 0.017f);
  fill("bias", {4}, -0.2f, 0.013f);
  fill("mean", {4}, 0.1f, 0.011f);
  fill("var", {4}, 0.3f, 0.019f);
  ir::write_model(model, path("h.onnx"));
  const Outcome o = fettle("optimize '" + path("h.onnx") + "' -o '" + path("o.onnx") + "' --json");
  ASSERT_EQ(o.code, 0) << o.err;
  const auto report = nlohmann::json::parse(o.out);
  EXPECT_EQ(report["after"]["nodes"], 1);
  EXPECT_GT(report["worst_relative_error"].get<double>(), 1e-4);  // or this would show nothing
}

}  // namespace
}  // namespace fettle::tools
