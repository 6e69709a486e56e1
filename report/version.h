#pragma once

namespace fettle::report {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace fettle::report
