// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/control.hpp>
#include <askos/dataflow/plan.hpp>
#include <askos/dataflow/status.hpp>
#include <askos/telemetry/trace.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace askos::dataflow {

/// Has the operators of a numeric library recorded in the traces of the stages that run them, as
/// long as what it returns lives.
using OperatorTracing = std::function<std::shared_ptr<void>()>;

enum class EngineKind {
  kActor,   ///< CAF actors: shared stages on its scheduler, dedicated ones on threads of their own
  kSerial,  ///< the calling thread, one stage after the other: the oracle of every test
};

struct EngineOptions {
  EngineKind kind = EngineKind::kActor;
  int num_threads = 0;     ///< scheduler threads of the actor engine; 0: one per core, at most 4
  bool ledger = true;      ///< account and trace every stage (switch off to measure its cost)
  Clock* clock = nullptr;  ///< nullptr: `steady_clock()`
  bool paused = false;     ///< begins held, in the name of `kAnyDebugger`: no stage has started
  OperatorTracing trace_operators{};  ///< for `Control::trace_operators`; none: it refuses
};

/// A plan under way. Several sessions can run in one process; all calls are thread-safe.
class Session {
 public:
  virtual ~Session() = default;

  /// Blocks until every stage has ended, or `deadline` has passed since the call (then nothing is
  /// returned). On the serial engine this is what runs the graph.
  [[nodiscard]] virtual std::optional<Outcome> wait(Nanoseconds deadline) = 0;

  /// Stops the sources, delivers what is in flight and returns how it ended. After `deadline` the
  /// rest is dropped and reported; a stage that still runs then is `Errc::kStalled`.
  [[nodiscard]] virtual Outcome drain(Nanoseconds deadline) = 0;

  /// Asks every stage to end soon; does not block. The first failure given becomes the outcome.
  virtual void stop(std::optional<StageFailure> reason = std::nullopt) = 0;

  /// Reads ledgers and edges without touching the data path.
  [[nodiscard]] virtual SessionStatus status() const = 0;

  /// Copies what the trace rings still hold of the time after `since` (steady clock), a track per
  /// stage and rank, with operators; `askos/telemetry/trace_files.hpp` writes it. Touches no stage.
  [[nodiscard]] virtual telemetry::Trace trace(Nanoseconds since = Nanoseconds::min()) const = 0;

  [[nodiscard]] virtual const Plan& plan() const noexcept = 0;

  /// What stops, steps and changes the graph while it runs; lives as long as the session.
  [[nodiscard]] virtual Control& control() const noexcept = 0;

  /// A file descriptor that becomes readable when the session has ended, for a host's own poll
  /// loop.
  [[nodiscard]] virtual int event_descriptor() const noexcept = 0;
};

/// Starts a plan; the session owns it from then on. Destroying the session drains it with a
/// deadline of 5 s.
[[nodiscard]] std::unique_ptr<Session> start(Plan plan, const EngineOptions& options = {});

}  // namespace askos::dataflow
