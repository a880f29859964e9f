// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/session.hpp>

#include <memory>

namespace askos::dataflow {

/// Starts a plan on an actor system of its own.
[[nodiscard]] std::unique_ptr<Session> start_actor_session(Plan plan, const EngineOptions& options);

}  // namespace askos::dataflow
