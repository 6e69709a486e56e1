#include "ir/error.h"

#include <cstring>

namespace fettle {

Error::Error(ErrorCode code, std::string message)
    : code_(code), message_(std::move(message)), text_(message_) {}

Error& Error::add_context(std::string context) {
  text_ = context + ": " + text_;
  contexts_.push_back(std::move(context));
  return *this;
}

void assertion_failed(const char* condition, const char* file, int line) {
  const char* slash = std::strrchr(file, '/');
  fail(ErrorCode::kInternal, "internal invariant violated: {} ({}:{}); this is a defect in fettle",
       condition, slash != nullptr ? slash + 1 : file, line);
}

}  // namespace fettle
