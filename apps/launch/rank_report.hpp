// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "launch/child_process.hpp"

#include <csignal>
#include <string>
#include <variant>

namespace askos::apps {

// A launcher and the supervisors of its ranks talk through what lies between them anyway: reports
// are lines of stderr behind a mark that no text has, orders are signals that mpirun passes on.
inline constexpr char kReportMark = '\x1e';
inline constexpr int kOrderEnd = SIGALRM;    ///< ask the command to end: SIGTERM
inline constexpr int kOrderLeave = SIGABRT;  ///< all ranks have reported
inline constexpr int kOrderKill = SIGTERM;   ///< end at once, as mpirun itself says it

/// Where a rank runs.
struct RankPlaced {
  std::string host;
  std::string placement;
};

/// A rank's command has ended.
struct RankEnded {
  ProcessEnd end;
};

using RankReport = std::variant<RankPlaced, RankEnded>;

/// Returns the report without its mark and the end of its line.
[[nodiscard]] std::string to_text(const RankReport& report);
/// Throws `Errc::kCorruptData` if it is none.
[[nodiscard]] RankReport to_report(const std::string& text);

}  // namespace askos::apps
