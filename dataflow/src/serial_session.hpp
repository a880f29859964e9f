// SPDX-License-Identifier: Apache-2.0
// Runs a plan on the thread that waits for it, one activation after the other. Tests let a seed
// pick the order.
#pragma once

#include "execution.hpp"

#include <map>
#include <random>

namespace askos::dataflow {

struct SerialOptions {
  RunnerOptions runner{};
  std::optional<unsigned>
      seed{};  ///< pick the next stage at random, instead of the longest waiting
  OperatorTracing operator_tracing{};
};

class SerialSession final : public Session, private Scheduler {
 public:
  SerialSession(Plan plan, Clock& clock, const SerialOptions& options);
  ~SerialSession() override;

  [[nodiscard]] std::optional<Outcome> wait(Nanoseconds deadline) override;
  [[nodiscard]] Outcome drain(Nanoseconds deadline) override;
  void stop(std::optional<StageFailure> reason) override;
  [[nodiscard]] SessionStatus status() const override { return execution_->status(); }
  [[nodiscard]] telemetry::Trace trace(Nanoseconds since) const override {
    return execution_->trace_since(since);
  }
  [[nodiscard]] const Plan& plan() const noexcept override { return execution_->plan(); }
  [[nodiscard]] Control& control() const noexcept override { return execution_->control(); }
  [[nodiscard]] int event_descriptor() const noexcept override {
    return execution_->event_descriptor();
  }

 private:
  void schedule(StageRunner& runner) noexcept override;
  void schedule_wake(StageRunner& runner, Nanoseconds when) override;

  /// Returns the next stage to run; waits for one until `until`, and returns nothing then.
  [[nodiscard]] StageRunner* next_runner(Nanoseconds until);
  void wake_due();

  std::shared_ptr<Execution> execution_;
  Clock& clock_;
  std::optional<std::mt19937> random_;
  std::mutex running_;  // held by the thread that runs the graph

  std::mutex mutex_;  // guards all below
  std::condition_variable scheduled_;
  std::vector<StageRunner*> ready_;
  std::multimap<Nanoseconds, StageRunner*> sleepers_;
};

}  // namespace askos::dataflow
