// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

namespace askos::dataflow::test {

/// Time passes only when a stage says so or the engine sleeps: exact accounts, no waiting.
class StepClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const noexcept override { return now_; }
  void sleep_until(Nanoseconds when) override {
    if (when > now_) now_ = when;
  }
  void pass(Nanoseconds time) { now_ += time; }

 private:
  Nanoseconds now_{};
};

}  // namespace askos::dataflow::test
