// SPDX-License-Identifier: Apache-2.0
#include "caf/actor_session.hpp"
#include "serial_session.hpp"

#include <askos/dataflow/session.hpp>

namespace askos::dataflow {

std::unique_ptr<Session> start(Plan plan, const EngineOptions& options) {
  if (options.kind == EngineKind::kActor) {
    return start_actor_session(std::move(plan), options);
  }
  auto& clock = options.clock != nullptr ? *options.clock : steady_clock();
  return std::make_unique<SerialSession>(
      std::move(plan), clock,
      SerialOptions{.runner = {.ledger = options.ledger, .paused = options.paused},
                    .operator_tracing = options.trace_operators});
}

}  // namespace askos::dataflow
