// Helpers that tests of all folders share.
#pragma once

#include <filesystem>
#include <string>

#include "ir/model.h"

namespace fettle::test {

// Parses ONNX text: a whole model "<ir_version: 8, opset_import: ["" : 17]> name (...) => (...) {...}".
// Throws std::runtime_error with the parser's message.
ir::Model parse_text_model(const std::string& text);
// A graph only, wrapped in a model of this opset.
ir::Model parse_text_graph(const std::string& text, int64_t opset = 17);
// <source>/testdata/<relative>.
std::filesystem::path testdata(const std::string& relative);
// ../shared beside the checkout (or $FETTLE_SHARED), or empty when absent: tests then skip, loudly.
std::filesystem::path shared_folder();

}  // namespace fettle::test
