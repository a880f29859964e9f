// SPDX-License-Identifier: Apache-2.0
#include "hold.hpp"

#include <askos/base/error.hpp>
#include <askos/base/log.hpp>
#include <askos/base/nearest_name.hpp>

#include <algorithm>
#include <utility>

namespace askos::dataflow {
namespace {

/// Whoever waits for the end of steps looks so often whether anything still moves.
constexpr auto kLook = std::chrono::milliseconds(1);
constexpr Nanoseconds kLongestLease = std::chrono::hours(24);

void order(StageRunner& runner, std::int64_t limit) {
  runner.gate().set_limit(limit);
  runner.wake();
}

bool stands(const StageRunner& runner) {
  return runner.ended() || runner.gate().is_obeyed();
}

Nanoseconds now() {
  return steady_clock().now();  // leases are of real time, whatever the graph's clock says
}

}  // namespace

std::string_view to_string(HoldState state) noexcept {
  switch (state) {
    case HoldState::kRunning: return "running";
    case HoldState::kPausing: return "pausing";
    case HoldState::kPaused: return "paused";
    case HoldState::kStepping: return "stepping";
  }
  return "unknown";
}

std::size_t Hold::num_stages() const noexcept {
  const auto rank_of = [](const auto& runner) { return runner->rank(); };
  return runners_.empty() ? 0
                          : static_cast<std::size_t>(
                                std::ranges::count(runners_, rank_of(runners_.front()), rank_of));
}

std::vector<StageRunner*> Hold::ranks_of(std::size_t stage) const {
  std::vector<StageRunner*> ranks;
  for (std::size_t i = stage; i < runners_.size(); i += num_stages()) {
    ranks.push_back(runners_[i].get());
  }
  return ranks;
}

std::vector<std::size_t> Hold::chosen(std::string_view stage) const {
  std::vector<std::size_t> stages;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < num_stages(); ++i) {
    names.push_back(runners_[i]->name());
    if (stage.empty() || stage == names.back()) stages.push_back(i);
  }
  if (!stage.empty() && stages.empty()) {
    Error error(Errc::kNotFound, "no stage of that name");
    error.with("stage", stage);
    suggest(error, stage, names);
    throw error;
  }
  return stages;
}

bool Hold::holds_all() const {
  return std::ranges::all_of(held_, std::identity{});
}

void Hold::check_owner(const Debugger& debugger) const {
  if (std::ranges::all_of(runners_, [](const auto& runner) { return runner->ended(); })) {
    throw Error(Errc::kUsage, "graph has ended, there is nothing to hold");
  }
  const auto left = expires_ - now();
  if (phase_ != Phase::kRunning && debugger.name != debugger_.name &&
      debugger_.name != kAnyDebugger && !debugger.take_over && left.count() > 0) {
    throw Error(Errc::kUsage, "graph is held by another debugger")
        .with("debugger", debugger_.name)
        .with("lease_left", format_duration(std::chrono::ceil<std::chrono::seconds>(left)));
  }
  if (debugger.lease <= Nanoseconds::zero() || debugger.lease > kLongestLease) {
    throw Error(Errc::kUsage, "lease is out of range")
        .with("expected", "more than 0 s, at most 24 h")
        .with("found", format_duration(debugger.lease));
  }
}

void Hold::claim(const Debugger& debugger) {
  start_hold(debugger);
}

void Hold::start_hold(const Debugger& debugger) {
  if (phase_ == Phase::kRunning) {
    held_.assign(num_stages(), false);
    moving_.assign(num_stages(), false);
    since_ = now();
    active_.store(true);
  }
  debugger_ = debugger;
  renew(debugger.lease);
}

void Hold::renew(Nanoseconds lease) {
  expires_ = now() + lease;
}

void Hold::set_phase(Phase phase) {
  phase_ = phase;
  changed_.notify_all();
}

void Hold::pause(const Debugger& debugger, std::string_view stage, const char* reason) {
  const std::lock_guard lock(mutex_);
  const auto stages = chosen(stage);
  check_owner(debugger);
  claim(debugger);
  if (reason_.empty()) reason_ = reason;
  for (const auto i : stages) {
    moving_[i] = moving_[i] || !held_[i] || phase_ == Phase::kStepping;
    held_[i] = true;
    if (!held_besides_.empty()) held_besides_[i] = true;
  }
  begin_cut();
}

void Hold::step(const Debugger& debugger, std::int64_t num_runs, std::string_view stage) {
  const std::lock_guard lock(mutex_);
  auto stages = chosen(stage);
  check_owner(debugger);
  if (num_runs < 1 || num_runs > std::numeric_limits<int>::max()) {
    throw Error(Errc::kUsage, "number of runs is out of range").with("count", num_runs);
  }
  if (phase_ == Phase::kRunning || phase_ == Phase::kCutting || phase_ == Phase::kClosing) {
    throw Error(Errc::kUsage, phase_ == Phase::kRunning ? "nothing is paused, so nothing can step"
                                                        : "the pause is not reached yet");
  }
  std::erase_if(stages, [&](std::size_t i) { return !held_[i]; });
  if (stages.empty()) throw Error(Errc::kUsage, "stage is not paused").with("stage", stage);
  claim(debugger);
  moving_.assign(num_stages(), false);
  for (const auto i : stages) {
    moving_[i] = true;
    for (auto* const runner : ranks_of(i)) {
      const auto& gate = runner->gate();
      const auto from = gate.is_obeyed() ? gate.turn() : std::min(gate.limit(), Gate::kOpen / 2);
      order(*runner, std::max<std::int64_t>(from, 1) + num_runs);  // the start is no run
    }
  }
  set_phase(Phase::kStepping);
  advance();
}

void Hold::catch_up(const std::vector<StageTurn>& turns) {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::kRunning || phase_ == Phase::kStepping) return;
  bool behind = false;
  bool meets_ranks = false;
  for (const auto& [name, turn] : turns) {
    const auto stage = chosen(name).front();
    for (auto* const runner : ranks_of(stage)) {
      if (!held_[stage] || runner->ended() || runner->gate().limit() >= turn) continue;
      order(*runner, turn);
      behind = true;
      meets_ranks = meets_ranks || runner->meets_ranks();
    }
  }
  if (!behind) return;
  moving_ = held_;
  if (meets_ranks) open_rest();
  set_phase(meets_ranks ? Phase::kCutting : Phase::kClosing);
  advance();
}

void Hold::resume(const Debugger& debugger, std::string_view stage) {
  const std::lock_guard lock(mutex_);
  const auto stages = chosen(stage);
  if (phase_ == Phase::kRunning) return;
  check_owner(debugger);
  claim(debugger);
  for (const auto i : stages) {
    if (!held_besides_.empty()) held_besides_[i] = false;
    if (!changes_.empty()) continue;  // once they are made
    held_[i] = false;
    moving_[i] = false;
    for (auto* const runner : ranks_of(i)) order(*runner, Gate::kOpen);
  }
  if (std::ranges::none_of(held_, std::identity{})) {
    release_locked();
  } else {
    advance();
  }
}

void Hold::release() {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::kRunning) release_locked();
}

void Hold::release_locked() {
  for (const auto& runner : runners_) order(*runner, Gate::kOpen);
  active_.store(false);
  changes_.clear();
  held_besides_.clear();
  reason_.clear();
  set_phase(Phase::kRunning);
}

void Hold::begin_cut() {
  bool any = false;
  bool behind = false;
  for (std::size_t i = 0; i < moving_.size(); ++i) {
    if (!moving_[i] || !runners_[i]->meets_ranks()) continue;
    any = true;
    behind = cut(i) || behind;
  }
  // Ranks that are behind need packets, perhaps from stages that steps had brought to their limit.
  if (behind) open_rest();
  set_phase(Phase::kCutting);
  if (!any) close_rest();
  advance();
}

void Hold::open_rest() {
  for (std::size_t i = 0; i < moving_.size(); ++i) {
    if (!moving_[i] || runners_[i]->meets_ranks()) continue;
    for (auto* const runner : ranks_of(i)) order(*runner, Gate::kOpen);
  }
}

void Hold::hit(StageRunner& runner, const Debugger& debugger) {
  const std::lock_guard lock(mutex_);
  start_hold(phase_ == Phase::kRunning ? debugger : debugger_);
  reason_ = "breakpoint";
  held_.assign(num_stages(), true);
  held_besides_ = held_;
  moving_ = held_;
  begin_cut();
  if (!runner.meets_ranks()) order(runner, runner.turn());
}

void Hold::set_probing(StageRunner& runner, bool probing) {
  const std::lock_guard lock(mutex_);
  runner.gate().set_probing(probing);
}

void Hold::when_all_stand(std::function<void()> change) {
  const std::lock_guard lock(mutex_);
  changes_.push_back(std::move(change));
  if (phase_ == Phase::kPaused && holds_all()) return make_changes();
  start_hold(phase_ == Phase::kRunning ? Debugger{.name = kAnyDebugger} : debugger_);
  if (changes_.size() == 1) held_besides_ = held_;
  held_.assign(num_stages(), true);
  moving_ = held_;
  begin_cut();
}

void Hold::make_changes() {
  for (const auto& change : std::exchange(changes_, {})) change();
  if (held_besides_.empty()) return;
  held_ = std::exchange(held_besides_, {});
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (held_[i]) continue;
    for (auto* const runner : ranks_of(i)) order(*runner, Gate::kOpen);
  }
  if (std::ranges::none_of(held_, std::identity{})) release_locked();
}

/// Whoever sees the gate closed has not begun a turn; so the announced ones are all there are.
/// Returns whether a rank has yet to begin the last of them.
bool Hold::cut(std::size_t stage) {
  const auto ranks = ranks_of(stage);
  for (auto* const runner : ranks) runner->gate().set_limit(0);
  const auto begun = [](const StageRunner* runner) { return runner->gate().begun(); };
  const auto [least, most] = std::ranges::minmax(ranks, {}, begun);
  const auto last = begun(most);
  for (auto* const runner : ranks) order(*runner, last);
  return begun(least) < last;
}

void Hold::close_rest() {
  for (std::size_t i = 0; i < moving_.size(); ++i) {
    if (!moving_[i] || runners_[i]->meets_ranks()) continue;
    for (auto* const runner : ranks_of(i)) order(*runner, 0);
  }
  set_phase(Phase::kClosing);
}

/// Lets ranks that are behind catch up; returns whether there are any.
bool Hold::level() {
  bool any = false;
  for (std::size_t i = 0; i < moving_.size() && !holds_all(); ++i) {
    if (!moving_[i] || runners_[i]->meets_ranks()) continue;
    const auto ranks = ranks_of(i);
    const auto last =
        (*std::ranges::max_element(ranks, {},
                                   [](const StageRunner* runner) { return runner->gate().turn(); }))
            ->gate()
            .turn();
    for (auto* const runner : ranks) {
      if (runner->ended() || runner->gate().turn() >= last) continue;
      order(*runner, last);
      any = true;
    }
  }
  return any;
}

bool Hold::all_stand(bool collective_only) const {
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    const auto& runner = *runners_[i];
    if (!moving_[i % num_stages()] || (collective_only && !runner.meets_ranks())) continue;
    if (!stands(runner)) return false;
  }
  return true;
}

void Hold::advance() {
  if (phase_ != Phase::kRunning && now() >= expires_) {
    logger("askos.dataflow")
        ->warn("lease of debugger {} has run out, the graph goes on", debugger_.name);
    release_locked();
  }
  switch (phase_) {
    case Phase::kRunning:
    case Phase::kPaused: break;
    case Phase::kStepping:
      if (all_stand(false) || is_quiescent()) begin_cut();
      break;
    case Phase::kCutting:
      if (!all_stand(true)) {
        if (is_quiescent()) open_rest();  // a breakpoint holds back what another rank waits for
        break;
      }
      close_rest();
      [[fallthrough]];
    case Phase::kClosing:
      if (!all_stand(false) || level()) break;
      moving_.assign(num_stages(), false);
      set_phase(Phase::kPaused);
      if (!changes_.empty() && holds_all()) make_changes();
  }
}

/// Activations of all runners, or nothing if any of them may still move without another.
std::vector<std::uint64_t> Hold::signature() const {
  std::vector<std::uint64_t> activations;
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    const auto& runner = *runners_[i];
    const auto waits_for_ranks = [&] {
      return runner.meets_ranks() &&
             std::ranges::any_of(ranks_of(i % num_stages()), [&](const StageRunner* other) {
               return other->gate().begun() < runner.gate().begun();
             });
    };
    activations.push_back(runner.num_activations());
    if (!stands(runner) && !runner.waits_for_stages() && !waits_for_ranks()) return {};
  }
  return activations;
}

/// Two equal readings: between them nothing moved, and whatever was read was so at one moment.
bool Hold::is_quiescent() const {
  const auto first = signature();
  return !first.empty() && first == signature();
}

void Hold::note_stand() {
  if (!is_active()) return;
  const std::lock_guard lock(mutex_);
  advance();
}

bool Hold::tend() {
  if (!is_active()) return false;
  const std::lock_guard lock(mutex_);
  advance();
  return phase_ != Phase::kRunning && phase_ != Phase::kPaused;
}

HoldStatus Hold::status(std::string_view debugger) {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::kRunning && debugger == debugger_.name) renew(debugger_.lease);
  advance();
  return status_locked();
}

HoldStatus Hold::wait(Nanoseconds deadline) {
  std::unique_lock lock(mutex_);
  const auto start = now();
  for (;;) {
    advance();
    const bool over = phase_ == Phase::kRunning || phase_ == Phase::kPaused;
    if (over || now() - start >= deadline) return status_locked();
    changed_.wait_for(lock, kLook);
  }
}

HoldStatus Hold::status_locked() const {
  HoldStatus status;
  const bool running = phase_ == Phase::kRunning;
  status.state = running                      ? HoldState::kRunning
                 : phase_ == Phase::kPaused   ? HoldState::kPaused
                 : phase_ == Phase::kStepping ? HoldState::kStepping
                                              : HoldState::kPausing;
  if (!running) {
    status.reason = reason_;
    status.debugger = debugger_.name;
    status.lease_left = expires_ - now();
    status.held_for = now() - since_;
  }
  for (const auto& runner : runners_) {
    const auto limit = runner->gate().limit();
    HeldStage stage{.stage = runner->name(),
                    .rank = runner->rank(),
                    .num_runs = runner->num_runs(),
                    .meets_ranks = runner->meets_ranks(),
                    .held = !running && limit != Gate::kOpen && stands(*runner),
                    .ended = runner->ended(),
                    .state = runner->state()};
    const auto turn = stage.held ? runner->gate().turn() : stage.num_runs + 1;
    stage.turn = stage.meets_ranks ? runner->gate().begun() : turn;
    if (limit != Gate::kOpen) stage.may_run = std::max<std::int64_t>(0, limit - turn);
    status.stages.push_back(std::move(stage));
  }
  return status;
}

}  // namespace askos::dataflow
