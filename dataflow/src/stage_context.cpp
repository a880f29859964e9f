// SPDX-License-Identifier: Apache-2.0
// What a run of a stage does: packets in and out, exactly as its ports promise, and failures.
#include "execution.hpp"
#include "fault_injector.hpp"
#include "stage_runner.hpp"

#include <askos/telemetry/profiler_range.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace askos::dataflow {
namespace {

void increment(std::atomic<std::int64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

bool StageRunner::go() {
  switch (phase_) {
    case Phase::kStart:
      be_busy();
      try {
        stage_.start(*this);
        if (start_turn_ == 1) recorder_.restart();  // its state is a new one
        phase_ = Phase::kRun;
        start_turn_ = 1;
      } catch (...) {
        handle_failure(current_error());
      }
      return false;
    case Phase::kRun:
      if (begin_run()) run_once();
      return false;
    case Phase::kFinish: break;
  }
  be_busy();
  try {
    begin_count();
    stage_.finish(*this);
  } catch (...) {
    handle_failure(current_error());
  }
  if (!execution_.stopped()) end_stage();
  return ended();
}

void StageRunner::be_busy() {
  if (busy_) return;
  busy_ = true;
  if (options_.ledger) {
    ledger_.enter(telemetry::State::kBusyCpu);
    settle(input_waits_);
    settle(credit_waits_);
    last_tick_ = telemetry::ticks();
  }
  wait_tick_ = 0;
}

void StageRunner::begin_count() {
  for (auto& input : inputs_) input.taken = 0;
  for (auto& output : outputs_) output.emitted = 0;
  sample_.reset();
}

/// Makes sure that an edge which drops does not do so under the run's hands.
bool StageRunner::begin_run() {
  begin_count();
  for (auto& input : inputs_) {
    if (!input.edge->drops()) continue;
    input.known = input.edge->claim(any_ ? std::numeric_limits<int>::max() : input.needed);
    if (!any_ && input.known < input.needed) return false;
  }
  return true;
}

void StageRunner::run_once() {
  be_busy();
  const telemetry::ProfilerRange range(node_.name.c_str());
  try {
    if (options_.faults != nullptr && is_faulty()) return;
    if (!is_held_back()) {
      recording_ = recorder_.is_on() && recorder_.begin_run(num_runs());
      stage_.run(*this);
      check_run();
      if (recording_) recorder_.end_run("");
    }
  } catch (...) {
    auto error = current_error();
    discard_run();
    if (recording_) recorder_.end_run(error.what());
    handle_failure(std::move(error));
  }
  recording_ = false;
  for (auto& input : inputs_) {
    if (input.edge->drops()) input.edge->unclaim();
  }
  const auto moved = [](const auto& ports, auto count) {
    return std::ranges::any_of(ports, [&](const auto& port) { return port.*count > 0; });
  };
  const bool has_moved = moved(inputs_, &Input::taken) || moved(outputs_, &Output::emitted);
  if (has_moved) {
    increment(num_runs_);
    trace_run();
  }
  if (faults_) faults_->after_run(has_moved);
}

bool StageRunner::is_held_back() {
  if (!faults_) return false;
  const auto until = faults_->before_run(clock().now());
  if (until) wake_at(*until, telemetry::State::kWaitIo);
  return until.has_value();
}

/// Throws if the run is to fail; returns true if it is to lose its packets, and does so.
bool StageRunner::is_faulty() {
  switch (options_.faults->before_run(*this)) {
    case InjectedFault::kNone: return false;
    case InjectedFault::kFail: throw Error(Errc::kInternal, "injected fault");
    case InjectedFault::kDrop: break;
  }
  if (inputs_.empty()) return false;  // a source has nothing to lose
  discard_run();
  for (auto& input : inputs_) {
    if (input.edge->drops()) input.edge->unclaim();
  }
  increment(num_skipped_);
  return true;
}

/// A run either does all that its ports promise, or nothing at all because it is not ready.
void StageRunner::check_run() const {
  if (any_) return;
  bool all_taken = true;
  bool none_moved = true;
  for (const auto& input : inputs_) {
    none_moved = none_moved && input.taken == 0;
    all_taken = all_taken && (!input.exact || input.taken == input.needed);
  }
  bool all_emitted = true;
  for (const auto& output : outputs_) {
    none_moved = none_moved && output.emitted == 0;
    all_emitted = all_emitted && (!output.exact || output.emitted == output.most);
  }
  if (none_moved && (sleep_until_ || end_requested_)) return;
  if (!all_taken) throw Error(Errc::kInternal, "run left packets that its ports say it takes");
  if (!all_emitted && !end_requested_) {
    throw Error(Errc::kInternal, "run emitted fewer packets than its ports say");
  }
}

/// Takes what a failed run should have taken, so that the next one does not meet it again.
void StageRunner::discard_run() {
  const bool took_some = std::ranges::any_of(inputs_, [](auto& input) { return input.taken > 0; });
  for (auto& input : inputs_) {
    if (any_ && took_some) return;
    for (; input.taken < input.needed && input.known > 0; ++input.taken, --input.known) {
      const auto packet = input.edge->take(false);
      if (recording_) recorder_.note_input(*input.port, packet);
    }
    if (any_ && input.taken > 0) return;
  }
}

void StageRunner::handle_failure(Error error) {
  StageFailure failure{name(), rank_, sample_, std::move(error)};
  auto policy = node_.options.on_failure;
  const bool may_restart = num_restarts_.load() < node_.options.max_restarts;
  if ((policy == FailurePolicy::kSkip && phase_ == Phase::kStart) ||
      (policy == FailurePolicy::kRestart && !may_restart)) {
    policy = FailurePolicy::kStop;
  }
  trace(telemetry::TraceKind::kFailure, static_cast<std::uint8_t>(policy), 0);
  switch (policy) {
    case FailurePolicy::kStop: execution_.request_stop(std::move(failure)); return;
    case FailurePolicy::kSkip: increment(num_skipped_); break;
    case FailurePolicy::kRestart:
      increment(num_restarts_);
      if (phase_ == Phase::kRun) phase_ = Phase::kStart;
      break;
  }
  execution_.absorb(std::move(failure));
}

void StageRunner::end_stage() {
  end_bursts();
  for (const auto& target : targets_) target.edge->close();
  for (const auto& input : inputs_) input.edge->abandon();
  if (options_.ledger) {
    ledger_.enter(telemetry::State::kOff);
    settle(input_waits_);
    settle(credit_waits_);
  }
  gate_.stand(gate_.order(), turn() + 1);
  state_.store(RunState::kEnded);
  execution_.hold().note_stand();
  execution_.note_ended();
}

/// A long run is a record of its own; short ones share one, since even a clock read would be felt.
void StageRunner::trace_run() {
  if (ring_ == nullptr) return;
  if (num_untraced_++ == 0) burst_sample_ = sample_.value_or(SampleId{});
  if (!lazy_) trace_burst();
}

void StageRunner::trace_burst() {
  if (num_untraced_ == 0) return;
  sample_ = burst_sample_;
  trace(telemetry::TraceKind::kRun, 0, std::exchange(num_untraced_, 0));
}

void StageRunner::trace(telemetry::TraceKind kind, std::uint8_t flags, std::uint32_t detail) {
  if (ring_ == nullptr) return;
  const auto now = telemetry::ticks();
  ring_->record({.end = now,
                 .stage = index_,
                 .kind = kind,
                 .flags = flags,
                 .detail = detail,
                 .id = static_cast<std::uint64_t>(sample_.value_or(SampleId{}).value),
                 .duration = now - last_tick_});
  last_tick_ = now;
}

int StageRunner::num_waiting(const InPort& port) const {
  const auto& input = inputs_.at(static_cast<std::size_t>(port.index()));
  return input.edge->drops() ? input.known : input.edge->supply().depth;
}

Waker StageRunner::waker() const {
  return Waker(execution_.share(interrupter_));
}

bool StageRunner::stopping() const noexcept {
  return execution_.draining() || execution_.stopped();
}

Clock& StageRunner::clock() const noexcept {
  return execution_.clock();
}

AnyPacket StageRunner::take_any(const InPort& port) {
  ASKOS_CHECK(&port.owner() == &stage_ && phase_ == Phase::kRun);
  auto& input = inputs_[static_cast<std::size_t>(port.index())];
  if (!any_ && input.taken == input.needed) {
    throw Error(Errc::kInternal, "run takes more packets than its port says")
        .with("port", port.name())
        .with("rate", port.contract().rate);
  }
  if (input.known == 0 && !input.edge->drops()) input.known = input.edge->supply().depth;
  if (input.known == 0) {
    throw Error(Errc::kInternal, "run takes from an empty input").with("port", port.name());
  }
  --input.known;
  ++input.taken;
  input.burst = input.burst || lazy_;
  auto packet = input.edge->take(lazy_);
  if (recording_) recorder_.note_input(port, packet);
  if (!sample_) sample_ = packet.meta.sample;
  return packet;
}

void StageRunner::emit_any(const OutPort& port,
                           std::shared_ptr<const void> payload,
                           const PacketMeta& meta) {
  ASKOS_CHECK(&port.owner() == &stage_ && phase_ != Phase::kStart);
  auto& output = outputs_[static_cast<std::size_t>(port.index())];
  if (output.emitted == (phase_ == Phase::kFinish ? 1 : output.most)) {
    throw Error(Errc::kInternal, "run emits more packets than its port says")
        .with("port", port.name())
        .with("rate", port.contract().rate);
  }
  if (faults_) payload = faults_->pass(port, std::move(payload));
  PacketMeta charged = meta;
  const auto charge = [&](Bytes& bytes, Bytes largest) {
    if (largest.value > 0 && bytes > largest) {
      throw Error(Errc::kInvalidInput, "payload is larger than its port says")
          .with("port", port.name())
          .with("found", bytes)
          .with("expected", largest);
    }
    if (bytes.value == 0) bytes = largest;
  };
  charge(charged.host_bytes, port.contract().host_bytes);
  charge(charged.device_bytes, port.contract().device_bytes);
  if (!sample_) sample_ = meta.sample;
  ++output.emitted;
  if (recording_) recorder_.note_output(port, charged, payload.get());
  // In a burst the time of its beginning is near enough, and a clock would be felt.
  const auto tick = lazy_ || is_brief() ? last_tick_ : telemetry::ticks();
  for (std::size_t i = 0; i < output.num_targets; ++i) {
    auto& target = targets_[output.first_target + i];
    --target.known_free;
    const bool last = i + 1 == output.num_targets;
    if (!target.edge->push(last ? std::move(payload) : payload, charged, tick)) {
      throw Error(Errc::kStalled, "edge is full")
          .with("edge", execution_.edge_name(rank_, target.graph_edge));
    }
  }
}

}  // namespace askos::dataflow
