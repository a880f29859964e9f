// SPDX-License-Identifier: Apache-2.0
#include "replay_context.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/replay.hpp>

#include <algorithm>
#include <sstream>
#include <utility>

namespace askos::dataflow {
namespace {

/// A run that is not ready asks for a later time, which comes at once; more often is a bug.
constexpr int kMostTries = 1000;

std::string print(const std::vector<RecordedPort>& ports) {
  std::string text;
  for (const auto& port : ports) {
    text +=
        (text.empty() ? "" : ", ") + port.name + ": " + std::to_string(port.rate) + " " + port.type;
  }
  return text.empty() ? "none" : text;
}

void check_ports(const char* direction,
                 const std::vector<RecordedPort>& recorded,
                 const std::vector<RecordedPort>& found) {
  if (recorded == found) return;
  throw Error(Errc::kInvalidInput, "recording is stale: the stage has other ports now")
      .with("direction", direction)
      .with("recorded", print(recorded))
      .with("found", print(found));
}

template <typename PortType>
void check_storage(const std::vector<const PortType*>& ports) {
  for (const auto* port : ports) {
    if (port->storage() != nullptr) continue;
    throw Error(Errc::kInvalidInput, "payloads of a port cannot be stored")
        .with("port", port->name());
  }
}

/// Says where two arrays differ first.
std::string difference(const StoredArray& recorded, const StoredArray& found) {
  std::ostringstream text;
  text << found.name;
  if (recorded.name != found.name || recorded.dtype != found.dtype ||
      recorded.shape != found.shape) {
    text << " is another array than " << recorded.name << ": " << recorded.num_entries() << " "
         << recorded.dtype << " recorded, " << found.num_entries() << " " << found.dtype
         << " found";
    return text.str();
  }
  const auto size = static_cast<std::size_t>(size_of(found.dtype));
  std::size_t num_different = 0;
  std::size_t first = 0;
  for (std::size_t at = 0; at < found.bytes.size(); at += size) {
    if (std::memcmp(&recorded.bytes[at], &found.bytes[at], size) == 0) continue;
    if (num_different++ == 0) first = at / size;
  }
  const auto value = [&](const StoredArray& array) {
    double number = 0;
    const auto view = host_tensor(array.name, array.shape, array.dtype, array.bytes.data());
    view.read(static_cast<std::int64_t>(first), 1, {&number, 1});
    return number;
  };
  text.precision(17);
  text << " differs in " << num_different << " of " << found.num_entries() << " entries, first in "
       << first << ": " << value(recorded) << " recorded, " << value(found) << " found";
  return text.str();
}

bool equal(const PacketMeta& a, const PacketMeta& b) {
  return a.sample == b.sample && a.trace == b.trace && a.cells == b.cells &&
         std::memcmp(&a.weight, &b.weight, sizeof(a.weight)) == 0 && a.host_bytes == b.host_bytes &&
         a.device_bytes == b.device_bytes;
}

std::string difference(const RecordedPacket& recorded, const RecordedPacket& found) {
  if (recorded.port != found.port) return "it went to another port";
  if (!equal(recorded.meta, found.meta)) return "its metadata differ";
  if (recorded.payload.has_value() != found.payload.has_value()) return "one of them is empty";
  if (!found.payload) return {};
  if (recorded.payload->size() != found.payload->size()) return "it has other arrays";
  for (std::size_t i = 0; i < found.payload->size(); ++i) {
    const auto& before = (*recorded.payload)[i];
    const auto& now = (*found.payload)[i];
    if (!(before == now)) return difference(before, now);
  }
  return {};
}

/// Compares a run with what was recorded of it.
std::string difference(const RecordedRun& recorded, const ReplayedRun& found) {
  if (recorded.failure != found.failure) {
    const auto what = [](const std::string& failure) {
      return failure.empty() ? "no failure" : "\"" + failure + "\"";
    };
    return what(recorded.failure) + " recorded, " + what(found.failure) + " found";
  }
  for (std::size_t i = 0; i < std::min(recorded.outputs.size(), found.outputs.size()); ++i) {
    const auto what = difference(recorded.outputs[i], found.outputs[i]);
    if (!what.empty()) return "packet " + std::to_string(i) + ": " + what;
  }
  if (recorded.outputs.size() != found.outputs.size()) {
    return std::to_string(recorded.outputs.size()) + " packets recorded, " +
           std::to_string(found.outputs.size()) + " found";
  }
  return {};
}

ReplayedRun run_again(Stage& stage, ReplayContext& context, const RecordedRun& recorded) {
  ReplayedRun run{.number = recorded.number, .done = recorded.done};
  context.begin(recorded);
  try {
    stage.supply_received(recorded.received);
    for (int i = 0; i < kMostTries && (i == 0 || context.moved_nothing()); ++i) stage.run(context);
    if (!context.took_all()) {
      throw Error(Errc::kCheckFailed, "run left packets that the recorded one took");
    }
  } catch (...) {
    run.failure = current_error().what();
  }
  run.outputs = context.outputs();
  if (recorded.done) run.difference = difference(recorded, run);
  return run;
}

}  // namespace

bool ReplayReport::equal() const noexcept {
  return std::ranges::all_of(runs, [](const auto& run) { return run.difference.empty(); });
}

ReplayReport replay(Stage& stage, const Recording& recording) {
  check_ports("inputs", recording.inputs, recorded_inputs(stage));
  check_ports("outputs", recording.outputs, recorded_outputs(stage));
  check_storage(stage.inputs());
  check_storage(stage.outputs());
  ReplayContext context(recording.rank);
  stage.start(context);
  stage.load_state(recording.state);
  ReplayReport report;
  for (const auto& run : recording.runs) {
    report.runs.push_back(run_again(stage, context, run));
    const auto& last = report.runs.back();
    if (!last.difference.empty() || (!last.done && !last.failure.empty())) break;
  }
  return report;
}

}  // namespace askos::dataflow
