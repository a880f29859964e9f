// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/run.hpp>

#include <filesystem>

namespace askos::apps {

/// Has each session of a run leave two things in the run's folder when it ends: `<graph>.pftrace`,
/// its newest events for Perfetto, and a line of `spans.jsonl`, its OpenTelemetry span. What cannot
/// be written is a warning: a record must not cost a finished run.
void record_run(actors::RunHooks& hooks, const std::filesystem::path& folder);

}  // namespace askos::apps
