// What is in a model: counts and sizes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/model.h"

namespace fettle::report {

struct ModelStats {
  int64_t nodes = 0;                          // of the main graph, its subgraphs and functions
  int64_t parameters = 0;                     // elements of all constants
  int64_t weight_bytes = 0;                   // bytes of all constants
  int64_t file_bytes = 0;                     // model file and its external data; 0 if in memory
  int64_t macs = 0;                           // for the shapes given or declared, where known
  bool macs_complete = true;                  // false when shapes of some counted node are unknown
  std::map<std::string, int64_t> operators;   // by name; "domain::Name" outside the default domain
  std::map<std::string, int64_t> weight_types;  // bytes of constants by data type
  std::vector<std::string> dynamic_axes;      // "input[0] = N"
};

// Counts. MACs need shapes: symbolic batch-like dimensions of the inputs are taken as 1.
ModelStats model_stats(const ir::Model& model);

}  // namespace fettle::report
