// Where the time of a run goes, step by step.
#pragma once

#include <string>
#include <vector>

#include "interp/executor.h"
#include "report/json.h"

namespace fettle::report {

struct ProfileOptions {
  int warmup = 2;
  int runs = 20;
};

struct Profile {
  std::vector<interp::StepRecord> steps;  // durations are medians over the runs, where all took the
                                          // same path through the model; else those of the last run
  interp::Trace last;                     // the last run
  double median_us = 0;                   // of whole runs
};

Profile profile(interp::Executor& executor, const interp::Feeds& feeds,
                const ProfileOptions& options);

// One row per step, then the time by operator.
std::string plan_table(const Profile& profile);
Json to_json(const Profile& profile);
// The last run in the trace event format that browsers and Perfetto show.
Json chrome_trace(const Profile& profile, const std::string& model);

}  // namespace fettle::report
