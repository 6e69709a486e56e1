#include "report/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "report/report.h"

namespace fettle::report {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

bool same_steps(const interp::Trace& a, const interp::Trace& b) {
  return std::equal(a.steps.begin(), a.steps.end(), b.steps.begin(), b.steps.end(),
                    [](const auto& x, const auto& y) { return x.node == y.node && x.op == y.op; });
}

// Time in steps of the main graph; those of subgraphs are part of their node's.
double steps_us(const Profile& profile) {
  double sum = 0;
  for (const auto& step : profile.steps) sum += step.depth == 0 ? step.duration_us : 0;
  return sum;
}

std::string shortened(const std::string& text, size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

std::string operator_table(const Profile& profile) {
  struct Sum {
    double us = 0;
    int steps = 0;
  };
  std::map<std::string, Sum> sums;
  for (const auto& step : profile.steps) {
    Sum& sum = sums[step.op + " [" + step.kernel + "]"];
    sum.us += step.duration_us;
    ++sum.steps;
  }
  std::vector<std::pair<std::string, Sum>> order(sums.begin(), sums.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second.us > b.second.us; });
  std::string text = fmt::format("\n  {:>10}  {:>6}  {:>5}  operators [kernel]\n", "us", "share", "steps");
  const double total = std::max(steps_us(profile), 1e-9);
  for (const auto& [name, sum] : order) {
    text += fmt::format("  {:>10.1f}  {:>5.1f}%  {:>5}  {}\n", sum.us, 100 * sum.us / total,
                        sum.steps, name);
  }
  return text;
}

}  // namespace

Profile profile(interp::Executor& executor, const interp::Feeds& feeds,
                const ProfileOptions& options) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < options.warmup; ++i) executor.run(feeds);
  Profile result;
  std::vector<std::vector<double>> durations;
  std::vector<double> runs;
  bool alike = true;
  for (int i = 0; i < options.runs; ++i) {
    const auto start = Clock::now();
    executor.run(feeds);
    runs.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    interp::Trace trace;
    executor.run(feeds, trace);
    alike = alike && (i == 0 || same_steps(trace, result.last));
    durations.resize(trace.steps.size());
    for (size_t s = 0; s < trace.steps.size(); ++s) {
      durations[s].push_back(trace.steps[s].duration_us);
    }
    result.last = std::move(trace);
  }
  result.median_us = median(runs);
  result.steps = result.last.steps;
  for (size_t s = 0; alike && s < result.steps.size(); ++s) {
    result.steps[s].duration_us = median(durations[s]);
  }
  return result;
}

std::string plan_table(const Profile& profile) {
  const double total = std::max(steps_us(profile), 1e-9);
  std::string text = fmt::format("  {:>10}  {:>6}  {:>10}  {:<28}  {:<24}  {:<14}  {:<20}  {}\n", "us",
                                 "share", "bytes out", "operators", "kernel", "layout", "shape", "node");
  for (const auto& step : profile.steps) {
    text += fmt::format("  {:>10.1f}  {:>5.1f}%  {:>10}  {:<28}  {:<24}  {:<14}  {:<20}  {}\n",
                        step.duration_us, 100 * step.duration_us / total, step.bytes,
                        std::string(static_cast<size_t>(2 * step.depth), ' ') + shortened(step.op, 28),
                        shortened(step.kernel, 24), step.layout, step.shape,
                        shortened(step.node, 60));
  }
  text += operator_table(profile);
  text += fmt::format("  {} steps: {:.1f} us in steps, {:.1f} us a run (median, without recording)\n",
                      profile.steps.size(), steps_us(profile), profile.median_us);
  return text;
}

Json to_json(const Profile& profile) {
  Json steps = Json::array();
  for (const auto& step : profile.steps) {
    steps.push_back({{"node", step.node},
                     {"operators", step.op},
                     {"kernel", step.kernel},
                     {"layout", step.layout},
                     {"shape", step.shape},
                     {"bytes", step.bytes},
                     {"depth", step.depth},
                     {"us", step.duration_us}});
  }
  return {{"steps", std::move(steps)}, {"steps_us", steps_us(profile)}, {"run_us", profile.median_us}};
}

Json chrome_trace(const Profile& profile, const std::string& model) {
  Json events = Json::array();
  events.push_back(
      {{"ph", "M"}, {"name", "process_name"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", model}}}});
  for (const auto& step : profile.last.steps) {
    events.push_back({{"ph", "X"},
                      {"name", step.op},
                      {"cat", step.kernel},
                      {"pid", 1},
                      {"tid", 1},
                      {"ts", step.start_us},
                      {"dur", step.duration_us},
                      {"args",
                       {{"node", step.node},
                        {"kernel", step.kernel},
                        {"layout", step.layout},
                        {"shape", step.shape},
                        {"bytes", step.bytes}}}});
  }
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}};
}

}  // namespace fettle::report
