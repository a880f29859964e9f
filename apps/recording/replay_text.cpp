// SPDX-License-Identifier: Apache-2.0
#include "recording/replay_text.hpp"

#include "command_line/table.hpp"

#include <askos/base/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;
using dataflow::RecordedPacket;
using dataflow::ReplayedRun;

std::int64_t num_nan(const dataflow::StoredArray& array) {
  if (array.dtype == DType::kInt32 || array.dtype == DType::kInt64 ||
      array.dtype == DType::kUInt8) {
    return 0;
  }
  std::vector<double> values(static_cast<std::size_t>(array.num_entries()));
  dataflow::host_tensor(array.name, array.shape, array.dtype, array.bytes.data())
      .read(0, 1, values);
  return std::ranges::count_if(values, [](double value) { return std::isnan(value); });
}

std::int64_t num_nan(const std::vector<RecordedPacket>& packets) {
  std::int64_t number = 0;
  for (const auto& packet : packets) {
    if (!packet.payload) continue;
    for (const auto& array : *packet.payload) number += num_nan(array);
  }
  return number;
}

std::string describe(const ReplayedRun& run) {
  if (!run.done) {
    return run.failure.empty() ? "had waited: done now" : "had waited: fails now: " + run.failure;
  }
  if (!run.difference.empty()) return "DIFFERS: " + run.difference;
  return run.failure.empty() ? "equal" : "fails as recorded: " + run.failure;
}

Json to_json(const dataflow::RecordedRun& recorded, const ReplayedRun& run) {
  return {{"run", run.number},
          {"done", run.done},
          {"equal", run.done && run.difference.empty()},
          {"difference", run.difference},
          {"failure", run.failure},
          {"taken", recorded.inputs.size()},
          {"emitted", run.outputs.size()},
          {"nan_taken", num_nan(recorded.inputs)},
          {"nan_emitted", num_nan(run.outputs)}};
}

void print_json(const dataflow::Recording& recording, const dataflow::ReplayReport& report) {
  Json runs = Json::array();
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    runs.push_back(to_json(recording.runs[i], report.runs[i]));
  }
  std::cout << Json{{"graph", recording.graph},
                    {"stage", recording.stage},
                    {"rank", recording.rank.value},
                    {"ranks", recording.num_ranks},
                    {"recorded", recording.runs.size()},
                    {"equal", report.equal()},
                    {"runs", std::move(runs)}}
                   .dump()
            << "\n";
}

void print_text(const dataflow::Recording& recording, const dataflow::ReplayReport& report) {
  std::cout << recording.stage << " of " << recording.graph << ", rank " << recording.rank << " of "
            << recording.num_ranks << ": " << recording.runs.size() << " runs, done again alone\n";
  Table table({{"RUN"}, {"TAKEN"}, {"NAN"}, {"EMITTED"}, {"NAN"}, {"RESULT", Align::kLeft}});
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    const auto& recorded = recording.runs[i];
    const auto& run = report.runs[i];
    table.add({std::to_string(run.number), std::to_string(recorded.inputs.size()),
               std::to_string(num_nan(recorded.inputs)), std::to_string(run.outputs.size()),
               std::to_string(num_nan(run.outputs)), describe(run)});
  }
  std::cout << table;
  const auto num_done = std::ranges::count_if(report.runs, &ReplayedRun::done);
  if (report.equal() && num_done > 0) {
    std::cout << "equal bit by bit: " << num_done << " runs\n";
  }
}

}  // namespace

void add_replay_options(CLI::App& command, ReplayOptions& options) {
  command.add_option("file", options.file, "made by askos record")
      ->type_name("FILE.h5")
      ->required();
  command.add_option("--stage", options.stage, "the stage that was recorded")
      ->type_name("STAGE")
      ->required();
  command.add_flag("--check", options.check, "exit with 7 if anything differs");
}

void print_replay(const ReplayOptions& options,
                  const dataflow::Recording& recording,
                  const dataflow::ReplayReport& report,
                  bool json) {
  if (json) {
    print_json(recording, report);
  } else {
    print_text(recording, report);
  }
  if (!options.check || report.equal()) return;
  const auto& run = report.runs.back();
  throw Error(Errc::kCheckFailed, "stage does not give what was recorded")
      .with("stage", recording.stage)
      .with("run", run.number)
      .with("what", run.difference)
      .with("file", options.file);
}

}  // namespace askos::apps
