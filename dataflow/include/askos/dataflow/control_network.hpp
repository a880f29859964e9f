// SPDX-License-Identifier: Apache-2.0
// Lets one process of a run answer for all of them. Link askos::control.
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/peer_sessions.hpp>
#include <askos/dataflow/session.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// Where the first process of a run listens, and the secret that the others show it.
struct ControlAddress {
  std::string host;  ///< an address of one interface
  std::uint16_t port = 0;
  std::string token;

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] static ControlAddress of(const std::string& text);
};

/// The first process's end: takes in the others, reads their sessions ten times a second, passes
/// requests on to them and measures how far their clocks are from its own. Carries control only,
/// over CAF's network layer.
///
/// A process that shows another token is not taken in. Any thread.
class ControlHub final : public PeerSessions {
 public:
  /// Listens on `host`, an address of this machine, on a port that the system chooses, for
  /// `num_others` processes. Throws `Errc::kEnvironment` if it cannot.
  ControlHub(const std::string& host,
             int num_others,
             Nanoseconds interval = std::chrono::milliseconds(100));
  ~ControlHub() override;

  /// What the others have to be told, over a channel that they trust.
  [[nodiscard]] const ControlAddress& address() const noexcept;

  [[nodiscard]] std::vector<SessionStatus> readings(int session) const override;
  [[nodiscard]] std::vector<PeerProcess> processes() const override;
  [[nodiscard]] std::vector<PeerAnswer> ask(const std::string& request,
                                            std::optional<int> rank) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Another process's end: answers what its sessions do, and requests that the first process passes
/// on. Any thread.
class ControlMember {
 public:
  /// Throws `Errc::kEnvironment`, naming the address, if nobody listens there.
  ControlMember(const ControlAddress& address, int rank);
  ~ControlMember();
  ControlMember(const ControlMember&) = delete;
  ControlMember& operator=(const ControlMember&) = delete;

  /// Shows a session as long as what is returned lives; it must die before the session does.
  /// Sessions are numbered from 1 in the order of attachment, as the first process's are.
  [[nodiscard]] std::shared_ptr<void> attach(const Session& session);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace askos::dataflow
