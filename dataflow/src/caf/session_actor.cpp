// SPDX-License-Identifier: Apache-2.0
#include "caf_compat.hpp"
#include "caf_inspect.hpp"
#include "execution.hpp"
#include "stage_actors.hpp"

#include <askos/dataflow/caf.hpp>

#include <mutex>
#include <vector>

namespace askos::dataflow {
namespace {

/// What the session's actor works with. Stops the stages when the actor is gone.
class Hosted {
 public:
  Hosted(caf::actor_system& system, std::shared_ptr<Execution> execution)
      : execution_(std::move(execution)),
        stages_(std::make_shared<StageActors>(system, execution_)) {
    execution_->launch(*stages_);
    execution_->when_done([stages = stages_](const Outcome&) {});  // needed until then
  }
  ~Hosted() {
    if (!execution_->outcome()) execution_->request_stop(std::nullopt);
  }
  Hosted(const Hosted&) = delete;
  Hosted& operator=(const Hosted&) = delete;

  [[nodiscard]] Execution& execution() const noexcept { return *execution_; }

 private:
  std::shared_ptr<Execution> execution_;
  std::shared_ptr<StageActors> stages_;
};

/// Answers each promise once, with the outcome.
class Promises {
 public:
  void add(caf::response_promise promise) { open_.push_back(std::move(promise)); }
  void deliver(const Outcome& outcome) {
    for (auto& promise : open_) promise.deliver(outcome);
    open_.clear();
  }

 private:
  std::vector<caf::response_promise> open_;
};

caf::behavior session_actor(caf::event_based_actor* self, const std::shared_ptr<Execution>& made) {
  const auto hosted = std::make_shared<Hosted>(self->system(), made);
  const auto ended = std::make_shared<Promises>();
  const auto drained = std::make_shared<Promises>();
  const caf::actor me(self);
  hosted->execution().when_done([me](const Outcome&) { caf_compat::send(me, caf::tick_atom_v); });
  const auto answer_later = [self, hosted](Promises& promises) {
    auto promise = self->make_response_promise();
    promises.add(promise);
    if (const auto outcome = hosted->execution().outcome()) promises.deliver(*outcome);
    return promise;
  };
  return {
      [hosted, ended, drained](caf::tick_atom) {  // the last stage has ended
        ended->deliver(*hosted->execution().outcome());
        drained->deliver(*hosted->execution().outcome());
      },
      [hosted, drained, me, gave_up = false](caf::timeout_atom) mutable {  // a drain's deadline
        if (hosted->execution().outcome()) return;
        if (gave_up) {
          drained->deliver(hosted->execution().preliminary_outcome());
        } else {
          hosted->execution().give_up_drain();
          caf_compat::send_after(me, kStopGrace, caf::timeout_atom_v);
        }
        gave_up = !gave_up;
      },
      [hosted](status_atom) { return hosted->execution().status(); },
      [hosted](stop_atom) { hosted->execution().request_stop(std::nullopt); },
      [answer_later, ended](done_atom) { return answer_later(*ended); },
      [answer_later, hosted, drained, me](drain_atom, Nanoseconds deadline) {
        hosted->execution().request_drain();
        caf_compat::send_after(me, deadline, caf::timeout_atom_v);
        return answer_later(*drained);
      },
  };
}

}  // namespace

void init_caf_types() {
  static std::once_flag once;
  std::call_once(once, [] {
    caf::core::init_global_meta_objects();
    caf::init_global_meta_objects<caf::id_block::askos_dataflow>();
  });
}

caf::actor spawn_session(caf::actor_system& system, Plan plan, const EngineOptions& options) {
  auto& clock = options.clock != nullptr ? *options.clock : steady_clock();
  return system.spawn(
      session_actor,
      Execution::make(std::move(plan), clock, {.ledger = options.ledger, .paused = options.paused},
                      options.trace_operators));
}

}  // namespace askos::dataflow
