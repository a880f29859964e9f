// SPDX-License-Identifier: Apache-2.0
#include <askos/telemetry/trace.hpp>

#include <algorithm>
#include <array>

namespace askos::telemetry {

std::vector<int> Trace::ranks() const {
  std::vector<int> all;
  std::ranges::transform(tracks, std::back_inserter(all), &TraceTrack::rank);
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

void merge(Trace& into, const Trace& other) {
  const auto first_track = into.tracks.size();
  if (into.tracks.empty()) {
    into.graph = other.graph;
    into.unix_offset_ns = other.unix_offset_ns;
  }
  into.tracks.insert(into.tracks.end(), other.tracks.begin(), other.tracks.end());
  for (TraceEdge edge : other.edges) {
    edge.producer += first_track;
    edge.consumer += first_track;
    into.edges.push_back(std::move(edge));
  }
  const auto first_operator = static_cast<std::uint32_t>(into.operators.size());
  for (TraceEvent event : other.events) {
    event.track = static_cast<std::uint16_t>(event.track + first_track);
    if (event.kind == TraceKind::kOperator) event.detail += first_operator;
    into.events.push_back(event);
  }
  std::ranges::stable_sort(into.events, {}, &TraceEvent::end_ns);
  into.operators.insert(into.operators.end(), other.operators.begin(), other.operators.end());
  into.num_lost_operators += other.num_lost_operators;
}

void remove_operators(Trace& trace) {
  std::erase_if(trace.events,
                [](const TraceEvent& event) { return event.kind == TraceKind::kOperator; });
  trace.operators.clear();
  trace.num_lost_operators = 0;
}

std::string_view collective_name(std::uint8_t number) noexcept {
  constexpr std::array<std::string_view, 7> kNames{
      "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "barrier", "split"};
  return number < kNames.size() ? kNames[number] : "collective";
}

}  // namespace askos::telemetry
