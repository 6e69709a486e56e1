#include "ir/error.h"

#include <algorithm>
#include <cstring>

namespace fettle {
namespace {

constexpr size_t kMaxLength = 2000;

// Names in messages come from files: control characters could drive a terminal, and length could
// bury the rest.
std::string printable(std::string text) {
  const auto control = [](char c) { return (c >= 0 && c < ' ' && c != '\n') || c == 0x7f; };
  if (text.size() > kMaxLength) text = text.substr(0, kMaxLength) + "...";
  if (std::none_of(text.begin(), text.end(), control)) return text;
  std::string out;
  for (const char c : text) {
    if (control(c)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

Error::Error(ErrorCode code, std::string message)
    : code_(code), message_(printable(std::move(message))), text_(message_) {}

Error& Error::add_context(std::string context) {
  context = printable(std::move(context));
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
