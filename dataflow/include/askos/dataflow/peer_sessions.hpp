// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/status.hpp>

#include <optional>
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

/// What another process answered.
struct PeerAnswer {
  int rank = 0;
  std::string text;
};

/// The same sessions in the other processes of a run, for an inspector that shows and steers them
/// all.
class PeerSessions {
 public:
  virtual ~PeerSessions() = default;

  /// The newest readings of session `session` of the other processes, by rank. Does not block.
  [[nodiscard]] virtual std::vector<SessionStatus> readings(int session) const = 0;
  /// The other processes, by rank.
  [[nodiscard]] virtual std::vector<PeerProcess> processes() const = 0;
  /// Sends a request (a JSON object on one line, without the token) to the other processes, or to
  /// that of `rank` alone, and returns what they answer, by rank. Blocks until all have. Throws
  /// `Errc::kStalled`, naming rank and host, if one has not joined or does not answer for seconds.
  [[nodiscard]] virtual std::vector<PeerAnswer> ask(
      const std::string& request, std::optional<int> rank = std::nullopt) const = 0;
};

/// Adds the stages and edges of other ranks to a reading.
[[nodiscard]] SessionStatus with_peers(SessionStatus own, const std::vector<SessionStatus>& peers);

}  // namespace askos::dataflow
