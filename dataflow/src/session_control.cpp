// SPDX-License-Identifier: Apache-2.0
#include "session_control.hpp"

#include "execution.hpp"

#include <askos/base/error.hpp>

namespace askos::dataflow {
namespace {

constexpr Nanoseconds kLongestOperatorTrace = std::chrono::minutes(1);

}  // namespace

void SessionControl::pause(const Debugger& debugger, std::string_view stage) {
  execution_.hold().pause(debugger, stage, "pause");
}

void SessionControl::resume(const Debugger& debugger, std::string_view stage) {
  execution_.breakpoints().arm();
  execution_.hold().resume(debugger, stage);
}

void SessionControl::step(const Debugger& debugger, std::int64_t num_runs, std::string_view stage) {
  execution_.breakpoints().arm();
  execution_.hold().step(debugger, num_runs, stage);
}

void SessionControl::catch_up(const std::vector<StageTurn>& turns) {
  execution_.hold().catch_up(turns);
}

HoldStatus SessionControl::hold(std::string_view debugger) {
  return execution_.hold().status(debugger);
}

HoldStatus SessionControl::wait_for_hold(Nanoseconds deadline) {
  return execution_.hold().wait(deadline);
}

Peek SessionControl::peek(const PeekRequest& request) {
  return execution_.peek(request);
}

Breakpoint SessionControl::add_breakpoint(const Debugger& debugger,
                                          std::string_view edge,
                                          std::string_view when,
                                          std::optional<Rank> rank,
                                          std::optional<int> number) {
  return execution_.breakpoints().add(debugger, edge, rank, when, number);
}

std::vector<Breakpoint> SessionControl::breakpoints() const {
  return execution_.breakpoints().list();
}

void SessionControl::remove_breakpoints(std::optional<int> number) {
  execution_.breakpoints().remove(number);
}

CreditChange SessionControl::change_credit(std::string_view edge, int credit) {
  const auto change = execution_.change_credit(edge, credit);
  execution_.credit_tuner().stop(edge);
  return change;
}

TuningDecision SessionControl::tune_credit(std::string_view edge,
                                           const SessionStatus& before,
                                           const SessionStatus& after) {
  return execution_.credit_tuner().start(edge, before, after);
}

std::vector<EdgeTuning> SessionControl::tuning() const {
  return execution_.credit_tuner().tuning();
}

StageChange SessionControl::change_argument(std::string_view stage,
                                            const std::string& argument,
                                            const Argument& value) {
  return execution_.change_argument(stage, argument, value);
}

RecordingStatus SessionControl::record(std::string_view stage, Rank rank, int last) {
  return execution_.recordings().arm(stage, rank, last);
}

RecordingStatus SessionControl::recording_status(std::string_view stage, Rank rank) const {
  return execution_.recordings().status(stage, rank);
}

std::shared_ptr<const Recording> SessionControl::take_recording(std::string_view stage,
                                                                Rank rank) const {
  return execution_.recordings().take(stage, rank);
}

int SessionControl::keep_recording(std::shared_ptr<const Recording> recording) {
  return execution_.recordings().keep(std::move(recording));
}

std::shared_ptr<const Recording> SessionControl::kept_recording(int number) const {
  return execution_.recordings().kept(number);
}

void SessionControl::trace_operators(Nanoseconds duration) {
  if (!execution_.operator_tracing()) {
    throw Error(Errc::kUsage, "graph runs no operators of a numeric library that could be traced");
  }
  if (duration < Nanoseconds::zero() || duration > kLongestOperatorTrace) {
    throw Error(Errc::kUsage, "operators are traced for a while only")
        .with("expected", "at most " + format_duration(kLongestOperatorTrace))
        .with("found", format_duration(duration));
  }
  const std::lock_guard lock(mutex_);
  if (duration == Nanoseconds::zero()) {
    operators_ = nullptr;
    operators_until_.reset();
    return;
  }
  if (!operators_until_) {
    execution_.trace().begin_operators();
    operators_ = execution_.operator_tracing()();
  }
  operators_until_ = steady_clock().now() + duration;
}

bool SessionControl::tend() {
  {
    const std::lock_guard lock(mutex_);
    const auto now = steady_clock().now();
    if (drain_until_ && now >= *drain_until_) {
      drain_until_.reset();
      execution_.give_up_drain();
    }
    if (operators_until_ && now >= *operators_until_) {
      operators_ = nullptr;
      operators_until_.reset();
    }
  }
  execution_.credit_tuner().tend();
  return execution_.hold().tend();
}

void SessionControl::drain(Nanoseconds deadline) {
  const std::lock_guard lock(mutex_);
  drain_until_ = steady_clock().now() + deadline;
  execution_.request_drain();
}

}  // namespace askos::dataflow
