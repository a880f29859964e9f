// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/session.hpp>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

/// A session that can be asked about, with readings of its last seconds, oldest first.
struct InspectedSession {
  int number;
  const Session* session;
  std::deque<SessionStatus> history;
};

/// Answers one request line of the inspector's protocol; never throws, never blocks on a stage.
[[nodiscard]] std::string answer(std::string_view request,
                                 const std::vector<InspectedSession>& sessions);

/// The answer to something that is no request at all.
[[nodiscard]] std::string refuse(const std::string& message);

}  // namespace askos::dataflow
