#include "calib/sample_queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "ir/error.h"

namespace fettle::calib {
namespace {

constexpr int64_t kUnknownBytes = int64_t{1} << 20;  // of an output that is no tensor

// What keeping an output keeps in memory.
int64_t held_bytes(const ops::RuntimeValue& value) {
  if (!value.is_tensor()) return kUnknownBytes;
  const auto& buffer = value.tensor.buffer();
  return buffer != nullptr ? static_cast<int64_t>(buffer->size()) : 0;
}

std::exception_ptr with_context(const std::exception_ptr& cause, const std::string& context) {
  try {
    std::rethrow_exception(cause);
  } catch (Error& error) {
    error.add_context(context);
    return std::current_exception();
  } catch (...) {
    return cause;
  }
}

}  // namespace

SampleQueue::SampleQueue(Dataset& data, int64_t total, const SampleSinks& sinks)
    : data_(data), total_(total), sinks_(sinks), ahead_(total) {}

void SampleQueue::set_unit_runs(int64_t runs) {
  const std::lock_guard<std::mutex> lock(mutex_);
  unit_runs_ = runs;
}

void SampleQueue::hand_out_no_more() {
  const std::lock_guard<std::mutex> lock(mutex_);
  handed_ = total_;
}

void SampleQueue::expect_outputs(const Outputs& outputs, int64_t most_bytes) {
  if (!sinks_.on_outputs) return;
  int64_t bytes = 0;
  for (const ops::RuntimeValue& value : outputs) bytes += held_bytes(value);
  const std::lock_guard<std::mutex> lock(mutex_);
  ahead_ = most_bytes / std::max<int64_t>(bytes, 1) * data_.batch();
}

std::optional<SampleUnit> SampleQueue::next() {
  const std::lock_guard<std::mutex> reader(reading_);
  SampleUnit unit{0, data_.batch(), {}};
  int64_t end = 0;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    room_.wait(lock, [&] { return handed_ - done_ <= ahead_ || error_ != nullptr; });
    if (handed_ == total_ || error_ != nullptr) return std::nullopt;
    unit.first = handed_;
    end = std::min(total_, handed_ + unit_runs_ * unit.batch);
    handed_ = end;
  }
  for (int64_t at = unit.first; at < end; at += unit.batch) {
    try {
      unit.runs.push_back(data_.read(at));
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      hand_out_no_more();
      fail(at, error);
      break;
    }
  }
  if (unit.runs.empty()) return std::nullopt;
  return unit;
}

void SampleQueue::finish(const SampleUnit& unit, UnitOutputs outputs) {
  const size_t runs = outputs.error != nullptr ? outputs.runs.size() : unit.runs.size();
  const int64_t samples = static_cast<int64_t>(runs) * unit.batch;
  if (outputs.error != nullptr) {
    outputs.error = with_context(outputs.error, data_.sample_name(unit.first + samples));
  }
  if (!sinks_.on_outputs) outputs.runs.clear();
  put(unit.first, Done{samples, std::move(outputs)});
}

void SampleQueue::fail(int64_t first, std::exception_ptr error) {
  put(first, Done{0, {{}, std::move(error)}});
}

// Whoever finds the next unit there delivers all that follow in a row; the others go on.
void SampleQueue::put(int64_t first, Done done) {
  std::unique_lock<std::mutex> lock(mutex_);
  try {
    waiting_.emplace(first, std::move(done));
  } catch (...) {  // no memory: nobody must wait for this unit
    error_ = std::current_exception();
    room_.notify_all();
    return;
  }
  if (std::exchange(delivering_, true)) return;
  while (error_ == nullptr && !waiting_.empty() && waiting_.begin()->first == done_) {
    Done next = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    lock.unlock();
    std::exception_ptr error = next.outputs.error;
    try {
      deliver(done_, next);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    done_ += next.samples;
    error_ = error;
    room_.notify_all();
  }
  delivering_ = false;
}

void SampleQueue::deliver(int64_t first, const Done& done) {
  for (const Outputs& outputs : done.outputs.runs) {
    sinks_.on_outputs(first, outputs);
    first += data_.batch();
  }
  if (sinks_.progress && done.samples > 0) sinks_.progress(done_ + done.samples, total_);
}

void SampleQueue::rethrow() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (error_ != nullptr) std::rethrow_exception(error_);
}

}  // namespace fettle::calib
