// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/port.hpp>

#include <map>
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
  /// Name and arguments that recreate this stage from a file; empty: not available in files.
  [[nodiscard]] virtual std::string type() const { return {}; }
  [[nodiscard]] virtual Arguments arguments() const { return {}; }

  [[nodiscard]] const std::vector<const InPort*>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<const OutPort*>& outputs() const noexcept { return outputs_; }

 private:
  friend class InPort;
  friend class OutPort;
  std::vector<const InPort*> inputs_;
  std::vector<const OutPort*> outputs_;
};

}  // namespace askos::dataflow
