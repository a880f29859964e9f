// SPDX-License-Identifier: Apache-2.0
// One actor per stage. Data never travels in a mailbox: the only messages are "you were scheduled"
// (one per stage at most) and "your time has come", so mailboxes stay bounded.
#pragma once

#include "caf_compat.hpp"
#include "execution.hpp"
#include "scheduler.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace askos::dataflow {

class StageActors final : public Scheduler {
 public:
  /// Spawns an actor for each stage of `execution`: on the system's scheduler if it is shared or
  /// `all_shared`, else on a thread of its own. They end with their stages.
  StageActors(caf::actor_system& system,
              const std::shared_ptr<Execution>& execution,
              bool all_shared = false);
  /// Waits until no other thread is inside `schedule`. All stages must have ended.
  ~StageActors() override;
  StageActors(const StageActors&) = delete;
  StageActors& operator=(const StageActors&) = delete;

  void schedule(StageRunner& runner) noexcept override;
  void schedule_wake(StageRunner& runner, Nanoseconds when) override;

 private:
  const Clock& clock_;
  std::vector<caf::actor> actors_;  // by index of the runner
  std::atomic<int> num_sending_{0};
};

}  // namespace askos::dataflow
