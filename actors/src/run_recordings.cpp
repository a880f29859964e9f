// SPDX-License-Identifier: Apache-2.0
#include "run_recordings.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/replay.hpp>
#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/control.hpp>

#include <memory>
#include <string>
#include <vector>

namespace askos::actors {

void prepare_recordings(dataflow::Graph& graph, const RunContext& run, const RunHooks& hooks) {
  for (const auto& [key, text] : hooks.notes) graph.note(key, text);
  graph.note(kIdentityNote, io::to_json(model_identity(run), /*compact=*/true));
  for (const auto& [name, last] : hooks.record) {
    const auto* const node = graph.find_stage(name);
    if (node == nullptr) {
      std::vector<std::string> names;
      for (const auto& known : graph.stages()) names.push_back(known.name);
      Error error(Errc::kNotFound, "no stage of that name to record");
      error.with("stage", name);
      suggest(error, name, names);
      throw error;
    }
    auto options = node->options;
    options.record = last;
    graph.configure(*node->stage, options);
  }
}

void give_recordings(const dataflow::Session& session,
                     const std::function<void(const dataflow::Recording&)>& take) {
  if (!take) return;
  const auto& control = session.control();
  for (const auto& stage : session.status().stages) {
    if (control.recording_status(stage.stage, stage.rank).last == 0) continue;
    std::shared_ptr<const dataflow::Recording> recording;
    try {
      recording = control.take_recording(stage.stage, stage.rank);
    } catch (const Error&) {
      continue;  // nothing was complete
    }
    take(*recording);
  }
}

}  // namespace askos::actors
