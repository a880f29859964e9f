// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/rank_context.hpp>
#include <askos/actors/run.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/recording.hpp>
#include <askos/dataflow/session.hpp>

#include <functional>

namespace askos::actors {

/// Has a training graph's stages recorded as `hooks` want it, and notes in the graph what their
/// recordings carry along. Throws `Errc::kNotFound`, with the nearest name, for a stage that is not
/// there.
void prepare_recordings(dataflow::Graph& graph, const RunContext& run, const RunHooks& hooks);

/// Gives what was kept of the stages that somebody records; what led to a failure would be lost
/// with the session. A rank that was freed from a collective may have nothing complete to give.
void give_recordings(const dataflow::Session& session,
                     const std::function<void(const dataflow::Recording&)>& take);

}  // namespace askos::actors
