// SPDX-License-Identifier: Apache-2.0
// HolisticTraceAnalysis reads what PyTorch's profiler writes of a GPU: kernels on streams. Here a
// stage is a stream, its busy stretches are kernels, and so are collectives.
#include "trace_slices.hpp"

#include <askos/telemetry/overlap.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <nlohmann/json.hpp>

#include <ostream>

namespace askos::telemetry {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFirstCollectiveStream = 1000;
constexpr std::size_t kFirstStageThread = 2000;  // stages as the host's threads see them

double microseconds(std::int64_t ns) {
  return static_cast<double>(ns) / 1000;
}

class KinetoWriter {
 public:
  KinetoWriter(const Trace& trace, int rank, std::ostream& out)
      : trace_(trace), rank_(rank), out_(out) {
    for (const auto& event : trace.events) {
      origin_ns_ = std::min(origin_ns_, event.start_ns);
    }
    if (trace.events.empty()) {
      origin_ns_ = 0;
    }
  }

  void write() {
    // HolisticTraceAnalysis finds the rank by `"rank": N`, with the space.
    out_ << R"({"schemaVersion":1,"distributedInfo":{"backend":"askos","rank": )" << rank_
         << R"(,"world_size":)" << trace_.ranks().size() << R"(},"displayTimeUnit":"ms",)"
         << R"("baseTimeNanoseconds":)" << origin_ns_ + trace_.unix_offset_ns << R"(,"graph":)"
         << Json(trace_.graph).dump() << ",\n\"traceEvents\":[";
    put({{"ph", "M"},
         {"name", "process_name"},
         {"pid", rank_},
         {"tid", 0},
         {"args", {{"name", trace_.graph + " rank " + std::to_string(rank_)}}}});
    std::size_t collective_stream = kFirstCollectiveStream;
    for (const auto& lane : lay_on_lanes(trace_)) {
      if (trace_.tracks[lane.track].rank == rank_) {
        write_lane(lane, lane.collectives ? collective_stream++ : kFirstStageThread + lane.track);
      }
    }
    for (std::size_t track = 0; track < trace_.tracks.size(); ++track) {
      if (trace_.tracks[track].rank == rank_) {
        write_kernels(track);
      }
    }
    out_ << "\n]}\n";
  }

 private:
  void put(const Json& event) {
    out_ << separator_ << event.dump(-1, ' ', false, Json::error_handler_t::replace);
    separator_ = ",\n";
  }

  Json slice(const char* category, const std::string& name, std::size_t thread, Stretch when) {
    return {{"ph", "X"},
            {"cat", category},
            {"name", name},
            {"pid", rank_},
            {"tid", thread},
            {"ts", microseconds(when.begin_ns - origin_ns_)},
            {"dur", microseconds(when.end_ns - when.begin_ns)}};
  }

  void name_thread(std::size_t thread, const std::string& name) {
    put({{"ph", "M"},
         {"name", "thread_name"},
         {"pid", rank_},
         {"tid", thread},
         {"args", {{"name", name}}}});
  }

  void write_lane(const Lane& lane, std::size_t thread) {
    name_thread(thread, name_of(lane, trace_));
    for (const auto* event : lane.events) {
      const Stretch when{event->start_ns, event->end_ns()};
      const std::string name = name_of(*event, trace_);
      if (lane.collectives) {
        Json json = slice("kernel", "ncclKernel_" + name, thread, when);
        json["args"] = {{"device", rank_},
                        {"stream", thread},
                        {"correlation", ++correlation_},
                        {"sequence", event->detail}};
        put(json);
      } else if (event->kind == TraceKind::kOperator) {
        Json json = slice("cpu_op", name, thread, when);
        json["args"] = {{"External id", ++external_id_}};
        put(json);
      } else {
        Json json = slice("user_annotation", name, thread, when);
        json["args"] = {{"sample", event->id}, {"count", event->detail}};
        put(json);
      }
      write_flows(*event, thread);
    }
  }

  void write_flows(const TraceEvent& event, std::size_t thread) {
    if (event.kind != TraceKind::kRun) {
      return;  // arrows between ranks would lead into other files
    }
    for (std::size_t i = 0; i < trace_.edges.size(); ++i) {
      const auto& edge = trace_.edges[i];
      const bool leaves = edge.producer == event.track;
      if (leaves || edge.consumer == event.track) {
        Json json{{"ph", leaves ? "s" : "f"},
                  {"cat", "packet"},
                  {"name", edge.name},
                  {"id", std::to_string(i) + ":" + std::to_string(event.id)},
                  {"pid", rank_},
                  {"tid", thread},
                  {"ts", microseconds((leaves ? event.end_ns() : event.start_ns) - origin_ns_)}};
        if (!leaves) {
          json["bp"] = "e";
        }
        put(json);
      }
    }
  }

  void write_kernels(std::size_t track) {
    const auto& name = trace_.tracks[track].name;
    name_thread(track, name + " (busy)");
    for (const auto& stretch : busy_stretches(trace_, track)) {
      Json json = slice("kernel", name, track, stretch);
      json["args"] = {{"device", rank_}, {"stream", track}, {"correlation", ++correlation_}};
      put(json);
    }
  }

  const Trace& trace_;
  int rank_;
  std::ostream& out_;
  std::int64_t origin_ns_ = std::numeric_limits<std::int64_t>::max();
  std::uint64_t correlation_ = 0;
  std::uint64_t external_id_ = 0;  // of operators, as PyTorch numbers them
  const char* separator_ = "\n";
};

}  // namespace

void write_kineto(const Trace& trace, int rank, std::ostream& out) {
  KinetoWriter(trace, rank, out).write();
}

}  // namespace askos::telemetry
