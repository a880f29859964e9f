// SPDX-License-Identifier: Apache-2.0
#include "recordings.hpp"

#include "execution.hpp"
#include "stage_recorder.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace askos::dataflow {
namespace {

constexpr std::size_t kMostKept = 4;

/// Throws, with the reason, if what the stage does cannot be recorded.
void check_recordable(const std::string& name, const Stage& stage) {
  const auto refuse = [&](const char* reason) {
    return Error(Errc::kUsage, "stage cannot be recorded").with("stage", name).with("why", reason);
  };
  if (stage.inputs().empty()) throw refuse("a source takes no packets that could be kept");
  if (!stage.replayable()) {
    throw refuse("its type does not say what it carries from run to run (Stage::replayable)");
  }
  const auto check = [&](const auto& ports) {
    for (const auto* port : ports) {
      if (port->storage() != nullptr) continue;
      throw refuse("payloads of a port cannot be stored (store_payload)")
          .with("port", port->name());
    }
  };
  check(stage.inputs());
  check(stage.outputs());
}

}  // namespace

StageRunner& Recordings::runner_of(std::string_view stage, Rank rank) const {
  const auto ranks = execution_.runners_named(stage);
  const auto found = std::ranges::find(ranks, rank, &StageRunner::rank);
  if (found == ranks.end()) {
    throw Error(Errc::kNotFound, "no such rank").with("rank", rank).with("ranks", ranks.size());
  }
  return **found;
}

RecordingStatus Recordings::arm(std::string_view stage, Rank rank, int last) {
  auto& runner = runner_of(stage, rank);
  if (last < 0 || last > kMostRuns) {
    throw Error(Errc::kUsage, "number of runs to keep is out of range")
        .with("expected", "0 to " + std::to_string(kMostRuns))
        .with("found", last);
  }
  if (last > 0) check_recordable(runner.name(), runner.stage());
  runner.recorder().arm(last);
  return status(stage, rank);
}

void Recordings::arm_from_start() {
  for (const auto& runner : execution_.runners()) {
    if (runner->stage_options().record > 0) {
      (void)arm(runner->name(), runner->rank(), runner->stage_options().record);
    }
  }
}

RecordingStatus Recordings::status(std::string_view stage, Rank rank) const {
  auto status = runner_of(stage, rank).recorder().status();
  status.stage = stage;
  status.rank = rank;
  return status;
}

std::shared_ptr<const Recording> Recordings::take(std::string_view stage, Rank rank) const {
  auto& runner = runner_of(stage, rank);
  check_recordable(runner.name(), runner.stage());
  const auto& graph = execution_.plan().graph_of(rank);
  auto recording =
      std::make_shared<Recording>(Recording{.graph = graph.name(),
                                            .stage = std::string(stage),
                                            .rank = rank,
                                            .num_ranks = execution_.num_ranks(),
                                            .type = runner.stage().type(),
                                            .arguments = execution_.arguments_of(runner.stage()),
                                            .notes = graph.notes(),
                                            .inputs = recorded_inputs(runner.stage()),
                                            .outputs = recorded_outputs(runner.stage())});
  runner.recorder().copy_into(*recording);
  if (runner.stands_held()) add_waiting(runner, *recording);
  if (recording->runs.empty()) {
    const auto problem = runner.recorder().status().problem;
    Error error(Errc::kUsage, problem.empty() ? "nothing is recorded of the stage yet"
                                              : "recording of the stage was given up");
    error.with("stage", stage).with("rank", rank);
    if (!problem.empty()) error.with("why", problem);
    throw error;
  }
  return recording;
}

/// Packets that wait make runs to come, as far as all inputs have them. The stage stands, so none
/// is taken meanwhile, and where no run before them was kept its state can be copied here.
void Recordings::add_waiting(StageRunner& runner, Recording& recording) const {
  const auto& stage = runner.stage();
  if (stage.firing() != Firing::kAll) return;
  if (recording.runs.empty()) {
    auto state = stage.save_state();
    if (!state) return;
    recording.state = std::move(*state);
  }
  std::vector<std::vector<EdgeState::Seen>> waiting;
  auto num_runs = std::numeric_limits<std::size_t>::max();
  for (std::size_t i = 0; i < stage.inputs().size(); ++i) {
    waiting.push_back(runner.input_edge(i).look());
    const auto rate = static_cast<std::size_t>(runner.packets_per_run(i));
    num_runs = std::min(num_runs, waiting.back().size() / rate);
  }
  for (std::size_t r = 0; r < num_runs; ++r) {
    RecordedRun run{.number = runner.num_runs() + static_cast<std::int64_t>(r), .done = false};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      const auto& port = *stage.inputs()[i];
      const auto rate = static_cast<std::size_t>(runner.packets_per_run(i));
      for (std::size_t p = r * rate; p < (r + 1) * rate; ++p) {
        const auto& [number, meta, tick, payload] = waiting[i][p];
        auto& packet = run.inputs.emplace_back(RecordedPacket{.port = port.index(), .meta = meta});
        if (payload != nullptr) packet.payload = port.storage()->store(payload.get());
      }
    }
    recording.runs.push_back(std::move(run));
  }
}

int Recordings::keep(std::shared_ptr<const Recording> recording) {
  const std::lock_guard lock(mutex_);
  kept_[++num_kept_] = std::move(recording);
  if (kept_.size() > kMostKept) kept_.erase(kept_.begin());
  return num_kept_;
}

std::shared_ptr<const Recording> Recordings::kept(int number) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(number);
  if (found == kept_.end()) {
    throw Error(Errc::kNotFound, "recording is not kept any more").with("recording", number);
  }
  return found->second;
}

}  // namespace askos::dataflow
