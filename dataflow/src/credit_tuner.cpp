// SPDX-License-Identifier: Apache-2.0
#include "credit_tuner.hpp"

#include "execution.hpp"
#include "status_json.hpp"

#include <askos/base/error.hpp>
#include <askos/base/log.hpp>
#include <askos/dataflow/why.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace askos::dataflow {
namespace {

/// Changes smaller than that part of the credit are not worth the stop that they cost.
constexpr double kHysteresis = 0.25;
/// More credit must promise to bring at least that much.
constexpr double kLeastGain = 0.01;
/// Slower by more than that is worse, and not noise.
constexpr double kWorse = 0.05;
/// A window in which fewer packets arrived says nothing.
constexpr std::int64_t kLeastPackets = 10;
constexpr std::size_t kMostDecisions = 20;

}  // namespace

std::string_view to_string(TuningOutcome outcome) noexcept {
  switch (outcome) {
    case TuningOutcome::kPending: return "pending";
    case TuningOutcome::kKept: return "kept";
    case TuningOutcome::kUndone: return "undone";
    case TuningOutcome::kRefused: return "refused";
  }
  return "unknown";
}

int CreditTuner::credit_of(const std::string& edge) const {
  const auto position = execution_.edges_named(edge, std::nullopt).front();
  return execution_.edge(position).state->read().credit;
}

TuningDecision CreditTuner::start(std::string_view edge,
                                  const SessionStatus& before,
                                  const SessionStatus& after) {
  const std::lock_guard lock(mutex_);
  Watch watch{.shown = {.edge = std::string(edge), .credit = credit_of(std::string(edge))}};
  decide(watch, before, after, /*asked_for=*/true);
  auto decision = watch.shown.decisions.back();
  if (decision.before == decision.after) watch.shown.decisions.clear();
  watch.begin = execution_.status();
  const auto same = [&](const Watch& other) { return other.shown.edge == watch.shown.edge; };
  if (const auto found = std::ranges::find_if(watches_, same); found != watches_.end()) {
    watch.rejected = std::move(found->rejected);
    watches_.erase(found);
  }
  watches_.push_back(std::move(watch));
  return decision;
}

void CreditTuner::stop(std::string_view edge) {
  const std::lock_guard lock(mutex_);
  std::erase_if(watches_, [&](const Watch& watch) { return watch.shown.edge == edge; });
}

std::vector<EdgeTuning> CreditTuner::tuning() const {
  const std::lock_guard lock(mutex_);
  std::vector<EdgeTuning> shown;
  for (const auto& watch : watches_) {
    shown.push_back(watch.shown);
    shown.back().credit = credit_of(watch.shown.edge);
  }
  return shown;
}

void CreditTuner::tend() {
  const std::lock_guard lock(mutex_);
  for (auto& watch : watches_) look(watch);
}

void CreditTuner::look(Watch& watch) {
  const bool pending = watch.phase != Phase::kObserving;
  const bool applied =
      !pending || credit_of(watch.shown.edge) == watch.shown.decisions.back().after;
  if (execution_.hold().is_active() || !applied) {
    watch.begin = execution_.status();
    return;
  }
  if (execution_.age() - watch.begin.age < kWindow) return;
  auto now = execution_.status();
  const auto arrived = arrivals(execution_.plan(), watch.begin, now);
  const auto before = std::exchange(watch.begin, now);
  switch (watch.phase) {
    case Phase::kSettling: watch.phase = Phase::kJudging; return;
    case Phase::kJudging: judge(watch, arrived.per_second); return;
    case Phase::kObserving: break;
  }
  if (arrived.num_packets < kLeastPackets) {
    watch.shown.problem = "too few packets arrive to tell";
    return;
  }
  try {
    decide(watch, before, now, /*asked_for=*/false);
    watch.shown.problem.clear();
  } catch (const Error& error) {
    watch.shown.problem = error.what();
  }
}

void CreditTuner::decide(Watch& watch,
                         const SessionStatus& before,
                         const SessionStatus& after,
                         bool asked_for) {
  const auto& plan = execution_.plan();
  const auto advice = advise_credit(plan, before, after, watch.shown.edge);
  const int credit = credit_of(watch.shown.edge);
  const double now =
      predict(plan, before, after, {.edge = watch.shown.edge, .credit = credit}).predicted_per_s;
  const bool large = std::abs(advice.credit - credit) > kHysteresis * credit;
  const bool worth = advice.credit < credit || advice.predicted_per_s >= (1 + kLeastGain) * now;
  if (!asked_for && (!large || !worth || watch.rejected.contains(advice.credit))) return;
  TuningDecision decision{.at = after.age,
                          .before = credit,
                          .after = advice.credit,
                          .evidence = advice.why,
                          .measured_per_s = arrivals(plan, before, after).per_second,
                          .predicted_per_s = advice.predicted_per_s};
  if (decision.after != credit) {
    try {
      (void)execution_.change_credit(watch.shown.edge, decision.after);
      watch.phase = Phase::kSettling;
    } catch (const Error& error) {
      if (asked_for) throw;
      decision.outcome = TuningOutcome::kRefused;
      decision.reason = error.what();
      watch.rejected.insert(decision.after);
    }
  }
  logger("askos.dataflow")
      ->info("credit tuned edge={} before={} after={} evidence=\"{}\"", watch.shown.edge,
             decision.before, decision.after, decision.evidence);
  auto& decisions = watch.shown.decisions;
  decisions.push_back(std::move(decision));
  if (decisions.size() > kMostDecisions) decisions.erase(decisions.begin());
}

void CreditTuner::judge(Watch& watch, double observed) {
  auto& decision = watch.shown.decisions.back();
  watch.phase = Phase::kObserving;
  decision.observed_per_s = observed;
  if (observed >= (1 - kWorse) * decision.measured_per_s) {
    decision.outcome = TuningOutcome::kKept;
    return;
  }
  decision.outcome = TuningOutcome::kUndone;
  watch.rejected.insert(decision.after);
  logger("askos.dataflow")
      ->info("credit undone edge={} after={} measured={} observed={}", watch.shown.edge,
             decision.after, decision.measured_per_s, observed);
  (void)execution_.change_credit(watch.shown.edge, decision.before);
}

}  // namespace askos::dataflow
