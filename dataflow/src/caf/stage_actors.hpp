// SPDX-License-Identifier: Apache-2.0
// One actor per stage. Data never travels in a mailbox: the only messages are "you were scheduled"
// (one per stage at most) and "your time has come", so mailboxes stay bounded.
//
// Waking another thread costs more than a brief activation. So a stage whose activations have been
// brief hands those that it wakes over to its own thread: they run when it waits, without a
// message. What is not brief itself goes to another thread as soon as there is a choice, so work in
// parallel is held up by brief activations at most.
#pragma once

#include "caf_compat.hpp"
#include "execution.hpp"
#include "scheduler.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace askos::dataflow {

struct StageActorOptions {
  bool all_shared = false;  ///< no threads of their own for stages that ask for one
  bool hand_over = true;    ///< tests can let every wake-up be a message
};

class StageActors final : public Scheduler {
 public:
  /// Spawns an actor for each stage of `execution`: on the system's scheduler if it is shared,
  /// else on a thread of its own. They end with their stages.
  StageActors(caf::actor_system& system,
              const std::shared_ptr<Execution>& execution,
              const StageActorOptions& options = {});
  /// Waits until no other thread is inside `schedule`. All stages must have ended.
  ~StageActors() override;
  StageActors(const StageActors&) = delete;
  StageActors& operator=(const StageActors&) = delete;

  void schedule(StageRunner& runner) noexcept override;
  void schedule_wake(StageRunner& runner, Nanoseconds when) override;

 private:
  class Turn;

  [[nodiscard]] static caf::behavior behavior_of(caf::event_based_actor* self,
                                                 StageActors* actors,
                                                 const std::shared_ptr<Execution>& execution,
                                                 StageRunner* runner);
  void send(const StageRunner& runner) noexcept;

  const Clock& clock_;
  const bool hand_over_;
  std::vector<caf::actor> actors_;  // by index of the runner
  std::atomic<int> num_sending_{0};
};

}  // namespace askos::dataflow
