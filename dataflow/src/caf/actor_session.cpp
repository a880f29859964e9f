// SPDX-License-Identifier: Apache-2.0
#include "actor_session.hpp"

#include "execution.hpp"
#include "stage_actors.hpp"

#include <askos/base/log.hpp>

#include <algorithm>
#include <thread>

namespace askos::dataflow {
namespace {

int num_scheduler_threads(int wanted) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return wanted > 0 ? wanted : std::min(cores, 4);
}

/// Work stealing polls; `sharing` sleeps. One message per turn keeps a stage that goes on and on
/// from holding its thread.
caf::actor_system_config make_config(int num_threads) {
  caf::actor_system_config config;
  config.set("caf.scheduler.policy", "sharing");
  config.set("caf.scheduler.max-threads", num_scheduler_threads(num_threads));
  config.set("caf.scheduler.max-throughput", 1);
  return config;
}

void init_caf_once() {
  static const bool done = [] {
    caf::core::init_global_meta_objects();
    return true;
  }();
  (void)done;
}

/// Everything that must stay while a stage still runs; the members end in reverse order.
struct Engine {
  Engine(Plan plan, Clock& clock, const EngineOptions& options)
      : execution(Execution::make(std::move(plan),
                                  clock,
                                  {.ledger = options.ledger, .paused = options.paused},
                                  options.trace_operators)),
        config(make_config(options.num_threads)),
        system(config),
        actors(system, execution) {
    execution->launch(actors);
  }

  std::shared_ptr<Execution> execution;
  caf::actor_system_config config;
  caf::actor_system system;
  StageActors actors;
};

class ActorSession final : public Session {
 public:
  explicit ActorSession(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  ~ActorSession() override {
    if (!execution().outcome()) (void)drain(kEndDeadline);
    if (!execution().outcome()) abandon();
  }

  [[nodiscard]] std::optional<Outcome> wait(Nanoseconds deadline) override {
    return execution().wait(deadline);
  }

  [[nodiscard]] Outcome drain(Nanoseconds deadline) override {
    execution().request_drain();
    if (auto outcome = execution().wait(deadline)) return *outcome;
    execution().give_up_drain();
    if (auto outcome = execution().wait(kStopGrace)) return *outcome;
    return execution().preliminary_outcome();
  }

  void stop(std::optional<StageFailure> reason) override {
    execution().request_stop(std::move(reason));
  }

  [[nodiscard]] SessionStatus status() const override { return execution().status(); }
  [[nodiscard]] telemetry::Trace trace(Nanoseconds since) const override {
    return execution().trace_since(since);
  }
  [[nodiscard]] const Plan& plan() const noexcept override { return execution().plan(); }
  [[nodiscard]] Control& control() const noexcept override { return execution().control(); }
  [[nodiscard]] int event_descriptor() const noexcept override {
    return execution().event_descriptor();
  }

 private:
  [[nodiscard]] Execution& execution() const noexcept { return *engine_->execution; }

  /// A stage that does not return cannot be ended from outside: what it uses has to stay.
  void abandon() {
    const auto outcome = execution().preliminary_outcome();
    logger("askos.dataflow")
        ->error("session left behind, a stage does not return: {}",
                outcome.failure ? outcome.failure->error.what() : "unknown stage");
    static auto* const left_behind = new std::vector<std::unique_ptr<Engine>>;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    left_behind->push_back(std::move(engine_));
  }

  std::unique_ptr<Engine> engine_;
};

}  // namespace

std::unique_ptr<Session> start_actor_session(Plan plan, const EngineOptions& options) {
  init_caf_once();
  auto& clock = options.clock != nullptr ? *options.clock : steady_clock();
  return std::make_unique<ActorSession>(std::make_unique<Engine>(std::move(plan), clock, options));
}

}  // namespace askos::dataflow
