// SPDX-License-Identifier: Apache-2.0
#include "stage_actors.hpp"

#include <algorithm>
#include <array>
#include <thread>

namespace askos::dataflow {
namespace {

constexpr auto kActivate = caf::tick_atom_v;
constexpr auto kTimeHasCome = caf::timeout_atom_v;
/// Other actors of the thread have their turn after so many activations.
constexpr int kMostActivations = 64;

}  // namespace

/// What one thread does between two messages: a stage, and then those that it was handed. Those are
/// scheduled and have not ended, so the session lives while there is one of them.
class StageActors::Turn {
 public:
  Turn(StageActors& actors, bool takes) : actors_(actors), takes_(takes), outer_(current_) {
    current_ = this;
  }
  ~Turn() { current_ = outer_; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// Keeps `woken` for the calling thread, if that is better than another one.
  [[nodiscard]] static bool offer(const StageActors& actors, StageRunner& woken) noexcept {
    auto* const turn = current_;
    return turn != nullptr && &turn->actors_ == &actors && turn->takes_ &&
           turn->running_ != nullptr && turn->running_->is_brief() && turn->keep(woken);
  }

  Activation activate(StageRunner& runner) {
    running_ = &runner;
    const auto outcome = runner.activate();
    running_ = nullptr;
    return outcome;
  }

  void activate_kept() {
    for (int i = 0; num_kept_ > 0; ++i) {
      auto& runner = take();
      if (i >= kMostActivations || (num_kept_ > 0 && !runner.is_brief())) {
        actors_.send(runner);
        continue;
      }
      const auto actor = actors_.actors_[runner.index()];  // may outlive all others
      switch (activate(runner)) {
        case Activation::kIdle: break;
        case Activation::kAgain:
          if (!runner.is_brief() || !keep(runner)) actors_.send(runner);
          break;
        case Activation::kEnded: caf_compat::send(actor, kActivate); break;  // to end as well
      }
    }
  }

 private:
  [[nodiscard]] bool keep(StageRunner& runner) noexcept {
    if (runner.dedicated() || num_kept_ == kept_.size()) return false;
    kept_[num_kept_++] = &runner;
    return true;
  }

  [[nodiscard]] StageRunner& take() noexcept {
    auto& first = *kept_.front();
    std::move(kept_.begin() + 1, kept_.end(), kept_.begin());
    --num_kept_;
    return first;
  }

  static thread_local Turn* current_;

  StageActors& actors_;
  const bool takes_;
  Turn* const outer_;
  StageRunner* running_ = nullptr;
  std::array<StageRunner*, 8> kept_{};
  std::size_t num_kept_ = 0;
};

thread_local StageActors::Turn* StageActors::Turn::current_ = nullptr;

StageActors::StageActors(caf::actor_system& system,
                         const std::shared_ptr<Execution>& execution,
                         const StageActorOptions& options)
    : clock_(execution->clock()), hand_over_(options.hand_over) {
  for (const auto& runner : execution->runners()) {
    actors_.push_back(runner->dedicated() && !options.all_shared
                          ? system.spawn<caf::detached>(behavior_of, this, execution, runner.get())
                          : system.spawn(behavior_of, this, execution, runner.get()));
  }
}

StageActors::~StageActors() {
  while (num_sending_.load() > 0) {
    std::this_thread::yield();
  }
}

/// The actor keeps the execution alive, and lets go of it when its stage has ended. `actors` may be
/// gone as soon as no stage is left that is scheduled or runs.
caf::behavior StageActors::behavior_of(caf::event_based_actor* self,
                                       StageActors* actors,
                                       const std::shared_ptr<Execution>& execution,
                                       StageRunner* runner) {
  return {
      [self, actors, execution, runner](caf::tick_atom) {
        if (runner->ended()) return self->quit();  // on the thread of another one
        Turn turn(*actors, actors->hand_over_ && !runner->dedicated());
        switch (turn.activate(*runner)) {
          case Activation::kIdle: break;
          case Activation::kAgain: actors->send(*runner); break;
          case Activation::kEnded: self->quit(); break;
        }
        turn.activate_kept();
      },
      [runner](caf::timeout_atom) { runner->wake(); },
  };
}

void StageActors::schedule(StageRunner& runner) noexcept {
  if (!Turn::offer(*this, runner)) send(runner);
}

void StageActors::send(const StageRunner& runner) noexcept {
  ++num_sending_;
  caf_compat::send(actors_[runner.index()], kActivate);
  --num_sending_;
}

void StageActors::schedule_wake(StageRunner& runner, Nanoseconds when) {
  const auto delay = std::max(when - clock_.now(), Nanoseconds::zero());
  caf_compat::send_after(actors_[runner.index()], delay, kTimeHasCome);
}

}  // namespace askos::dataflow
