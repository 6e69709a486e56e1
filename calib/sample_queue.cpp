#include "calib/sample_queue.h"

#include <algorithm>
#include <utility>

namespace fettle::calib {

namespace {

constexpr int64_t kMostWaitingBytes = int64_t{16} << 20;

}  // namespace

SampleQueue::SampleQueue(Dataset& data, int64_t total, const Sinks& sinks)
    : data_(data), total_(total), sinks_(sinks), ahead_(total) {}

void SampleQueue::expect_outputs(const Outputs& outputs) {
  if (!sinks_.on_outputs) return;
  int64_t bytes = 1;
  for (const ops::RuntimeValue& value : outputs) {
    if (value.is_tensor()) bytes += static_cast<int64_t>(value.tensor.byte_size());
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  ahead_ = kMostWaitingBytes / bytes * data_.batch();
}

void SampleQueue::set_unit_runs(int64_t runs) {
  const std::lock_guard<std::mutex> lock(mutex_);
  unit_runs_ = runs;
}

bool SampleQueue::is_empty() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return handed_ == total_ || error_ != nullptr;
}

std::optional<SampleUnit> SampleQueue::next() {
  const std::lock_guard<std::mutex> reader(reading_);
  const int64_t batch = data_.batch();
  SampleUnit unit;
  int64_t end = 0;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    room_.wait(lock, [&] { return handed_ - done_ <= ahead_ || error_ != nullptr; });
    if (handed_ == total_ || error_ != nullptr) return std::nullopt;
    unit.first = handed_;
    end = std::min(total_, handed_ + unit_runs_ * batch);
    handed_ = end;
  }
  try {
    for (int64_t at = unit.first; at < end; at += batch) unit.runs.push_back(data_.read(at));
  } catch (...) {
    fail(unit.first, std::current_exception());
    return std::nullopt;
  }
  return unit;
}

void SampleQueue::finish(const SampleUnit& unit, std::vector<Outputs> outputs) {
  if (!sinks_.on_outputs) outputs.clear();
  const auto samples = static_cast<int64_t>(unit.runs.size()) * data_.batch();
  put(unit.first, Done{samples, std::move(outputs), nullptr});
}

void SampleQueue::fail(int64_t first, std::exception_ptr error) {
  put(first, Done{0, {}, std::move(error)});
}

// Whoever finds the next unit there delivers all that follow in a row; the others go on.
void SampleQueue::put(int64_t first, Done done) {
  std::unique_lock<std::mutex> lock(mutex_);
  waiting_.emplace(first, std::move(done));
  if (std::exchange(delivering_, true)) return;
  while (error_ == nullptr && !waiting_.empty() && waiting_.begin()->first == done_) {
    Done next = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    lock.unlock();
    if (next.error == nullptr) {
      try {
        deliver(done_, next);
      } catch (...) {
        next.error = std::current_exception();
      }
    }
    lock.lock();
    done_ += next.samples;
    error_ = next.error;
    room_.notify_all();
  }
  delivering_ = false;
}

void SampleQueue::deliver(int64_t first, const Done& done) {
  for (const Outputs& outputs : done.outputs) {
    sinks_.on_outputs(first, outputs);
    first += data_.batch();
  }
  if (sinks_.progress) sinks_.progress(done_ + done.samples, total_);
}

void SampleQueue::rethrow() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (error_ != nullptr) std::rethrow_exception(error_);
}

}  // namespace fettle::calib
