#include "ops/string_case.h"

#include <clocale>
#include <cstdint>
#include <cwctype>

namespace fettle::ops {
namespace {

// The C library's tables of the locale without a language; null where it has none (then only ASCII
// letters change).
locale_t unicode_tables() {
  static const locale_t tables = newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
  return tables;
}

char32_t mapped(char32_t c, StringCase wanted) {
  const bool upper = wanted == StringCase::kUpper;
  if (c < 0x80) {
    if (upper) return c >= 'a' && c <= 'z' ? c - 32 : c;
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
  }
  const locale_t tables = unicode_tables();
  if (tables == locale_t{}) return c;
  const auto wide = static_cast<wint_t>(c);
  return static_cast<char32_t>(upper ? towupper_l(wide, tables) : towlower_l(wide, tables));
}

struct Decoded {
  char32_t code = 0;
  size_t length = 0;  // 0: no valid sequence starts here
};

// The code point at the start of `text`, which is not empty (RFC 3629).
Decoded decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
  char32_t code = first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return {};
    code = (code << 6) | (byte(i) & 0x3fu);
  }
  static constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kSmallest[length] || code > 0x10ffff || surrogate) return {};
  return {code, length};
}

void append(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const int extra = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static constexpr uint8_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out += static_cast<char>(kLead[extra] | (c >> (6 * extra)));
  for (int i = extra; i-- > 0;) out += static_cast<char>(0x80u | ((c >> (6 * i)) & 0x3fu));
}

}  // namespace

std::string with_case(std::string_view text, StringCase wanted) {
  if (wanted == StringCase::kUnchanged) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded d = decode(text);
    if (d.length == 0) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    append(out, mapped(d.code, wanted));
    text.remove_prefix(d.length);
  }
  return out;
}

}  // namespace fettle::ops
