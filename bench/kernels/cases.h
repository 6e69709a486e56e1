// The operators that are timed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/model.h"

namespace fettle::bench {

struct Workload {
  ir::Model model;
  double operations = 0;  // multiplications and additions; 0: what counts is the memory moved
  bool selects = false;   // reads no more of its inputs than it writes
};

struct Case {
  std::string name;  // operator/variant_extents
  std::function<Workload()> make;
};

// All cases, in the order in which they are listed.
std::vector<Case> all_cases();

}  // namespace fettle::bench
