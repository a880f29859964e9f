// SPDX-License-Identifier: Apache-2.0
#include "serial_session.hpp"

#include <algorithm>

namespace askos::dataflow {
namespace {

constexpr Nanoseconds kLongWait = std::chrono::hours(24);

Nanoseconds after(Nanoseconds now, Nanoseconds deadline) {
  return deadline < Nanoseconds::max() - now ? now + deadline : Nanoseconds::max();
}

}  // namespace

SerialSession::SerialSession(Plan plan, Clock& clock, const SerialOptions& options)
    : execution_(Execution::make(std::move(plan), clock, options.runner, options.operator_tracing)),
      clock_(clock) {
  if (options.seed) random_.emplace(*options.seed);
  execution_->launch(*this);
}

SerialSession::~SerialSession() {
  if (!execution_->outcome()) (void)drain(kEndDeadline);
}

std::optional<Outcome> SerialSession::wait(Nanoseconds deadline) {
  const std::lock_guard running(running_);
  const auto until = after(clock_.now(), deadline);
  while (!execution_->outcome()) {
    auto* const runner = next_runner(until);
    if (runner == nullptr) break;
    if (runner->activate() == Activation::kAgain) schedule(*runner);
  }
  return execution_->outcome();
}

Outcome SerialSession::drain(Nanoseconds deadline) {
  execution_->request_drain();
  if (auto outcome = wait(deadline)) return *outcome;
  execution_->give_up_drain();
  return wait(kEndDeadline).value_or(execution_->preliminary_outcome());
}

void SerialSession::stop(std::optional<StageFailure> reason) {
  execution_->request_stop(std::move(reason));
}

void SerialSession::schedule(StageRunner& runner) noexcept {
  const std::lock_guard lock(mutex_);
  ready_.push_back(&runner);
  scheduled_.notify_one();
}

void SerialSession::schedule_wake(StageRunner& runner, Nanoseconds when) {
  const std::lock_guard lock(mutex_);
  sleepers_.emplace(when, &runner);
}

void SerialSession::wake_due() {
  std::vector<StageRunner*> due;
  {
    const std::lock_guard lock(mutex_);
    const auto end = sleepers_.upper_bound(clock_.now());
    std::transform(sleepers_.begin(), end, std::back_inserter(due),
                   [](const auto& sleeper) { return sleeper.second; });
    sleepers_.erase(sleepers_.begin(), end);
  }
  for (auto* const runner : due) runner->wake();
}

StageRunner* SerialSession::next_runner(Nanoseconds until) {
  for (;;) {
    wake_due();
    const auto now = clock_.now();
    if (now >= until) return nullptr;
    std::unique_lock lock(mutex_);
    if (!ready_.empty()) {
      const auto last = ready_.size() - 1;
      const auto pick = random_ ? std::uniform_int_distribution<std::size_t>(0, last)(*random_) : 0;
      auto* const runner = ready_[pick];
      ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(pick));
      return runner;
    }
    const auto next = sleepers_.empty() ? until : std::min(until, sleepers_.begin()->first);
    if (sleepers_.empty() || &clock_ == &steady_clock()) {
      // Somebody outside may still wake a stage.
      const auto status = scheduled_.wait_for(lock, std::min(next - now, kLongWait));
      if (sleepers_.empty() && status == std::cv_status::timeout) return nullptr;
    } else {
      lock.unlock();
      clock_.sleep_until(next);
    }
  }
}

}  // namespace askos::dataflow
