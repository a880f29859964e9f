// SPDX-License-Identifier: Apache-2.0
#include "stage_actors.hpp"

#include <algorithm>
#include <thread>

namespace askos::dataflow {
namespace {

constexpr auto kActivate = caf::tick_atom_v;
constexpr auto kTimeHasCome = caf::timeout_atom_v;

/// The actor keeps the execution alive, and lets go of it when its stage has ended.
caf::behavior stage_actor(caf::event_based_actor* self,
                          const std::shared_ptr<Execution>& execution,
                          StageRunner* runner) {
  return {
      [self, execution, runner](caf::tick_atom) {
        switch (runner->activate()) {
          case Activation::kIdle: break;
          case Activation::kAgain: execution->scheduler().schedule(*runner); break;
          case Activation::kEnded: self->quit(); break;
        }
      },
      [runner](caf::timeout_atom) { runner->wake(); },
  };
}

}  // namespace

StageActors::StageActors(caf::actor_system& system,
                         const std::shared_ptr<Execution>& execution,
                         bool all_shared)
    : clock_(execution->clock()) {
  for (const auto& runner : execution->runners()) {
    actors_.push_back(runner->dedicated() && !all_shared
                          ? system.spawn<caf::detached>(stage_actor, execution, runner.get())
                          : system.spawn(stage_actor, execution, runner.get()));
  }
}

StageActors::~StageActors() {
  while (num_sending_.load() > 0) {
    std::this_thread::yield();
  }
}

void StageActors::schedule(StageRunner& runner) noexcept {
  ++num_sending_;
  caf_compat::send(actors_[runner.index()], kActivate);
  --num_sending_;
}

void StageActors::schedule_wake(StageRunner& runner, Nanoseconds when) {
  const auto delay = std::max(when - clock_.now(), Nanoseconds::zero());
  caf_compat::send_after(actors_[runner.index()], delay, kTimeHasCome);
}

}  // namespace askos::dataflow
