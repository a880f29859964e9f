// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/status.hpp>

#include <string>
#include <vector>

namespace askos::dataflow {

/// Another process of the run, as the one that answers for all sees it.
struct PeerProcess {
  int rank = 0;
  std::string host;
  int pid = 0;
  bool answers = true;         ///< to the last question
  Nanoseconds clock_offset{};  ///< its steady clock minus this process's
  Nanoseconds clock_error{};   ///< the offset is right within this
};

/// The same sessions in the other processes of a run, for an inspector that shows them all.
class PeerSessions {
 public:
  virtual ~PeerSessions() = default;

  /// The newest readings of session `session` of the other processes, by rank. Does not block.
  [[nodiscard]] virtual std::vector<SessionStatus> readings(int session) const = 0;
  /// The other processes, by rank.
  [[nodiscard]] virtual std::vector<PeerProcess> processes() const = 0;
};

/// Adds the stages and edges of other ranks to a reading.
[[nodiscard]] SessionStatus with_peers(SessionStatus own, const std::vector<SessionStatus>& peers);

}  // namespace askos::dataflow
