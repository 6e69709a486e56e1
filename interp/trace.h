// What the steps of one execution did.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fettle::interp {

struct StepRecord {
  std::string node;     // name of the node (of the last one when several were computed together)
  std::string op;       // operator types, joined by +
  std::string kernel;   // what computed it: an implementation of oneDNN, "fettle", or "reference"
  std::string layout;   // of output 0: "plain", "nChw16c", "nhwc"...; empty when it is no tensor
  std::string shape;    // of output 0
  int64_t bytes = 0;    // of all outputs
  int depth = 0;        // 0: the main graph; more: within subgraphs
  double start_us = 0;  // since the start of the run
  double duration_us = 0;
};

struct Trace {
  std::vector<StepRecord> steps;  // in order of completion
  int depth = 0;
  double origin_us = 0;
};

}  // namespace fettle::interp
