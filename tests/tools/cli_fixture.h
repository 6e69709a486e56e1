// The binary as a user types it: a folder of its own, its answers, and what it refuses.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "calib/write_arrays.h"
#include "ir/float16.h"
#include "ir/io.h"
#include "support/text_model.h"

namespace fettle::tools {

namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

inline std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "fettle-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    std::error_code error;
    fs::permissions(folder_, fs::perms::owner_all, error);
    fs::remove_all(folder_, error);
  }

  Outcome fettle(const std::string& arguments) {
    const std::string out = path("stdout");
    const std::string err = path("stderr");
    const std::string command = "'" + std::string(FETTLE_BINARY_DIR) + "/fettle' " + arguments + " >'" +
                                out + "' 2>'" + err + "' </dev/null";
    const int status = std::system(command.c_str());
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, slurp(out), slurp(err)};
    fs::remove(out);
    fs::remove(err);
    return outcome;
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string model() const { return test::testdata("digits_resnet.onnx").string(); }
  std::string calib() const { return test::testdata("digits_calib.h5").string(); }
  std::string labelled() const { return test::testdata("digits_test.h5").string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  // Arrays by name, one tensor each, with samples along axis 0.
  std::string arrays(const std::string& name, const std::vector<std::string>& names,
                     const std::vector<ir::Tensor>& tensors) const {
    calib::ArraySource source;
    source.names = names;
    source.runs = 1;
    source.batch = tensors[0].dim(0);
    source.read = [&](size_t) { return tensors; };
    calib::write_arrays(path(name), source);
    return path(name);
  }
  ir::Tensor images(int64_t n, float value) const {
    return ir::Tensor::of<float>({n, 1, 8, 8}, std::vector<float>(static_cast<size_t>(n * 64), value));
  }
  // Exit 2, one message that holds every word, no output folder left.
  void expect_refused(const std::string& arguments, const std::vector<std::string>& words) {
    const Outcome o = fettle(arguments);
    EXPECT_EQ(o.code, 2) << arguments << "\n" << o.err;
    for (const std::string& word : words) {
      EXPECT_NE(o.err.find(word), std::string::npos) << "no '" << word << "' in: " << o.err;
    }
    EXPECT_FALSE(fs::exists(path("out"))) << arguments;
  }

  fs::path folder_;
};

}  // namespace fettle::tools
