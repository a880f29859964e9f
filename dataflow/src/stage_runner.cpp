// SPDX-License-Identifier: Apache-2.0
// When a stage runs: readiness, waiting, waking. What a run does is in stage_context.cpp.
#include "stage_runner.hpp"

#include "execution.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace askos::dataflow {
namespace {

using telemetry::State;

/// Runs shorter than this come in bursts, in which a wake-up per packet would cost more than work.
constexpr Nanoseconds kShortRun = std::chrono::microseconds(10);
constexpr int kRunsToJudge = 4;
/// Activations shorter than this are brief, and bursts of runs that cost less than waking another
/// thread for each; so many in a row make a habit.
constexpr Nanoseconds kBriefActivation = std::chrono::microseconds(6);
constexpr Nanoseconds kBriefBurst = std::chrono::microseconds(50);
constexpr Nanoseconds kBriefRun = std::chrono::nanoseconds(250);
constexpr int kBriefHabit = 8;

bool is_power_of_two(int number) noexcept {
  return (number & (number - 1)) == 0;
}

bool is_power_of_four(int number) noexcept {
  return is_power_of_two(number) && (number & 0x55555555) != 0;
}

}  // namespace

StageRunner::StageRunner(Execution& execution,
                         const Graph::Node& node,
                         Rank rank,
                         std::uint16_t index,
                         const Connections& connections,
                         const RunnerOptions& options)
    : execution_(execution),
      node_(node),
      stage_(*node.stage),
      rank_(rank),
      index_(index),
      options_(options),
      dedicated_(stage_.threading() == Threading::kDedicated),
      any_(stage_.firing() == Firing::kAny),
      meets_ranks_(!stage_.communicator().empty()),
      faults_(StageFaults::make(node.options.faults, rank.value, execution.clock().now())),
      recorder_(stage_),
      ledger_(execution.clock()),
      input_waits_(State::kWaitInput, connections.inputs.size()),
      credit_waits_(State::kWaitCredit, connections.num_output_edges()) {
  for (std::size_t i = 0; i < connections.inputs.size(); ++i) {
    const auto* port = stage_.inputs()[i];
    const int rate = port->contract().rate;
    inputs_.push_back({.port = port,
                       .edge = connections.inputs[i],
                       .needed = any_ ? 1 : std::max(rate, 1),
                       .exact = !any_ && rate > 0});
  }
  for (std::size_t i = 0; i < connections.outputs.size(); ++i) {
    const auto* port = stage_.outputs()[i];
    const int rate = port->contract().rate;
    outputs_.push_back({.port = port,
                        .most = std::max(rate, 1),
                        .exact = !any_ && rate > 0,
                        .first_target = targets_.size(),
                        .num_targets = connections.outputs[i].size()});
    for (const auto& edge : connections.outputs[i]) {
      targets_.push_back({.edge = edge.edge, .graph_edge = edge.graph_edge});
    }
  }
}

void StageRunner::wake() noexcept {
  auto state = state_.load();
  for (;;) {
    switch (state) {
      case RunState::kIdle:
        if (state_.compare_exchange_weak(state, RunState::kScheduled)) {
          // One that stands for a debugger looks at its gate and stands on: that is no other wait.
          if (options_.ledger && !stands_held()) ledger_.enter(State::kWaitSched);
          execution_.scheduler().schedule(*this);
          return;
        }
        break;
      case RunState::kRunning:
        if (state_.compare_exchange_weak(state, RunState::kNotified)) return;
        break;
      case RunState::kScheduled:
      case RunState::kNotified:
      case RunState::kEnded: return;
    }
  }
}

void StageRunner::interrupt() noexcept {
  interrupted_.store(true);
  wake();
}

Activation StageRunner::activate() {
  num_activations_.fetch_add(1, std::memory_order_relaxed);
  state_.store(RunState::kRunning);
  const telemetry::CurrentLedger account(options_.ledger ? &ledger_ : nullptr,
                                         options_.ledger ? &execution_.trace() : nullptr, index_);
  ring_ = account.ring();
  lazy_ = false;
  int num_runs = 0;
  began_ = clock().now();
  began_at_run_ = num_runs_.load(std::memory_order_relaxed);
  for (;;) {
    if (execution_.stopped()) {
      end_stage();
      return Activation::kEnded;
    }
    const bool attended = gate_.wants_attention(turn());
    if (attended && gate_.is_closed(turn())) {
      if (stand_at_gate()) return Activation::kIdle;
      continue;
    }
    const auto verdict = judge();
    if (verdict.kind == Verdict::kWait) {
      if (park(verdict)) return Activation::kIdle;
      continue;
    }
    if (attended && phase_ == Phase::kRun && execution_.breakpoints().hits(*this)) continue;
    if (meets_ranks_ && !gate_.announce(turn())) continue;
    if (go()) return Activation::kEnded;
    ++num_runs;
    const bool spent = num_runs >= options_.budget;
    if (!spent && !(lazy_ || is_brief() ? is_power_of_four(num_runs) : is_power_of_two(num_runs))) {
      continue;
    }
    const auto passed = clock().now() - began_;
    lazy_ = num_runs >= kRunsToJudge && passed < num_runs * kShortRun;
    if (!lazy_) end_bursts();
    if (dedicated_ && spent) {
      num_runs = 0;
      began_ = clock().now();
    } else if (!dedicated_ && (spent || passed >= options_.slice)) {
      yield();
      return Activation::kAgain;
    }
  }
}

void StageRunner::yield() {
  end_bursts();
  note_activation();
  busy_ = false;
  if (options_.ledger) ledger_.enter(State::kWaitSched);
  state_.store(RunState::kScheduled);
}

void StageRunner::note_activation() noexcept {
  const auto passed = clock().now() - began_;
  const auto runs = num_runs_.load(std::memory_order_relaxed) - began_at_run_;
  const bool brief =
      passed < kBriefActivation || (passed < kBriefBurst && passed < runs * kBriefRun);
  num_brief_ = brief ? std::min(num_brief_ + 1, kBriefHabit) : 0;
}

bool StageRunner::is_brief() const noexcept {
  return num_brief_ == kBriefHabit;
}

StageRunner::Verdict StageRunner::judge() {
  const bool is_source = inputs_.empty();
  if (phase_ == Phase::kStart) return {};
  if (phase_ == Phase::kRun &&
      (end_requested_ || (is_source && execution_.draining()) || nobody_takes())) {
    phase_ = Phase::kFinish;
  }
  if (phase_ == Phase::kRun) {
    if (sleep_until_) {
      if (!interrupted_.exchange(false) && clock().now() < *sleep_until_) {
        return {Verdict::kWait, sleep_account_, 0, 0, true};
      }
      sleep_until_.reset();
      armed_for_.reset();
    }
    const auto verdict = any_ ? judge_any_input() : judge_all_inputs();
    if (verdict.kind == Verdict::kWait) return verdict;
    if (verdict.kind == Verdict::kEnd) phase_ = Phase::kFinish;
  }
  return judge_outputs();
}

bool StageRunner::nobody_takes() const {
  return !targets_.empty() && std::ranges::all_of(targets_, [](const Target& target) {
    return target.edge->abandoned();
  });
}

StageRunner::Verdict StageRunner::judge_all_inputs() {
  Verdict verdict;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    auto& input = inputs_[i];
    if (input.known >= input.needed && !input.edge->drops()) continue;
    const auto supply = input.edge->supply();
    input.known = supply.depth;
    if (input.known >= input.needed) continue;
    if (supply.closed) return {Verdict::kEnd};
    if (verdict.kind == Verdict::kGo) {
      verdict = {Verdict::kWait, State::kWaitInput, i, input.needed};
    }
  }
  return verdict;
}

StageRunner::Verdict StageRunner::judge_any_input() {
  bool all_over = true;
  std::size_t first_open = inputs_.size();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    auto& input = inputs_[i];
    if (input.known == 0 || input.edge->drops()) {
      const auto supply = input.edge->supply();
      input.known = supply.depth;
      input.over = supply.closed && supply.depth == 0;
    }
    if (input.known > 0) {
      if (!busy_) input_waits_.wait_for(i);
      return {};
    }
    if (!input.over) first_open = std::min(first_open, i);
    all_over = all_over && input.over;
  }
  if (all_over && !inputs_.empty()) return {Verdict::kEnd};
  if (inputs_.empty()) return {};
  return {Verdict::kWait, State::kWaitInput, first_open, 1};
}

StageRunner::Verdict StageRunner::judge_outputs() {
  for (const auto& output : outputs_) {
    const int needed = phase_ == Phase::kFinish ? 1 : output.most;
    for (std::size_t i = output.first_target; i < output.first_target + output.num_targets; ++i) {
      auto& target = targets_[i];
      if (target.known_free >= needed) continue;
      target.known_free = target.edge->num_free();
      if (target.known_free < needed) return {Verdict::kWait, State::kWaitCredit, i, needed};
    }
  }
  return {};
}

bool StageRunner::park(const Verdict& verdict) {
  end_bursts();
  if (!register_wait(verdict)) return false;
  if (wait_tick_ == 0) wait_tick_ = telemetry::ticks();
  busy_ = false;
  if (options_.ledger) enter_wait(verdict);
  waits_for_stages_.store(!verdict.sleeps, std::memory_order_relaxed);
  if (!(dedicated_ && spin_for_notice()) && fall_asleep()) return true;
  state_.store(RunState::kRunning);
  return false;
}

bool StageRunner::fall_asleep() {
  note_activation();
  auto expected = RunState::kRunning;
  return state_.compare_exchange_strong(expected, RunState::kIdle);
}

bool StageRunner::stand_at_gate() {
  const auto order = gate_.order();
  if (!gate_.is_closed(turn())) return false;
  end_bursts();
  for (auto& target : targets_) target.known_free = 0;  // its credit may be changed
  if (wait_tick_ == 0) wait_tick_ = telemetry::ticks();
  busy_ = false;
  if (options_.ledger) {
    ledger_.enter(State::kPaused);
    settle(input_waits_);
    settle(credit_waits_);
  }
  gate_.stand(order, turn());
  execution_.hold().note_stand();
  if (fall_asleep()) return true;
  state_.store(RunState::kRunning);
  return false;
}

bool StageRunner::register_wait(const Verdict& verdict) {
  if (verdict.sleeps) {
    if (*sleep_until_ != Nanoseconds::max() && armed_for_ != sleep_until_) {
      armed_for_ = sleep_until_;
      execution_.scheduler().schedule_wake(*this, *sleep_until_);
    }
    return true;
  }
  if (verdict.state == State::kWaitCredit) {
    return targets_[verdict.place].edge->wait_for_credit(verdict.needed);
  }
  if (!any_) return inputs_[verdict.place].edge->wait_for_packets(verdict.needed);
  return std::ranges::all_of(
      inputs_, [](Input& input) { return input.over || input.edge->wait_for_packets(1); });
}

void StageRunner::enter_wait(const Verdict& verdict) {
  if (verdict.state == State::kWaitInput) input_waits_.wait_for(verdict.place);
  if (verdict.state == State::kWaitCredit) credit_waits_.wait_for(verdict.place);
  ledger_.enter(verdict.state);
  if (verdict.state != State::kWaitInput) settle(input_waits_);
  if (verdict.state != State::kWaitCredit) settle(credit_waits_);
}

bool StageRunner::spin_for_notice() {
  const auto noticed = [this] {
    return state_.load(std::memory_order_relaxed) != RunState::kRunning;
  };
  const auto& steady = steady_clock();
  for (const auto until = steady.now() + options_.spin; !noticed();) {
    if (steady.now() >= until) return false;
  }
  return true;
}

void StageRunner::end_bursts() {
  trace_burst();
  for (auto& input : inputs_) {
    if (std::exchange(input.burst, false)) input.edge->end_burst();
  }
}

void StageRunner::settle(WaitAccount& waits) {
  if (waits.settle(ledger_).count() == 0) return;
  const auto now = telemetry::ticks();
  ring_->record({.end = now,
                 .stage = index_,
                 .kind = telemetry::TraceKind::kWait,
                 .flags = static_cast<std::uint8_t>(waits.state()),
                 .detail = static_cast<std::uint32_t>(waits.place()),
                 .duration = now - wait_tick_});
}

StageStatus StageRunner::status(std::size_t num_graph_edges) const {
  StageStatus status{.stage = name(), .rank = rank_};
  status.num_runs = num_runs_.load(std::memory_order_relaxed);
  status.num_skipped = num_skipped_.load(std::memory_order_relaxed);
  status.num_restarts = num_restarts_.load(std::memory_order_relaxed);
  status.ledger = ledger_.read();
  status.wait_input_ns = input_waits_.read(status.ledger);
  status.wait_credit_ns.assign(num_graph_edges, 0);
  const auto by_target = credit_waits_.read(status.ledger);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    status.wait_credit_ns[targets_[i].graph_edge] = by_target[i];
  }
  return status;
}

}  // namespace askos::dataflow
