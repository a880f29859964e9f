// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/fault.hpp>
#include <askos/dataflow/port.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace askos::dataflow {

/// Injects the faults of one stage on one rank into its runs. Used by its runner alone.
class StageFaults {
 public:
  /// Returns nothing if none of `faults` is for runs on this rank: the usual case costs nothing.
  [[nodiscard]] static std::unique_ptr<StageFaults> make(const std::vector<Fault>& faults,
                                                         int rank,
                                                         Nanoseconds start);

  /// Called before each run: returns until when the stage must not run, kills the process or throws
  /// what a run would have thrown.
  [[nodiscard]] std::optional<Nanoseconds> before_run(Nanoseconds now);
  /// Called after it; `moved` if it took or emitted packets: the next one is another event.
  void after_run(bool moved) noexcept;
  /// Returns what the stage emits instead of `payload`.
  [[nodiscard]] std::shared_ptr<const void> pass(const OutPort& port,
                                                 std::shared_ptr<const void> payload);

 private:
  StageFaults(std::vector<FaultTrigger> triggers, Nanoseconds start);

  std::vector<FaultTrigger> triggers_;
  Nanoseconds start_;
  bool counted_ = false;  ///< the run that is about to begin has been, once
  std::optional<Nanoseconds> held_until_;
  std::vector<FaultTrigger*> damages_;  ///< of this run
};

}  // namespace askos::dataflow
