// SPDX-License-Identifier: Apache-2.0
// Runs one stage on one rank, whatever the engine: tells when it is ready, calls it, keeps its
// account and deals with its failures. An engine only decides when and where `activate` is called.
//
//   kIdle -wake-> kScheduled -activate-> kRunning -> kIdle | kScheduled (budget spent) | kEnded
//                                        kRunning -wake-> kNotified -> kRunning (looks again)
#pragma once

#include "edge_state.hpp"
#include "gate.hpp"
#include "stage_faults.hpp"
#include "stage_recorder.hpp"
#include "wait_account.hpp"

#include <askos/dataflow/context.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/status.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

namespace askos::dataflow {

class Execution;
class FaultInjector;

struct RunnerOptions {
  bool ledger = true;
  int budget = 256;                                  ///< runs per activation
  Nanoseconds slice = std::chrono::milliseconds(1);  ///< longest activation, but for the last run
  Nanoseconds spin = std::chrono::microseconds(20);  ///< a dedicated stage looks so long again
  FaultInjector* faults = nullptr;                   ///< of a simulation
  bool paused = false;                               ///< all begin held
};

enum class Activation {
  kIdle,   ///< waits to be woken
  kAgain,  ///< has more to do; schedule it again
  kEnded,
};

class StageRunner final : public Wakeable, private Context {
 public:
  struct OutputEdge {
    EdgeState* edge;
    std::size_t graph_edge;  ///< position in the graph's list
  };
  /// Where the stage's ports lead, in order of declaration.
  struct Connections {
    std::vector<EdgeState*> inputs;
    std::vector<std::vector<OutputEdge>> outputs;

    [[nodiscard]] std::size_t num_output_edges() const noexcept {
      return std::accumulate(outputs.begin(), outputs.end(), std::size_t{0},
                             [](std::size_t sum, const auto& edges) { return sum + edges.size(); });
    }
  };

  StageRunner(Execution& execution,
              const Graph::Node& node,
              Rank rank,
              std::uint16_t index,
              const Connections& connections,
              const RunnerOptions& options);

  /// Schedules the stage if it sleeps, or makes it look again. Any thread.
  void wake() noexcept override;
  /// As `wake`, and ends a `wake_at` early.
  void interrupt() noexcept;

  /// Runs the stage until it waits, has spent its budget or ends. One thread at a time.
  [[nodiscard]] Activation activate();

  [[nodiscard]] const std::string& name() const noexcept { return node_.name; }
  [[nodiscard]] Rank rank() const noexcept override { return rank_; }
  /// Position among the runners of the execution, and its track in the trace.
  [[nodiscard]] std::uint16_t index() const noexcept { return index_; }
  [[nodiscard]] bool dedicated() const noexcept { return dedicated_; }
  [[nodiscard]] bool ended() const noexcept { return state_.load() == RunState::kEnded; }
  /// True if its last activations took less time than waking a thread does. For the thread that
  /// activates it, or that was told to.
  [[nodiscard]] bool is_brief() const noexcept;
  [[nodiscard]] telemetry::State state() const noexcept { return ledger_.state(); }
  [[nodiscard]] telemetry::LedgerReading ledger() const noexcept { return ledger_.read(); }
  /// Where a debugger may stop this stage.
  [[nodiscard]] Gate& gate() noexcept { return gate_; }
  [[nodiscard]] const Gate& gate() const noexcept { return gate_; }
  [[nodiscard]] Stage& stage() const noexcept { return stage_; }
  [[nodiscard]] const StageOptions& stage_options() const noexcept { return node_.options; }
  /// Keeps its last runs, if it is told to.
  [[nodiscard]] StageRecorder& recorder() noexcept { return recorder_; }
  /// True if a debugger has stopped it between two runs, and has not let it go on.
  [[nodiscard]] bool stands_held() const noexcept {
    return gate_.limit() != Gate::kOpen && gate_.is_obeyed() && !ended();
  }
  /// Turns of its life that it has begun and ended: its start, each run, its finish. For the thread
  /// that runs it.
  [[nodiscard]] std::int64_t turn() const noexcept { return num_runs() + start_turn_; }
  /// Packets that a run takes from an input at most, and where they come from.
  [[nodiscard]] EdgeState& input_edge(std::size_t input) const { return *inputs_.at(input).edge; }
  [[nodiscard]] int packets_per_run(std::size_t input) const { return inputs_.at(input).needed; }
  /// True if it meets other ranks in collectives, here or in other processes.
  [[nodiscard]] bool meets_ranks() const noexcept { return meets_ranks_; }
  [[nodiscard]] std::int64_t num_runs() const noexcept {
    return num_runs_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t num_activations() const noexcept { return num_activations_.load(); }
  /// True if it sleeps until another stage does something.
  [[nodiscard]] bool waits_for_stages() const noexcept {
    return state_.load() == RunState::kIdle && waits_for_stages_.load(std::memory_order_relaxed);
  }
  /// Reads counters and ledger; `num_graph_edges` sizes the list of credit waits. Any thread.
  [[nodiscard]] StageStatus status(std::size_t num_graph_edges) const;

 private:
  enum class RunState { kIdle, kScheduled, kRunning, kNotified, kEnded };
  enum class Phase { kStart, kRun, kFinish };

  struct Input {
    const InPort* port;
    EdgeState* edge;
    int needed;          // packets that a run waits for
    bool exact;          // a run takes all of them
    int known = 0;       // packets that are certainly there
    int taken = 0;       // in this run
    bool burst = false;  // took packets since `EdgeState::end_burst`
    bool over = false;   // closed and empty
  };
  struct Target {
    EdgeState* edge;
    std::size_t graph_edge;
    int known_free = 0;  // packets that certainly fit
  };
  struct Output {
    const OutPort* port;
    int most;    // packets of one run
    bool exact;  // a run emits all of them
    int emitted = 0;
    std::size_t first_target = 0;
    std::size_t num_targets = 0;
  };
  /// What the stage can do next; `place` is the port or target that it lacks.
  struct Verdict {
    enum Kind { kGo, kEnd, kWait } kind = kGo;
    telemetry::State state = telemetry::State::kWaitInput;
    std::size_t place = 0;
    int needed = 0;
    bool sleeps = false;  // until a time, not for a port
  };
  class Interrupter final : public Wakeable {
   public:
    explicit Interrupter(StageRunner& runner) : runner_(runner) {}
    void wake() noexcept override { runner_.interrupt(); }

   private:
    StageRunner& runner_;
  };

  // Context
  [[nodiscard]] int num_waiting(const InPort& port) const override;
  void end() noexcept override { end_requested_ = true; }
  void wake_at(Nanoseconds when, telemetry::State account) override {
    sleep_until_ = when;
    sleep_account_ = account;
  }
  [[nodiscard]] Waker waker() const override;
  [[nodiscard]] bool stopping() const noexcept override;
  [[nodiscard]] Clock& clock() const noexcept override;
  [[nodiscard]] AnyPacket take_any(const InPort& port) override;
  void emit_any(const OutPort& port,
                std::shared_ptr<const void> payload,
                const PacketMeta& meta) override;

  [[nodiscard]] Verdict judge();
  [[nodiscard]] Verdict judge_all_inputs();
  [[nodiscard]] Verdict judge_any_input();
  [[nodiscard]] Verdict judge_outputs();
  [[nodiscard]] bool nobody_takes() const;
  /// As `park`, for the debugger.
  [[nodiscard]] bool stand_at_gate();
  [[nodiscard]] bool fall_asleep();
  /// Goes to sleep; returns false if there is a reason to look again instead.
  [[nodiscard]] bool park(const Verdict& verdict);
  [[nodiscard]] bool register_wait(const Verdict& verdict);
  void enter_wait(const Verdict& verdict);
  [[nodiscard]] bool spin_for_notice();
  void end_bursts();
  void yield();
  void note_activation() noexcept;

  /// Does the next thing of the stage's life; returns true after its last.
  [[nodiscard]] bool go();
  void begin_count();
  [[nodiscard]] bool begin_run();
  void run_once();
  [[nodiscard]] bool is_faulty();
  /// True if an injected fault keeps the stage from running now.
  [[nodiscard]] bool is_held_back();
  void check_run() const;
  void discard_run();
  void handle_failure(Error error);
  void end_stage();
  void be_busy();
  void settle(WaitAccount& waits);
  void trace_run();
  void trace_burst();
  void trace(telemetry::TraceKind kind, std::uint8_t flags, std::uint32_t detail);

  Execution& execution_;
  const Graph::Node& node_;
  Stage& stage_;
  const Rank rank_;
  const std::uint16_t index_;
  const RunnerOptions options_;
  const bool dedicated_;
  const bool any_;
  const bool meets_ranks_;
  mutable Interrupter interrupter_{*this};

  std::unique_ptr<StageFaults> faults_;  // null but for drills

  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::vector<Target> targets_;  // all edges of all outputs

  std::atomic<RunState> state_{RunState::kIdle};
  std::atomic<bool> interrupted_{false};
  std::atomic<bool> waits_for_stages_{false};
  std::atomic<std::uint64_t> num_activations_{0};
  Gate gate_;
  StageRecorder recorder_;

  Phase phase_ = Phase::kStart;
  std::int64_t start_turn_ = 0;    // 1 when it has started
  Nanoseconds began_{};            // of the activation
  std::int64_t began_at_run_ = 0;  // likewise
  int num_brief_ = 0;              // activations in a row
  bool busy_ = false;
  bool lazy_ = false;
  bool end_requested_ = false;
  bool recording_ = false;  // this run
  std::optional<Nanoseconds> sleep_until_;
  telemetry::State sleep_account_ = telemetry::State::kWaitIo;
  std::optional<Nanoseconds> armed_for_;
  std::optional<SampleId> sample_;  // of the first packet of this run
  SampleId burst_sample_;           // of the first run not traced yet
  telemetry::TraceRing* ring_ = nullptr;
  std::uint64_t last_tick_ = 0;
  std::uint32_t num_untraced_ = 0;  // short runs since the last record
  std::uint64_t wait_tick_ = 0;

  telemetry::Ledger ledger_;
  WaitAccount input_waits_;
  WaitAccount credit_waits_;
  std::atomic<std::int64_t> num_runs_{0};
  std::atomic<std::int64_t> num_skipped_{0};
  std::atomic<std::int64_t> num_restarts_{0};
};

}  // namespace askos::dataflow
