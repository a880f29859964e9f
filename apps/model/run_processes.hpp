// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "process_group.hpp"
#include "run_control.hpp"

#include <askos/actors/rank_context.hpp>
#include <askos/actors/run_config.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace askos::apps {

/// The processes that a launcher started to carry out one command together, one rank each; or this
/// process alone. Only the first one prints to stdout.
///
/// What fails on all of them alike is reported by the first one; a fault between ranks by each that
/// met it; anything else by the process where it happened. All end with the same exit code.
class RunProcesses {
 public:
  /// Joins; after `StopSignal`, which must be made before other threads are.
  RunProcesses();
  ~RunProcesses();
  RunProcesses(const RunProcesses&) = delete;
  RunProcesses& operator=(const RunProcesses&) = delete;

  [[nodiscard]] bool are_several() const { return processes_->size() > 1; }
  [[nodiscard]] int size() const { return processes_->size(); }
  [[nodiscard]] bool is_first() const { return processes_->rank() == 0; }
  [[nodiscard]] bool have_gpus() const { return processes_->has_gpus(); }

  /// Runs the command's body and returns its exit code once all processes are through. Throws what
  /// this process has to report, else `ReportedElsewhere`.
  [[nodiscard]] int run(const std::function<int()>& body);

  /// Runs `step` on all processes; if it fails on one, it fails on all.
  void settle(const std::function<void()>& step);

  /// Compares version and configuration, starts to expect heartbeats, warns if the ranks outnumber
  /// a host's cores, and opens what `ps`, `top` and `why` ask. Returns this process's place in the
  /// run; nothing if it is alone.
  [[nodiscard]] std::shared_ptr<const actors::ProcessPlace> begin(const actors::RunConfig& config);

  /// Returns a communicator over the processes for a command that is no run; null if this one is
  /// alone.
  [[nodiscard]] comm::Communicator* ranks();

  /// Shows a session as long as what is returned lives; after `begin`. Collective: the first
  /// process, which answers for all, shows it when all others do.
  [[nodiscard]] std::shared_ptr<void> show(const dataflow::Session& session);

 private:
  /// Tells the others if they do not know; throws or returns an exit code.
  int end_by(const Error& error);

  std::unique_ptr<ProcessGroup> processes_;
  std::unique_ptr<comm::Communicator> settling_;
  std::unique_ptr<comm::Communicator> ranks_;
  std::optional<RunControl> control_;
};

}  // namespace askos::apps
