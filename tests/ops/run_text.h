// Runs one small graph given as ONNX text with the reference kernels.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "interp/executor.h"
#include "ir/error.h"
#include "support/text_model.h"

namespace fettle::test {

inline std::vector<ops::RuntimeValue> run_text(const std::string& graph, const interp::Feeds& feeds,
                                               int64_t opset = 17, int64_t iteration_limit = 1000) {
  const ir::Model model = parse_text_graph(graph, opset);
  interp::ExecutorOptions options;
  options.exact = true;
  options.iteration_limit = iteration_limit;
  return interp::Executor(model, options).run(feeds);
}

// The first output, as `text` computes it.
inline ir::Tensor run_one(const std::string& graph, const interp::Feeds& feeds,
                          int64_t opset = 17) {
  return run_text(graph, feeds, opset).at(0).tensor;
}

template <typename T>
std::vector<T> values(const ir::Tensor& tensor) {
  const auto data = tensor.data<T>();
  return {data.begin(), data.end()};
}

// The code of the Error that `action` throws; fails the test when it throws none.
inline ErrorCode error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "expected an error, found none";
  return ErrorCode::kInternal;
}

using Longs = std::vector<int64_t>;
inline ir::Tensor longs(const Longs& list) {
  return ir::Tensor::of({static_cast<int64_t>(list.size())}, list);
}
inline ir::Tensor iota(ir::Dims dims) {
  ir::Tensor t(ir::DataType::kFloat, std::move(dims));
  float next = 0;
  for (float& v : t.mutable_data<float>()) v = next++;
  return t;
}

}  // namespace fettle::test
