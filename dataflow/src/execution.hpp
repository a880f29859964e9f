// SPDX-License-Identifier: Apache-2.0
// A plan under way, whatever the engine: its edges, its stage runners and how it ends.
#pragma once

#include "breakpoints.hpp"
#include "credit_tuner.hpp"
#include "edge_state.hpp"
#include "hold.hpp"
#include "recordings.hpp"
#include "scheduler.hpp"
#include "session_control.hpp"
#include "stage_runner.hpp"

#include <askos/dataflow/peek.hpp>
#include <askos/dataflow/plan.hpp>
#include <askos/dataflow/session.hpp>
#include <askos/dataflow/status.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace askos::dataflow {

/// Sessions drain for so long when they are destroyed.
inline constexpr Nanoseconds kEndDeadline = std::chrono::seconds(5);
/// After a missed deadline stages have so long to notice that they were stopped.
inline constexpr Nanoseconds kStopGrace = std::chrono::milliseconds(100);

class Execution : public std::enable_shared_from_this<Execution> {
 public:
  /// Throws `Errc::kEnvironment` if the system gives no event descriptor.
  [[nodiscard]] static std::shared_ptr<Execution> make(Plan plan,
                                                       Clock& clock,
                                                       const RunnerOptions& options,
                                                       OperatorTracing operator_tracing = {});
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  /// Wakes all stages; from now on `scheduler` is used until every stage has ended.
  void launch(Scheduler& scheduler);

  // --- for the session ---
  void request_drain();
  void request_stop(std::optional<StageFailure> reason);
  /// Blocks up to `deadline`; nothing if it has not ended by then.
  [[nodiscard]] std::optional<Outcome> wait(Nanoseconds deadline);
  /// The outcome now, if it has ended.
  [[nodiscard]] std::optional<Outcome> outcome() const;
  /// Records that a drain missed its deadline, naming a stage that still runs; stops.
  void give_up_drain();
  /// The outcome as it would be now: what is left on edges is undelivered.
  [[nodiscard]] Outcome preliminary_outcome() const;
  [[nodiscard]] SessionStatus status() const;
  [[nodiscard]] telemetry::Trace trace_since(Nanoseconds since) const;
  [[nodiscard]] const OperatorTracing& operator_tracing() const noexcept {
    return operator_tracing_;
  }
  [[nodiscard]] Nanoseconds age() const { return clock_.now() - started_; }
  /// Is called once, on the thread that ends the last stage; at once if it has ended.
  void when_done(std::function<void(const Outcome&)> callback);
  [[nodiscard]] int event_descriptor() const noexcept { return event_descriptor_; }
  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
  [[nodiscard]] const std::vector<std::unique_ptr<StageRunner>>& runners() const noexcept {
    return runners_;
  }

  [[nodiscard]] Hold& hold() noexcept { return hold_; }
  [[nodiscard]] Control& control() noexcept { return control_; }
  [[nodiscard]] Breakpoints& breakpoints() noexcept { return breakpoints_; }
  [[nodiscard]] CreditTuner& credit_tuner() noexcept { return credit_tuner_; }
  [[nodiscard]] Recordings& recordings() noexcept { return recordings_; }

  // --- edges, as debuggers name them ---
  struct RunningEdge {
    EdgeState::Owner state;
    EdgeId edge;
    std::string name;
    Rank rank;
    std::size_t producer;  // positions among the runners
    std::size_t consumer;
  };
  /// Positions of the edges of a name, on one rank or on all. Throws `Errc::kNotFound`, with the
  /// nearest name, if there is none.
  [[nodiscard]] std::vector<std::size_t> edges_named(std::string_view name,
                                                     std::optional<Rank> rank) const;
  [[nodiscard]] const RunningEdge& edge(std::size_t position) const { return edges_.at(position); }
  [[nodiscard]] std::size_t num_edges() const noexcept { return edges_.size(); }
  [[nodiscard]] const Graph::Edge& graph_edge(const RunningEdge& edge) const;
  /// Seconds from one tick to another; 0 if the first one is not known.
  [[nodiscard]] double seconds_between(std::uint64_t tick, std::uint64_t now) const;
  [[nodiscard]] Peek peek(const PeekRequest& request);
  /// Proves the plan with another credit and applies it as soon as all stages stand.
  [[nodiscard]] CreditChange change_credit(std::string_view edge, int credit);
  /// A stage on all ranks. Throws `Errc::kNotFound`, with the nearest name, if there is none.
  [[nodiscard]] std::vector<StageRunner*> runners_named(std::string_view stage) const;
  /// As `Control::change_argument`.
  [[nodiscard]] StageChange change_argument(std::string_view stage,
                                            const std::string& argument,
                                            const Argument& value);
  /// A stage's arguments as they are now.
  [[nodiscard]] Arguments arguments_of(const Stage& stage) const;
  [[nodiscard]] int num_ranks() const noexcept { return static_cast<int>(plan_.ranks().size()); }

  // --- for the stage runners ---
  [[nodiscard]] Scheduler& scheduler() const noexcept { return *scheduler_; }
  [[nodiscard]] Clock& clock() const noexcept { return clock_; }
  [[nodiscard]] telemetry::TraceLog& trace() noexcept { return trace_; }
  [[nodiscard]] bool draining() const noexcept { return draining_.load(); }
  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(); }
  void absorb(StageFailure failure);
  [[nodiscard]] std::string edge_name(Rank rank, std::size_t graph_edge) const;
  /// Returns a handle of a part of this that keeps the whole alive.
  [[nodiscard]] std::shared_ptr<Wakeable> share(Wakeable& part) {
    return {shared_from_this(), &part};
  }
  void note_ended();

 private:
  Execution(Plan plan, Clock& clock, OperatorTracing operator_tracing);
  void build_rank(const Graph& graph, Rank rank, const RunnerOptions& options);
  void wake_all();
  /// A stage that has not ended, if possible one that waits for no other.
  [[nodiscard]] const StageRunner* find_culprit() const;
  void complete();
  [[nodiscard]] Outcome gather_outcome() const;

  Plan plan_;
  Clock& clock_;
  const Nanoseconds started_;
  const int event_descriptor_;
  const OperatorTracing operator_tracing_;
  telemetry::TraceLog trace_;
  std::vector<RunningEdge> edges_;
  std::vector<std::unique_ptr<StageRunner>> runners_;
  bool begins_paused_ = false;
  Hold hold_{runners_};
  Breakpoints breakpoints_{*this};
  CreditTuner credit_tuner_{*this};
  Recordings recordings_{*this};
  SessionControl control_{*this};
  Scheduler* scheduler_ = nullptr;
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<int> num_running_{0};

  std::mutex credit_mutex_;             // one change of the plan at a time
  mutable std::mutex arguments_mutex_;  // guards the stages' hot arguments against readers

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable done_changed_;
  std::optional<StageFailure> failure_;
  std::vector<StageFailure> skipped_;
  std::optional<Outcome> outcome_;
  std::vector<std::function<void(const Outcome&)>> callbacks_;
};

}  // namespace askos::dataflow
