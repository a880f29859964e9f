// SPDX-License-Identifier: Apache-2.0
#include "execution.hpp"
#include "fault_injector.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/simulation.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <random>
#include <utility>

namespace askos::dataflow {
namespace {

constexpr const char* kInjected = "injected fault";
constexpr int kOneInSlow = 20;     // turns that come late
constexpr int kOneInFaulty = 500;  // runs that fail or lose their packets
constexpr std::int64_t kLongestDelayUs = 5000;
/// A graph that drains has so many turns more; endless ones do not end otherwise.
constexpr std::int64_t kDrainSteps = 200'000;

class VirtualClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const noexcept override { return now_; }
  void sleep_until(Nanoseconds when) override { now_ = std::max(now_, when); }

 private:
  Nanoseconds now_{};
};

/// One run of the graph with one seed.
class SeededRun final : private Scheduler, private FaultInjector {
 public:
  SeededRun(std::vector<Graph> graphs,
            const PlanLimits& limits,
            const SimulationOptions& options,
            unsigned seed)
      : options_(options),
        seed_(seed),
        random_(seed),
        execution_(Execution::make(Plan(std::move(graphs), limits),
                                   clock_,
                                   {.budget = static_cast<int>(1 + seed % 3), .faults = this})),
        late_rank_(static_cast<int>(random_() % static_cast<unsigned>(execution_->num_ranks()))) {}

  ~SeededRun() override {
    execution_->request_stop(std::nullopt);
    while (auto* const runner = next()) (void)runner->activate();
  }
  SeededRun(const SeededRun&) = delete;
  SeededRun& operator=(const SeededRun&) = delete;

  std::optional<SimulationFinding> run() {
    execution_->launch(*this);
    while (!execution_->outcome()) {
      if (num_steps_ == options_.num_steps) execution_->request_drain();
      auto* const runner = num_steps_ < options_.num_steps + kDrainSteps ? next() : nullptr;
      if (runner == nullptr) return finding("stall", who_waits());
      if (runner->activate() == Activation::kAgain) schedule(*runner);
      note(*runner);
      if (auto broken = check()) return broken;
    }
    const auto failure = execution_->outcome()->failure;
    if (failure && failure->error.text() != kInjected) {
      return finding("failure", failure->stage + ": " + failure->error.what());
    }
    return std::nullopt;
  }

  [[nodiscard]] std::int64_t num_steps() const noexcept { return num_steps_; }
  [[nodiscard]] std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  void schedule(StageRunner& runner) noexcept override {
    const bool late = options_.faults.late_rank && execution_->num_ranks() > 1 &&
                      runner.rank().value == late_rank_ && random_() % 2 == 0;
    const bool slow = options_.faults.slow && random_() % kOneInSlow == 0;
    if (late || slow) {
      const auto delay = static_cast<std::int64_t>(random_()) % kLongestDelayUs + 1;
      held_back_.emplace(clock_.now() + std::chrono::microseconds(delay), &runner);
    } else {
      ready_.push_back(&runner);
    }
  }
  void schedule_wake(StageRunner& runner, Nanoseconds when) override {
    sleepers_.emplace(when, &runner);
  }

  [[nodiscard]] InjectedFault before_run(const StageRunner& runner) override {
    const bool can_lose = !runner.meets_ranks();
    if (options_.faults.fail && random_() % kOneInFaulty == 0) return InjectedFault::kFail;
    if (options_.faults.drop && can_lose && random_() % kOneInFaulty == 0) {
      return InjectedFault::kDrop;
    }
    return InjectedFault::kNone;
  }

  /// Returns whose turn it is, after as much virtual time as it takes; null if nobody ever moves.
  StageRunner* next() {
    for (;;) {
      while (!held_back_.empty() && held_back_.begin()->first <= clock_.now()) {
        ready_.push_back(held_back_.begin()->second);
        held_back_.erase(held_back_.begin());
      }
      while (!sleepers_.empty() && sleepers_.begin()->first <= clock_.now()) {
        auto* const runner = sleepers_.begin()->second;
        sleepers_.erase(sleepers_.begin());
        runner->wake();
      }
      if (!ready_.empty()) break;
      if (held_back_.empty() && sleepers_.empty()) return nullptr;
      auto when = Nanoseconds::max();
      if (!held_back_.empty()) when = held_back_.begin()->first;
      if (!sleepers_.empty()) when = std::min(when, sleepers_.begin()->first);
      clock_.sleep_until(when);
    }
    const auto pick = random_() % ready_.size();
    auto* const runner = ready_[pick];
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(pick));
    return runner;
  }

  void note(const StageRunner& runner) {
    ++num_steps_;
    fingerprint_ = (fingerprint_ ^ (runner.index() + 1U)) * 1099511628211ULL;  // FNV-1a
    fingerprint_ =
        (fingerprint_ ^ static_cast<std::uint64_t>(clock_.now().count())) * 1099511628211ULL;
    steps_.push_back({.number = num_steps_,
                      .time = clock_.now(),
                      .stage = runner.name(),
                      .rank = runner.rank(),
                      .num_runs = runner.num_runs(),
                      .edges = loads()});
    if (steps_.size() > static_cast<std::size_t>(options_.num_kept_steps)) steps_.pop_front();
  }

  [[nodiscard]] std::string loads() const {
    if (options_.num_kept_steps == 0) return "";
    std::string text;
    for (std::size_t i = 0; i < execution_->num_edges(); ++i) {
      const auto& edge = execution_->edge(i);
      const auto reading = edge.state->read();
      if (reading.in_flight == 0) continue;
      text += (text.empty() ? "" : ", ") + edge.name + " " + std::to_string(reading.in_flight) +
              "/" + std::to_string(reading.credit);
    }
    return text;
  }

  [[nodiscard]] std::optional<SimulationFinding> check() {
    for (std::size_t i = 0; i < execution_->num_edges(); ++i) {
      const auto& edge = execution_->edge(i);
      const auto reading = edge.state->read();
      const auto& limits = execution_->graph_edge(edge).options;
      if (reading.in_flight > reading.credit || reading.depth > reading.in_flight ||
          (limits.host_bytes.value > 0 && reading.host_bytes > limits.host_bytes)) {
        return finding("bound broken", edge.name + ": " + std::to_string(reading.in_flight) +
                                           " in flight, credit " + std::to_string(reading.credit));
      }
    }
    for (const auto& runner : execution_->runners()) {
      const auto ledger = runner->ledger();
      const auto sum = std::accumulate(ledger.times.begin(), ledger.times.end(), std::int64_t{0});
      if (sum != (ledger.at - ledger.opened).count()) {
        return finding("ledger does not add up", runner->name());
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string who_waits() const {
    std::string text;
    for (const auto& runner : execution_->runners()) {
      if (runner->ended()) continue;
      text += (text.empty() ? "" : ", ") + runner->name() + "@" +
              std::to_string(runner->rank().value) + " " +
              std::string(telemetry::to_string(runner->state()));
    }
    const auto edges = loads();
    return text + (edges.empty() ? "" : "; in flight: " + edges);
  }

  [[nodiscard]] SimulationFinding finding(std::string what, std::string detail) const {
    return {.seed = seed_,
            .what = std::move(what),
            .detail = std::move(detail),
            .steps = {steps_.begin(), steps_.end()}};
  }

  const SimulationOptions options_;
  const unsigned seed_;
  std::mt19937 random_;
  VirtualClock clock_;
  std::shared_ptr<Execution> execution_;
  const int late_rank_;
  std::vector<StageRunner*> ready_;
  std::multimap<Nanoseconds, StageRunner*> held_back_;
  std::multimap<Nanoseconds, StageRunner*> sleepers_;
  std::int64_t num_steps_ = 0;
  std::uint64_t fingerprint_ = 14695981039346656037ULL;
  std::deque<SimulatedStep> steps_;
};

}  // namespace

SimulationReport simulate(const GraphMaker& make,
                          const PlanLimits& limits,
                          const SimulationOptions& options) {
  SimulationReport report;
  for (int i = 0; i < options.num_seeds && !report.finding; ++i) {
    const auto seed = options.first_seed + static_cast<unsigned>(i);
    // Steps are kept only of a seed that is worth it: what they show costs more than the run.
    auto quick = options;
    quick.num_kept_steps = 0;
    SeededRun run(make(), limits, quick, seed);
    report.finding = run.run();
    report.num_steps += run.num_steps();
    report.fingerprint = report.fingerprint * 31 + run.fingerprint();
    ++report.num_seeds;
    if (report.finding) report.finding = SeededRun(make(), limits, options, seed).run();
  }
  return report;
}

}  // namespace askos::dataflow
