// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>
#include <askos/dataflow/session.hpp>

#include <memory>
#include <string>

namespace askos::apps {

/// Shows a run's sessions to `askos ps`, `top` and `why`: the first process answers for all of
/// them. A convenience: if it cannot be had, a warning says so and the run goes on.
class RunControl {
 public:
  /// `processes` may be null: then this one is alone. Else collective. The others reach the first
  /// one at `host`, an address of one of its interfaces.
  RunControl(comm::Communicator* processes, const std::string& host);
  ~RunControl();
  RunControl(const RunControl&) = delete;
  RunControl& operator=(const RunControl&) = delete;

  /// Shows a session as long as what is returned lives.
  [[nodiscard]] std::shared_ptr<void> attach(const dataflow::Session& session);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Returns this host's address that the other processes of a run should use: loopback if they are
/// all here, else that of the interface named by ASKOS_INTERFACE (`askos launch --interface`), else
/// of the first that is up. Collective; `processes` may be null.
[[nodiscard]] std::string control_host(comm::Communicator* processes);

}  // namespace askos::apps
