// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

namespace askos::dataflow {

class StageRunner;

/// What a stage runner asks of the engine. All calls from any thread.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  /// Calls `runner.activate()` soon, once, on a thread of the engine's choice.
  virtual void schedule(StageRunner& runner) noexcept = 0;

  /// Calls `runner.wake()` when the session's clock has reached `when`.
  virtual void schedule_wake(StageRunner& runner, Nanoseconds when) = 0;
};

}  // namespace askos::dataflow
