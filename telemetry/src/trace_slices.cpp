// SPDX-License-Identifier: Apache-2.0
#include "trace_slices.hpp"

#include <askos/telemetry/ledger.hpp>

#include <algorithm>
#include <tuple>

namespace askos::telemetry {
namespace {

/// Flow numbers are small, so that they deflate well: an edge and a sample, or a group and a place.
constexpr std::uint64_t kCollectiveFlow = std::uint64_t{1} << 62;

std::uint64_t edge_flow(std::size_t edge, std::uint64_t sample) noexcept {
  return (static_cast<std::uint64_t>(edge) + 1) << 40 | (sample & ((std::uint64_t{1} << 40) - 1));
}

/// Puts an event on the first lane of `lanes` that is free by then.
void put_collective(const TraceEvent& event, std::vector<Lane>& lanes) {
  for (auto& lane : lanes) {
    if (lane.events.empty() || lane.events.back()->end_ns() <= event.start_ns) {
      lane.events.push_back(&event);
      return;
    }
  }
  lanes.push_back({.track = event.track,
                   .collectives = true,
                   .number = static_cast<int>(lanes.size()),
                   .events = {&event}});
}

/// Keeps what nests. The ring's stretches of one stage do, but for a tick here and there.
std::vector<const TraceEvent*> nest(const std::vector<const TraceEvent*>& events) {
  std::vector<const TraceEvent*> kept;
  std::vector<std::int64_t> open_ends;
  for (const auto* event : events) {
    while (!open_ends.empty() && open_ends.back() <= event->start_ns) {
      open_ends.pop_back();
    }
    if (open_ends.empty() || event->end_ns() <= open_ends.back()) {
      kept.push_back(event);
      open_ends.push_back(event->end_ns());
    }
  }
  return kept;
}

}  // namespace

std::vector<Lane> lay_on_lanes(const Trace& trace) {
  std::vector<const TraceEvent*> sorted;
  for (const auto& event : trace.events) {
    sorted.push_back(&event);
  }
  std::ranges::stable_sort(sorted, {}, [](const TraceEvent* event) {
    return std::tuple(event->start_ns, -event->duration_ns);
  });
  std::vector<std::vector<const TraceEvent*>> own(trace.tracks.size());
  std::vector<std::vector<Lane>> collectives(trace.tracks.size());
  for (const auto* event : sorted) {
    if (event->kind == TraceKind::kCollective) {
      put_collective(*event, collectives[event->track]);
    } else {
      own[event->track].push_back(event);
    }
  }
  std::vector<Lane> lanes;
  for (std::size_t track = 0; track < trace.tracks.size(); ++track) {
    lanes.push_back({.track = track, .events = nest(own[track])});
    std::ranges::move(collectives[track], std::back_inserter(lanes));
  }
  return lanes;
}

std::string name_of(const Lane& lane, const Trace& trace) {
  std::string name = trace.tracks[lane.track].name;
  if (lane.collectives) {
    name += ": collectives" + (lane.number > 0 ? " " + std::to_string(lane.number + 1) : "");
  }
  return name;
}

std::string name_of(const TraceEvent& event, const Trace& trace) {
  switch (event.kind) {
    case TraceKind::kRun: return trace.tracks[event.track].name;
    case TraceKind::kWait: return std::string(to_string(static_cast<State>(event.flags)));
    case TraceKind::kFailure: return "failure";
    case TraceKind::kCollective: return std::string(collective_name(event.flags));
    case TraceKind::kOperator: return trace.operators.at(event.detail);
  }
  return "unknown";
}

std::vector<std::uint64_t> flows_of(const TraceEvent& event, const Trace& trace) {
  std::vector<std::uint64_t> flows;
  if (event.kind == TraceKind::kRun) {
    for (std::size_t edge = 0; edge < trace.edges.size(); ++edge) {
      if (trace.edges[edge].producer == event.track || trace.edges[edge].consumer == event.track) {
        flows.push_back(edge_flow(edge, event.id));
      }
    }
  } else if (event.kind == TraceKind::kCollective) {
    flows.push_back(kCollectiveFlow | (event.id & 0x3fffffff) << 32 | event.detail);
  }
  return flows;
}

}  // namespace askos::telemetry
