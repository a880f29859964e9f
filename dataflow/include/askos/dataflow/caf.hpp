// SPDX-License-Identifier: Apache-2.0
// The door for programs that have a `caf::actor_system` of their own. The only public header that
// includes CAF; link `CAF::core` beside `askos::dataflow` to use it.
//
// askos' message types take the type ids from ASKOS_CAF_FIRST_TYPE_ID (CMake variable, 1200 unless
// set) on, kNumCafTypeIds of them: keep a host's own block outside.
#pragma once

#include <askos/dataflow/session.hpp>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/type_id.hpp>

// NOLINTBEGIN(readability-identifier-naming): as CAF names its own
CAF_BEGIN_TYPE_ID_BLOCK(askos_dataflow, ASKOS_CAF_FIRST_TYPE_ID)
CAF_ADD_TYPE_ID(askos_dataflow, (askos::dataflow::Outcome))
CAF_ADD_TYPE_ID(askos_dataflow, (askos::dataflow::SessionStatus))
CAF_ADD_ATOM(askos_dataflow, askos::dataflow, status_atom)
CAF_ADD_ATOM(askos_dataflow, askos::dataflow, drain_atom)
CAF_ADD_ATOM(askos_dataflow, askos::dataflow, stop_atom)
CAF_ADD_ATOM(askos_dataflow, askos::dataflow, done_atom)
CAF_END_TYPE_ID_BLOCK(askos_dataflow)
// NOLINTEND(readability-identifier-naming)

namespace askos::dataflow {

inline constexpr int kNumCafTypeIds = 6;

/// Registers CAF's own and askos' message types. Call it before the first `caf::actor_system` is
/// made; more than once does no harm.
void init_caf_types();

/// Starts a plan in the host's actor system, its shared stages on the host's scheduler, and returns
/// the actor that stands for the session. It understands
///
///   (status_atom)                        -> SessionStatus, at once
///   (done_atom)                          -> Outcome, when every stage has ended
///   (drain_atom, std::chrono::nanoseconds deadline)
///                                        -> Outcome, as `Session::drain`
///   (stop_atom)                          -> void, as `Session::stop`
///
/// It lives until it is sent an exit message, which also stops the stages. Of `options`, the number
/// of threads is the host's. A host whose scheduler has no `caf.scheduler.max-throughput` lets a
/// stage that always has work keep its thread; 1 is a good value.
[[nodiscard]] caf::actor spawn_session(caf::actor_system& system,
                                       Plan plan,
                                       const EngineOptions& options = {});

}  // namespace askos::dataflow
