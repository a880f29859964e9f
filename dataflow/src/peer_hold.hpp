// SPDX-License-Identifier: Apache-2.0
// One hold over the processes of a run, with a rank in each. Every process holds its own rank by
// its own `Hold`. The one that answers for all passes a debugger's orders on, reads how far
// everyone is, and lets ranks that are behind go on to the last run that any rank had begun: there
// the others wait for them in a collective. The same bounds as in `Hold` make that run reachable.
#pragma once

#include "status_json.hpp"

#include <askos/dataflow/control.hpp>
#include <askos/dataflow/peer_sessions.hpp>

#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// How far the holds of all processes are together.
struct Agreement {
  HoldState state = HoldState::kRunning;
  std::vector<std::vector<StageTurn>> behind;  ///< by process: what it must still do
};

/// Compares the holds of the processes of a run. They all hold the same stages.
[[nodiscard]] Agreement agree(const std::vector<HoldStatus>& processes);

/// As `Verb::answer` gives it, of another process; throws what that answers as an error, naming its
/// rank.
[[nodiscard]] Json result_of(const PeerAnswer& answer);

/// Asks all other processes, or one, and returns their results; throws as `result_of`.
std::vector<Json> ask_peers(const PeerSessions& peers,
                            const Json& request,
                            std::optional<int> rank = std::nullopt);

/// Of the inspector's thread.
class PeerHold {
 public:
  /// Of session `session`, which is `own` in this process. If that began held, so did the others.
  PeerHold(int session, Control& own, const PeerSessions& peers)
      : session_(session),
        own_(own),
        peers_(peers),
        active_(own.hold().state != HoldState::kRunning) {}

  /// Passes an order on that this process has taken: pause, step or resume. A pause that another
  /// process refuses is taken back everywhere.
  void pass_on(const Json& request);
  /// The hold of all processes, as of now; drives it on, and renews the lease of `debugger`.
  [[nodiscard]] HoldStatus hold(std::string_view debugger = {});
  /// The hold of this process, with the state that all were found in last. Asks nobody.
  [[nodiscard]] HoldStatus last_known() const;
  /// Drives a hold on, takes over one that a breakpoint began in any process, and ends it
  /// everywhere when it has ended here. Returns whether one is on its way.
  bool tend();

 private:
  [[nodiscard]] std::optional<HoldStatus> met_breakpoint();
  void adopt(const HoldStatus& hit);
  void end();

  const int session_;
  Control& own_;
  const PeerSessions& peers_;
  bool active_;                            // somebody holds the processes through this one
  HoldState state_ = HoldState::kPausing;  // then: of all, when they were asked last
  Nanoseconds renewed_{};
};

}  // namespace askos::dataflow
