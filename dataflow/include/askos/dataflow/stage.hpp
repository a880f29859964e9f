// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/port.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace askos::dataflow {

class Context;

/// How a stage wants to run.
enum class Threading {
  kShared,     ///< short and never blocks: on the scheduler's threads
  kDedicated,  ///< blocks on disk, device or collective: on a thread of its own
};

/// When a stage is ready to run, given credit on all outputs.
enum class Firing {
  kAll,  ///< every input has its `rate` of packets; the stage ends when one has ended with fewer
  kAny,  ///< some input has a packet; the stage ends when all inputs have ended and are empty
};

/// A value in a graph file.
using Argument = std::variant<bool, std::int64_t, double, std::string>;
using Arguments = std::map<std::string, Argument>;

/// Another value for an argument of a running stage.
struct ArgumentChange {
  Argument before;
  std::function<void()> apply;  ///< to be called while the stage stands between two runs
};

/// A named piece of work with typed ports; no thread, no queue, no engine inside.
///
/// Ports are members, declared once. A stage without inputs is a source: it runs whenever its
/// outputs have credit, until it calls `Context::end`. All calls come from one thread at a time,
/// and each sees the effects of the one before. What a call throws becomes a `StageFailure`, and
/// the plan's policy decides. A stage also ends when nobody is left to take what it emits; packets
/// that wait on its inputs then are dropped and reported.
class Stage {
 public:
  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;

  /// Runs once, on the stage's own thread, before the first `run`.
  virtual void start(Context& context);
  /// Does one unit of work: takes its input packets, emits `rate` packets per output.
  virtual void run(Context& context) = 0;
  /// Runs once after the last `run`, with credit for one packet on every output; not when the
  /// session was stopped or failed, so what it completes is complete.
  virtual void finish(Context& context);

  [[nodiscard]] virtual Threading threading() const { return Threading::kShared; }
  [[nodiscard]] virtual Firing firing() const { return Firing::kAll; }
  /// Name of the communicator whose collectives this stage enters, or empty. Edges that may drop
  /// packets are refused on any path into such a stage.
  [[nodiscard]] virtual std::string communicator() const { return {}; }
  /// True if it makes file operations of its own and heeds the faults injected into them.
  [[nodiscard]] virtual bool opens_files() const { return false; }
  /// Name and arguments that recreate this stage from a file; empty: not available in files.
  [[nodiscard]] virtual std::string type() const { return {}; }
  [[nodiscard]] virtual Arguments arguments() const { return {}; }

  /// Prepares another value for an argument that may change while the stage runs. Is called on any
  /// thread, also during a run: it must not touch what runs change. Throws what is wrong with the
  /// value, or `Errc::kNotFound`, with the names that would do, for an argument that cannot change.
  [[nodiscard]] virtual ArgumentChange change_argument(const std::string& name,
                                                       const Argument& value);

  /// True if a run depends on nothing but its packets, the stage's arguments, what `save_state`
  /// gives and what `take_received` gives: then runs can be recorded and done again without peers.
  [[nodiscard]] virtual bool replayable() const { return false; }
  /// Copies what runs leave behind for later ones; called before a run. Nothing: not before this
  /// run, which finds something that cannot be copied; ask before the next.
  [[nodiscard]] virtual std::optional<StoredArrays> save_state() const;
  /// Takes back what `save_state` gave; called after `start`. Throws `Errc::kCorruptData` or what
  /// else is wrong with it.
  virtual void load_state(const StoredArrays& state);
  /// Is called before a run that is recorded: what the run gets from elsewhere than its packets, as
  /// the results of collectives, is to be kept until `take_received`.
  virtual void keep_received() {}
  [[nodiscard]] virtual StoredArrays take_received() { return {}; }
  /// Gives the next run, which is done again without peers, what it had received.
  virtual void supply_received(const StoredArrays& received);

  [[nodiscard]] const std::vector<const InPort*>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<const OutPort*>& outputs() const noexcept { return outputs_; }

 private:
  friend class InPort;
  friend class OutPort;
  std::vector<const InPort*> inputs_;
  std::vector<const OutPort*> outputs_;
};

}  // namespace askos::dataflow
