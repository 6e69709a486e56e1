// Upper and lower case of UTF-8 text by Unicode's one-to-one mappings, whatever the process locale.
#pragma once

#include <string>
#include <string_view>

namespace fettle::ops {

enum class StringCase { kUnchanged, kLower, kUpper };

// Bytes that are no UTF-8 stay as they are.
std::string with_case(std::string_view text, StringCase wanted);

}  // namespace fettle::ops
