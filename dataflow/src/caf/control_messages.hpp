// SPDX-License-Identifier: Apache-2.0
// What the processes of a run say to each other about their sessions.
#pragma once

#include "caf_compat.hpp"
#include "caf_inspect.hpp"

#include <askos/base/clock.hpp>
#include <askos/dataflow/caf.hpp>

#include <caf/io/all.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace askos::dataflow {

/// What a process says of itself when it joins.
struct ControlGreeting {
  std::string token;
  int rank = 0;
  std::string host;
  int pid = 0;
};

/// What it answers when it is asked.
struct ControlReading {
  std::int64_t now = 0;  ///< by its steady clock, in nanoseconds
  std::vector<int> sessions;
  std::vector<SessionStatus> statuses;  ///< of those sessions
};

/// A request that the first process passes on.
struct ControlQuestion {
  std::string token;
  std::string request;  ///< a line of the inspector's protocol
};

template <typename Inspector>
bool inspect(Inspector& f, ControlGreeting& greeting) {
  return f.object(greeting).fields(f.field("token", greeting.token), f.field("rank", greeting.rank),
                                   f.field("host", greeting.host), f.field("pid", greeting.pid));
}

template <typename Inspector>
bool inspect(Inspector& f, ControlReading& reading) {
  return f.object(reading).fields(f.field("now", reading.now),
                                  f.field("sessions", reading.sessions),
                                  f.field("statuses", reading.statuses));
}

template <typename Inspector>
bool inspect(Inspector& f, ControlQuestion& question) {
  return f.object(question).fields(f.field("token", question.token),
                                   f.field("request", question.request));
}

}  // namespace askos::dataflow

CAF_BEGIN_TYPE_ID_BLOCK(askos_control, ASKOS_CAF_FIRST_TYPE_ID + askos::dataflow::kNumCafTypeIds)
CAF_ADD_TYPE_ID(askos_control, (askos::dataflow::ControlGreeting))
CAF_ADD_TYPE_ID(askos_control, (askos::dataflow::ControlReading))
CAF_ADD_TYPE_ID(askos_control, (askos::dataflow::ControlQuestion))
CAF_END_TYPE_ID_BLOCK(askos_control)

namespace askos::dataflow {

/// An actor system that can talk to others: two quiet threads and CAF's own for the network.
class ControlSystem {
 public:
  ControlSystem();

  [[nodiscard]] caf::actor_system& get() noexcept { return *system_; }

 private:
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
};

}  // namespace askos::dataflow
