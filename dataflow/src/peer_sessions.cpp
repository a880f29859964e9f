// SPDX-License-Identifier: Apache-2.0
#include <askos/dataflow/peer_sessions.hpp>

namespace askos::dataflow {

SessionStatus with_peers(SessionStatus own, const std::vector<SessionStatus>& peers) {
  for (const auto& peer : peers) {
    own.stages.insert(own.stages.end(), peer.stages.begin(), peer.stages.end());
    own.edges.insert(own.edges.end(), peer.edges.begin(), peer.edges.end());
  }
  return own;
}

}  // namespace askos::dataflow
