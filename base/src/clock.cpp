// SPDX-License-Identifier: Apache-2.0
#include <askos/base/clock.hpp>

#include <thread>

namespace askos {
namespace {

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const noexcept override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  void sleep_until(Nanoseconds when) override {
    std::this_thread::sleep_until(std::chrono::steady_clock::time_point(when));
  }
};

}  // namespace

Clock& steady_clock() noexcept {
  static SteadyClock clock;
  return clock;
}

Nanoseconds ManualClock::now() const noexcept {
  return Nanoseconds(now_.load());
}

void ManualClock::sleep_until(Nanoseconds when) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [&] { return now() >= when; });
}

void ManualClock::advance(Nanoseconds step) {
  {
    const std::lock_guard lock(mutex_);
    now_ += step.count();
  }
  moved_.notify_all();
}

}  // namespace askos
