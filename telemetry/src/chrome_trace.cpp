// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <ostream>

namespace askos::telemetry {
namespace {

using nlohmann::json;

json name_of_track(std::size_t stage, const TraceTrack& track) {
  return {{"ph", "M"},
          {"name", "thread_name"},
          {"pid", track.rank},
          {"tid", stage},
          {"args", {{"name", track.name}}}};
}

json event_of(const TraceRecord& record, const TraceTrack& track, const TraceLog& log, double ns) {
  const auto start =
      static_cast<double>(record.end - log.origin()) - static_cast<double>(record.duration);
  json event{{"ph", "X"},
             {"pid", track.rank},
             {"tid", record.stage},
             {"ts", start * ns / 1000},
             {"dur", static_cast<double>(record.duration) * ns / 1000}};
  switch (record.kind) {
    case TraceKind::kRun:
      event["name"] = track.name;
      event["cat"] = "user_annotation";
      event["args"] = {{"sample", record.id}, {"runs", record.detail}};
      break;
    case TraceKind::kWait:
      event["name"] = to_string(static_cast<State>(record.flags));
      event["cat"] = "wait";
      event["args"] = {{"at", record.detail}};
      break;
    case TraceKind::kFailure:
      event["name"] = "failure";
      event["cat"] = "failure";
      event["args"] = {{"sample", record.id}};
      break;
  }
  return event;
}

}  // namespace

void write_chrome_trace(const TraceLog& log,
                        const std::vector<TraceTrack>& tracks,
                        std::ostream& out) {
  const auto records = log.snapshot();
  const double ns = log.nanoseconds_per_tick();
  const int rank = tracks.empty() ? 0 : tracks.front().rank;
  out << R"({"schemaVersion":1,"displayTimeUnit":"ns","distributedInfo":{"rank":)" << rank
      << "},\n\"traceEvents\":[";
  const char* separator = "\n";
  for (std::size_t stage = 0; stage < tracks.size(); ++stage) {
    out << separator << name_of_track(stage, tracks[stage]);
    separator = ",\n";
  }
  for (const auto& record : records) {
    if (record.stage < tracks.size()) {
      out << separator << event_of(record, tracks[record.stage], log, ns);
      separator = ",\n";
    }
  }
  out << "\n]}\n";
}

void write_chrome_trace(const TraceLog& log,
                        const std::vector<TraceTrack>& tracks,
                        const std::filesystem::path& path) {
  std::ofstream out(path);
  write_chrome_trace(log, tracks, out);
  out.flush();
  if (!out) {
    throw Error(Errc::kEnvironment, "cannot write the trace").with("file", path.string());
  }
}

}  // namespace askos::telemetry
