// SPDX-License-Identifier: Apache-2.0
// The compact form that an inspector sends: events are arrays, in the order of `TraceEvent`.
#include <askos/base/error.hpp>
#include <askos/telemetry/trace.hpp>

#include <nlohmann/json.hpp>

namespace askos::telemetry {

using nlohmann::json;

std::string to_json(const Trace& trace) {
  json tracks = json::array();
  for (const auto& [rank, name] : trace.tracks) {
    tracks.push_back({{"rank", rank}, {"name", name}});
  }
  json edges = json::array();
  for (const auto& [name, producer, consumer] : trace.edges) {
    edges.push_back({{"name", name}, {"producer", producer}, {"consumer", consumer}});
  }
  json events = json::array();
  for (const auto& event : trace.events) {
    events.push_back({event.start_ns, event.duration_ns, event.track, static_cast<int>(event.kind),
                      event.flags, event.detail, event.id});
  }
  return json{{"graph", trace.graph},
              {"unix_offset_ns", trace.unix_offset_ns},
              {"tracks", std::move(tracks)},
              {"edges", std::move(edges)},
              {"events", std::move(events)},
              {"operators", trace.operators},
              {"lost_operators", trace.num_lost_operators}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

Trace trace_from_json(std::string_view text) {
  try {
    const json document = json::parse(text);
    Trace trace{.graph = document.at("graph").get<std::string>(),
                .unix_offset_ns = document.at("unix_offset_ns").get<std::int64_t>(),
                .operators = document.at("operators").get<std::vector<std::string>>(),
                .num_lost_operators = document.at("lost_operators").get<std::int64_t>()};
    for (const auto& track : document.at("tracks")) {
      trace.tracks.push_back({track.at("rank").get<int>(), track.at("name").get<std::string>()});
    }
    for (const auto& edge : document.at("edges")) {
      trace.edges.push_back({edge.at("name").get<std::string>(), edge.at("producer").get<size_t>(),
                             edge.at("consumer").get<size_t>()});
    }
    for (const auto& event : document.at("events")) {
      trace.events.push_back({event.at(0).get<std::int64_t>(), event.at(1).get<std::int64_t>(),
                              event.at(2).get<std::uint16_t>(),
                              static_cast<TraceKind>(event.at(3).get<std::uint8_t>()),
                              event.at(4).get<std::uint8_t>(), event.at(5).get<std::uint32_t>(),
                              event.at(6).get<std::uint64_t>()});
      const auto& last = trace.events.back();
      if (last.track >= trace.tracks.size()) {
        throw Error(Errc::kInvalidInput, "event of a trace names no track");
      }
      if (last.kind == TraceKind::kOperator && last.detail >= trace.operators.size()) {
        throw Error(Errc::kInvalidInput, "operator of a trace has no name");
      }
    }
    return trace;
  } catch (const json::exception& error) {
    throw Error(Errc::kInvalidInput, "not a trace").with("reason", error.what());
  }
}

}  // namespace askos::telemetry
