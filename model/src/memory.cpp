// SPDX-License-Identifier: Apache-2.0
#include <askos/model/memory.hpp>

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <mutex>

namespace askos::model {
namespace {

class Counter final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* /*memory*/,
                         std::int64_t bytes,  // < 0: freed
                         std::size_t /*allocated*/,
                         std::size_t /*reserved*/,
                         c10::Device /*device*/) override {
    const std::lock_guard lock(mutex_);
    reading_.live_bytes += bytes;
    reading_.peak_bytes = std::max(reading_.peak_bytes, reading_.live_bytes);
    reading_.largest_bytes = std::max(reading_.largest_bytes, bytes);
  }
  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }

  [[nodiscard]] MemoryReading read() const {
    const std::lock_guard lock(mutex_);
    return reading_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    reading_.peak_bytes = reading_.live_bytes;
    reading_.largest_bytes = 0;
  }

 private:
  mutable std::mutex mutex_;  // worker threads inherit the report
  MemoryReading reading_;
};

}  // namespace

struct MemoryMeter::State {
  std::shared_ptr<Counter> counter = std::make_shared<Counter>();
  c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, counter};
};

MemoryMeter::MemoryMeter() : state_(std::make_unique<State>()) {}
MemoryMeter::~MemoryMeter() = default;
MemoryReading MemoryMeter::read() const {
  return state_->counter->read();
}
void MemoryMeter::reset_peak() {
  state_->counter->reset_peak();
}

}  // namespace askos::model
