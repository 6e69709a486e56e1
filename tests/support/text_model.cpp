#include "support/text_model.h"

#include <onnx/defs/parser.h>

#include <cstdlib>
#include <stdexcept>

#include "ir/io.h"

namespace fettle::test {

ir::Model parse_text_model(const std::string& text) {
  onnx::ModelProto proto;
  onnx::OnnxParser parser(text.c_str());
  const auto status = parser.Parse(proto);
  if (!status.IsOK()) throw std::runtime_error(status.ErrorMessage());
  return ir::parse_model(proto.SerializeAsString());
}

ir::Model parse_text_graph(const std::string& text, int64_t opset) {
  return parse_text_model("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) + "]>\n" +
                          text);
}

std::filesystem::path testdata(const std::string& relative) {
  return std::filesystem::path(FETTLE_SOURCE_DIR) / "testdata" / relative;
}

std::filesystem::path shared_folder() {
  const char* set = std::getenv("FETTLE_SHARED");
  const std::filesystem::path path =
      set != nullptr ? std::filesystem::path(set)
                     : std::filesystem::path(FETTLE_SOURCE_DIR).parent_path() / "shared";
  return std::filesystem::is_directory(path / "zoo") ? path : std::filesystem::path();
}

}  // namespace fettle::test
