// What an action was refused for.
#pragma once

#include <optional>

#include "ir/error.h"

namespace fettle::test {

// Empty where nothing was refused.
template <typename Action>
std::optional<ErrorCode> refused(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

}  // namespace fettle::test
