// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>

#include <functional>

namespace askos::apps {

/// Runs `body` once per rank, each on a thread of its own with one compute thread, and throws the
/// failure that came first again. A rank that fails aborts the others.
void run_ranks(int num_ranks, const std::function<void(comm::Communicator&)>& body);

}  // namespace askos::apps
