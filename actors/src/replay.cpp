// SPDX-License-Identifier: Apache-2.0
#include "stored_calls.hpp"
#include "window_requests.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/replay.hpp>
#include <askos/actors/trainer.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/recorded_calls.hpp>

namespace askos::actors {
namespace {

void check_identity(const RunContext& run, const dataflow::Recording& recording) {
  const auto note = recording.notes.find(kIdentityNote);
  if (note == recording.notes.end()) {
    throw Error(Errc::kInvalidInput, "recording does not say of which model it is");
  }
  Error error(Errc::kInvalidInput, "recording is stale: it is of another model or dataset");
  if (add_differences(error, io::parse_json(note->second), model_identity(run))) throw error;
}

/// The rank with its own groups where it is alone in them, else with what the others had given.
RankContext alone(const std::shared_ptr<const RunContext>& run,
                  const dataflow::Recording& recording) {
  const auto ranks = make_ranks(run, nullptr);
  if (recording.rank.value < 0 || recording.rank.value >= static_cast<int>(ranks.size())) {
    throw Error(Errc::kInvalidInput, "recording is of a rank that the run does not have")
        .with("rank", recording.rank)
        .with("ranks", ranks.size());
  }
  auto rank = ranks.at(static_cast<std::size_t>(recording.rank.value));
  rank.replay = std::make_shared<comm::CallReplay>();
  rank.replay->supply(calls_of("start/", recording.state));
  for (auto* const group : {&rank.model, &rank.members, &rank.gradients}) {
    if ((*group)->size() == 1) continue;
    *group = comm::replay_calls((*group)->rank(), (*group)->size(), (*group)->name(), rank.replay);
  }
  return rank;
}

}  // namespace

std::unique_ptr<dataflow::Stage> make_recorded_stage(const RunConfig& config,
                                                     const dataflow::Recording& recording) {
  if (recording.graph != "train" || recording.stage != "compute") {
    throw Error(Errc::kUsage, "only compute of a training run can be done again alone")
        .with("graph", recording.graph)
        .with("stage", recording.stage);
  }
  const auto run = make_run_context(config);
  check_identity(*run, recording);
  return std::make_unique<Trainer>(alone(run, recording), nullptr, nullptr,
                                   std::make_shared<StopGate>());
}

}  // namespace askos::actors
