// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/id.hpp>
#include <askos/dataflow/breakpoint.hpp>
#include <askos/dataflow/credit_tuning.hpp>
#include <askos/dataflow/peek.hpp>
#include <askos/dataflow/recording.hpp>
#include <askos/dataflow/status.hpp>
#include <askos/telemetry/ledger.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// Holds a graph for whoever comes: any other debugger may take it without asking.
inline constexpr const char* kAnyDebugger = "askos";

/// Who holds a graph, and for how long after the last sign of life.
struct Debugger {
  std::string name = "anonymous";
  Nanoseconds lease = std::chrono::minutes(10);
  bool take_over = false;  ///< take the graph from the debugger that holds it
};

/// How far a hold is.
enum class HoldState {
  kRunning,   ///< nothing is held
  kPausing,   ///< stages finish their runs, up to the same one on all ranks
  kPaused,    ///< every stage to be held stands between two runs
  kStepping,  ///< held stages do the runs that they were given
};

/// Returns the word for it: `running`, `pausing`, ….
[[nodiscard]] std::string_view to_string(HoldState state) noexcept;

struct HeldStage {
  std::string stage;
  Rank rank;
  std::int64_t num_runs = 0;              ///< done so far
  std::optional<std::int64_t> may_run{};  ///< runs that it may still begin; nothing: not held
  std::int64_t turn = 0;                  ///< turns that it has begun: its start, each run
  bool meets_ranks = false;               ///< its runs enter collectives
  bool held = false;                      ///< it has stopped for the debugger
  bool ended = false;
  telemetry::State state = telemetry::State::kOff;
};

struct HoldStatus {
  HoldState state = HoldState::kRunning;
  std::string reason;  ///< `pause`, `breakpoint`, or empty
  std::string debugger;
  Nanoseconds lease_left{};
  Nanoseconds held_for{};
  std::vector<HeldStage> stages{};
};

/// How far a stage is to go.
struct StageTurn {
  std::string stage;
  std::int64_t turn = 0;  ///< turns that it is to have begun: its start, each run

  bool operator==(const StageTurn&) const = default;
};

/// Another credit for an edge.
struct CreditChange {
  std::string edge;
  int before = 0;
  int after = 0;
  bool applied = false;  ///< false: it will be, once all stages stand between two runs
};

/// Another value for an argument of a stage.
struct StageChange {
  std::string stage;
  std::string argument;
  Argument before{};
  Argument after{};
  bool applied = false;  ///< false: it will be, once all stages stand between two runs
};

/// Stops a running graph, lets it go on and changes it. All calls from any thread; none waits for a
/// stage, except where it says so.
///
/// Stages stop between two runs. Those with a communicator stop after the same run on all ranks,
/// the last that any of them had begun, and the others only then: each run enters the same
/// collectives everywhere, so none is left half entered and none waits meanwhile. While a stage is
/// held its ledger counts `paused`. Ranks in other processes are not its own: an inspector that
/// knows them (`InspectorOptions::peers`) holds them together with these. A drain or a stop ends
/// the hold, and so does the end of the lease. What holds throws `Errc::kUsage` while another
/// debugger does, and `Errc::kNotFound`, with the nearest name, for a stage that is not in the
/// graph.
class Control {
 public:
  virtual ~Control() = default;

  /// Holds a stage on all ranks, or all stages.
  virtual void pause(const Debugger& debugger, std::string_view stage = {}) = 0;
  /// Lets a stage go on, or all of them, which ends the hold.
  virtual void resume(const Debugger& debugger, std::string_view stage = {}) = 0;
  /// Lets a held stage, or each of them, do `num_runs` more runs; it has done them, or can go no
  /// further for want of others, when the state is `kPaused` again. Throws `Errc::kUsage` if
  /// nothing of that name is held.
  virtual void step(const Debugger& debugger,
                    std::int64_t num_runs,
                    std::string_view stage = {}) = 0;

  /// Lets held stages go on to turns that the same stages had begun in other processes, where they
  /// wait for these in collectives. What is further already stays where it is.
  virtual void catch_up(const std::vector<StageTurn>& turns) = 0;

  /// Tells how far the hold is. The name of the debugger that holds renews its lease.
  [[nodiscard]] virtual HoldStatus hold(std::string_view debugger = {}) = 0;
  /// Blocks until the hold is paused or over, or `deadline` has passed; returns which. On the
  /// serial engine another thread must run the graph meanwhile.
  [[nodiscard]] virtual HoldStatus wait_for_hold(Nanoseconds deadline) = 0;
  /// Ends what has run out of time, as the lease of a hold, and drives a hold on that is on its
  /// way; returns whether there is such a one. Whoever grants leases calls it from time to time;
  /// inspectors do.
  virtual bool tend() = 0;

  /// Looks at the packets that wait on an edge; no stage is held up for longer than copying their
  /// handles takes. Throws `Errc::kNotFound` for an edge or rank that is not there.
  [[nodiscard]] virtual Peek peek(const PeekRequest& request) = 0;

  /// Pauses all stages in the debugger's name before a packet is taken from the edge that fulfils
  /// `when`. A stage that other ranks wait for in a collective may have to take it all the same, to
  /// reach the cut. A hit disarms the breakpoint until the graph goes on. Throws `Errc::kUsage` if
  /// the expression does not parse, or `number` (else the next one) is taken.
  virtual Breakpoint add_breakpoint(const Debugger& debugger,
                                    std::string_view edge,
                                    std::string_view when,
                                    std::optional<Rank> rank = std::nullopt,
                                    std::optional<int> number = std::nullopt) = 0;
  [[nodiscard]] virtual std::vector<Breakpoint> breakpoints() const = 0;
  /// Removes one, or all.
  virtual void remove_breakpoints(std::optional<int> number = std::nullopt) = 0;

  /// Gives an edge another credit on all ranks, if the plan can be proved with it; else throws
  /// `Errc::kPlanRefused` with all faults and the smallest repair. All stages stand for a moment.
  virtual CreditChange change_credit(std::string_view edge, int credit) = 0;

  /// Gives an edge the credit that the time between two readings speaks for, and goes on to do so:
  /// whenever `tend` finds that two seconds of the graph's clock have passed, the credit follows
  /// what was measured; a change after which the graph is slower is undone. Throws as
  /// `advise_credit` and `change_credit` do. Ends with a `change_credit` of the edge.
  virtual TuningDecision tune_credit(std::string_view edge,
                                     const SessionStatus& before,
                                     const SessionStatus& after) = 0;
  /// The edges whose credit is tuned, and what was decided.
  [[nodiscard]] virtual std::vector<EdgeTuning> tuning() const = 0;

  /// Gives an argument of a stage another value on all ranks, before the same run where ranks meet
  /// in collectives. Throws, with the reason and nothing changed, if the stage does not take it;
  /// all stages stand for a moment. What is recorded of the stage begins anew.
  virtual StageChange change_argument(std::string_view stage,
                                      const std::string& argument,
                                      const Argument& value) = 0;

  /// Keeps the last `last` runs of a stage on one rank from now on, at least, packets copied; 0:
  /// forgets them. Throws `Errc::kUsage`, with the reason, if what the stage does cannot be
  /// recorded, and `Errc::kNotFound` for a stage or rank that is not there.
  virtual RecordingStatus record(std::string_view stage, Rank rank, int last) = 0;
  [[nodiscard]] virtual RecordingStatus recording_status(std::string_view stage,
                                                         Rank rank) const = 0;
  /// Copies what is kept of a stage, also after it has ended; while it is held, with the packets
  /// that wait for it. Throws `Errc::kUsage` if that is nothing.
  [[nodiscard]] virtual std::shared_ptr<const Recording> take_recording(std::string_view stage,
                                                                        Rank rank) const = 0;
  /// Keeps a recording for those who fetch it in pieces and returns its number; only the newest
  /// four stay.
  [[nodiscard]] virtual int keep_recording(std::shared_ptr<const Recording> recording) = 0;
  /// Throws `Errc::kNotFound` if it is not kept any more.
  [[nodiscard]] virtual std::shared_ptr<const Recording> kept_recording(int number) const = 0;

  /// Has the operators of the stages' numeric library in the trace for so long from now on; zero:
  /// no longer. What ends it on time is `tend`. Throws `Errc::kUsage` if the session was given no
  /// `EngineOptions::trace_operators`, or for more than a minute.
  virtual void trace_operators(Nanoseconds duration) = 0;

  /// Ends a hold and drains the session. After `deadline` the rest is dropped, at the next `tend`.
  virtual void drain(Nanoseconds deadline) = 0;
};

}  // namespace askos::dataflow
