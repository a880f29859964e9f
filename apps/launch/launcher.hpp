// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "launch/child_process.hpp"

#include <askos/base/clock.hpp>

#include <optional>
#include <vector>

namespace askos::apps {

class SignalQueue;

/// Signals that a launcher takes; block them before the ranks are started.
[[nodiscard]] std::vector<int> launcher_signals();

/// Processes that run supervised ranks: one for each rank, or one mpirun for all of them.
struct Fleet {
  struct Member {
    ChildProcess process;
    std::optional<int> rank;  ///< nothing: mpirun, whose output is tagged
  };
  std::vector<Member> members;
  int num_ranks = 0;
};

struct LauncherOptions {
  bool prefix = true;   ///< print the rank before each line
  bool quiet = false;   ///< do not say where ranks run
  Nanoseconds grace{};  ///< that other ranks have to end by themselves once one has failed
};

/// Looks after the ranks until all have ended: prints what they print, passes signals on (INT, TERM
/// and HUP as SIGTERM, a second one ends them at once), and ends those that outlive a failed one by
/// the grace.
///
/// Returns 0, or the code of the first rank that failed. Throws `Errc::kRankLost`, naming them, if
/// ranks were ended by a signal or fell silent, `Errc::kEnvironment` if they could not be started.
[[nodiscard]] int look_after(Fleet fleet, SignalQueue& signals, const LauncherOptions& options);

}  // namespace askos::apps
