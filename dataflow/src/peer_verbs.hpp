// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector_request.hpp"

namespace askos::dataflow {

/// Answers a verb in a run of several processes, asking those that it is about.
[[nodiscard]] Json answer_with_peers(const Verb& verb,
                                     const Request& request,
                                     const InspectedSessions& sessions);

}  // namespace askos::dataflow
