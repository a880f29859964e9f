// SPDX-License-Identifier: Apache-2.0
// Faults that a user injects on purpose, to see what a run makes of them: docs/how-to/drills.md.
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/fault_kind.hpp>
#include <askos/dataflow/stage.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace askos::dataflow {

/// One fault, and when it strikes. It counts the runs of its stage that have packets to work on or,
/// if `operation` is given, the file operations of that name which the stage makes.
struct Fault {
  FaultKind kind = FaultKind::kKill;
  std::string stage = {};
  std::string operation = {};    ///< `read`, `write`, `rename`, …; empty: runs of the stage
  std::optional<int> rank = {};  ///< nothing: on every rank
  std::int64_t packet = 0;       ///< the first that it strikes, counted from 1; 0: any
  /// How many it strikes; 0: one if `packet` is given, else any number.
  std::int64_t times = 0;
  Nanoseconds after{};     ///< since the session's start
  double probability = 1;  ///< of each that it could strike
  std::int64_t seed = 1;   ///< of these chances; each rank draws its own
  Nanoseconds delay = std::chrono::milliseconds(100);

  bool operator==(const Fault&) const = default;
};

/// Makes a fault from the entries of a file (`kind`, `stage`, `rank`, …; see docs). Throws one
/// `Errc::kInvalidInput` that names the key, what was expected and what was found.
[[nodiscard]] Fault make_fault(const Arguments& entries);
/// Returns the entries that `make_fault` reads back to an equal fault.
[[nodiscard]] Arguments to_arguments(const Fault& fault);

/// Decides, event by event, whether a fault strikes on one rank. One thread.
class FaultTrigger {
 public:
  FaultTrigger(Fault fault, int rank);

  [[nodiscard]] const Fault& fault() const noexcept { return fault_; }
  /// Counts one more event, `since_start` after the session's start; true if the fault strikes.
  [[nodiscard]] bool strikes(Nanoseconds since_start);
  /// Draws a number that depends on the seed and on how many were drawn.
  [[nodiscard]] std::uint64_t draw() noexcept;

 private:
  Fault fault_;
  std::uint64_t random_;
  std::int64_t num_events_ = 0;
  std::int64_t num_strikes_ = 0;
};

/// Ends the process as `kill -9` does; no destructor runs.
[[noreturn]] void kill_this_process();

}  // namespace askos::dataflow
