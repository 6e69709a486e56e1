// Recognizes files that are surely not ONNX. Private header of ir/.
#pragma once

#include <string_view>

namespace fettle::ir {

// Throws kBadInput that says what the file is and what to do, when its first bytes tell.
void refuse_foreign_format(std::string_view bytes);
// The same for bytes that could not be parsed, when they look like text.
void refuse_text(std::string_view bytes);

}  // namespace fettle::ir
