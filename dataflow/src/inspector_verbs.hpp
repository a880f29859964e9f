// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/peer_sessions.hpp>
#include <askos/dataflow/session.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

class PeerHold;

/// A session that can be asked about, with readings of its last seconds, oldest first.
struct InspectedSession {
  int number;
  const Session* session;
  std::deque<SessionStatus> history;
  std::shared_ptr<const PeerSessions> peers = nullptr;  ///< in other processes, if there are any
  std::shared_ptr<PeerHold> peer_hold = nullptr;        ///< with them; as `peers`

  /// Reads the session now, with what is known of its ranks in other processes.
  [[nodiscard]] SessionStatus status() const;
};

/// What an inspector lets its clients do.
struct InspectorRights {
  bool read_only = false;
  std::string token{};  ///< what every request must bring; empty: nothing
};

/// Answers one request line of the inspector's protocol; never throws, never blocks on a stage.
[[nodiscard]] std::string answer(std::string_view request,
                                 const std::vector<InspectedSession>& sessions,
                                 const InspectorRights& rights = {});

/// The answer to something that is no request at all.
[[nodiscard]] std::string refuse(const std::string& message);

}  // namespace askos::dataflow
