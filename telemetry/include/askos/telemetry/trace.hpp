// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/telemetry/trace_ring.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace askos::telemetry {

/// Names the track of one stage on one rank.
struct TraceTrack {
  int rank = 0;
  std::string name;

  bool operator==(const TraceTrack&) const = default;
};

/// An edge, by the tracks of its ends: it lets a writer draw a packet's way.
struct TraceEdge {
  std::string name;
  std::size_t producer = 0;  ///< position in `Trace::tracks`
  std::size_t consumer = 0;

  bool operator==(const TraceEdge&) const = default;
};

/// A record of a ring with its times in nanoseconds of the steady clock, which all processes of a
/// host share.
struct TraceEvent {
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::uint16_t track = 0;
  TraceKind kind = TraceKind::kRun;
  std::uint8_t flags = 0;    ///< by kind, as in `TraceRecord`
  std::uint32_t detail = 0;  ///< by kind, as in `TraceRecord`; of an operator, its name in `Trace`
  std::uint64_t id = 0;      ///< sample of a run; group of a collective

  [[nodiscard]] std::int64_t end_ns() const noexcept { return start_ns + duration_ns; }
  bool operator==(const TraceEvent&) const = default;
};

/// What the rings of a session held at one moment, ready to be written in any format.
struct Trace {
  std::string graph;
  std::int64_t unix_offset_ns = 0;  ///< adding it to an event's time gives that since 1970
  std::vector<TraceTrack> tracks{};
  std::vector<TraceEdge> edges{};
  std::vector<TraceEvent> events{};      ///< in order of their ends
  std::vector<std::string> operators{};  ///< their names, by `TraceEvent::detail`
  std::int64_t num_lost_operators = 0;   ///< pushed out of the rings by newer ones

  /// Lists the ranks of its tracks, ascending, each once.
  [[nodiscard]] std::vector<int> ranks() const;
};

/// Appends another process's trace of the same graph. Its ranks must be others.
void merge(Trace& into, const Trace& other);

/// Takes the operators out, with their names.
void remove_operators(Trace& trace);

/// Names a collective by its number in `TraceEvent::flags`, as in comm: `all_reduce`, ….
[[nodiscard]] std::string_view collective_name(std::uint8_t number) noexcept;

/// Prints a trace compactly as one JSON object, for sending; `trace_from_json` reads it back.
[[nodiscard]] std::string to_json(const Trace& trace);

/// Throws `Errc::kInvalidInput` if the text is no trace.
[[nodiscard]] Trace trace_from_json(std::string_view text);

}  // namespace askos::telemetry
