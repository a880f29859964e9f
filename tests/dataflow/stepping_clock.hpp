// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

namespace askos::dataflow {

/// Virtual time for the serial engine: sleeping moves the clock instead of waiting. One thread.
class SteppingClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const noexcept override { return now_; }
  void sleep_until(Nanoseconds when) override { now_ = when > now_ ? when : now_; }

 private:
  Nanoseconds now_{};
};

}  // namespace askos::dataflow
