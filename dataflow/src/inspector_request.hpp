// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector_verbs.hpp"
#include "status_json.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace askos::dataflow {

/// One request of the inspector's protocol; what has the wrong type throws `Errc::kUsage`.
struct Request {
  Json json;

  [[nodiscard]] bool has(const char* key) const { return json.contains(key); }
  /// Empty if it is not there.
  [[nodiscard]] std::string text(const char* key) const;
  [[nodiscard]] std::int64_t integer(const char* key, std::int64_t fallback) const;
  [[nodiscard]] double number(const char* key, double fallback) const;
  [[nodiscard]] bool flag(const char* key) const;
};

/// Reads a whole number that fits an int; throws `Errc::kUsage` if it does not.
[[nodiscard]] int small_integer(const Request& request, const char* key, int fallback);

/// Reads a text that must be there; throws `Errc::kUsage` if it is not.
[[nodiscard]] std::string required_text(const Request& request, const char* key);

using InspectedSessions = std::vector<InspectedSession>;

/// Returns the session that a request is about; throws `Errc::kNotFound` if that is not clear.
[[nodiscard]] const InspectedSession& chosen_session(const Request& request,
                                                     const InspectedSessions& sessions);

/// What a question about the last seconds is answered from.
struct Window {
  SessionStatus before;  ///< empty: the session is younger than the window
  SessionStatus after;
};

/// Reads the session now and as it was `window_ms` ago, 10 s unless the request says otherwise.
[[nodiscard]] Window look_back(const InspectedSession& inspected, const Request& request);

/// Which processes of a run with a rank in each a verb is about.
enum class Reach {
  kOwn,          ///< that which was asked; it knows the readings of all
  kAll,          ///< each of them
  kRank,         ///< that of the rank which the request names
  kHold,         ///< each, and they come to stand or go on together
  kStep,         ///< as kHold, but only once all stand
  kShowHold,     ///< each, for how far its hold is
  kPaused,       ///< each, while all stand: so they change before the same run
  kAddBreak,     ///< each, or that of a rank; the number is the same everywhere
  kListBreaks,   ///< each
  kRemoveBreak,  ///< those that have it
};

/// One verb of the protocol.
struct Verb {
  const char* name;
  bool changes;  ///< refused by an inspector that is read-only
  /// As one process does. Throws what the answer tells as an error.
  Json (*answer)(const Request& request, const InspectedSessions& sessions);
  Reach reach = Reach::kOwn;
};

/// Answers a request as this process alone does.
[[nodiscard]] Json answer_here(const Request& request, const InspectedSessions& sessions);

/// Verbs that hold and change a running graph.
[[nodiscard]] const std::vector<Verb>& control_verbs();

/// Verbs about edges: looking at packets, breakpoints, credit.
[[nodiscard]] const std::vector<Verb>& edge_verbs();

/// Verbs about recordings.
[[nodiscard]] const std::vector<Verb>& recording_verbs();

/// Who asks, for how long and whether by force.
[[nodiscard]] Debugger debugger_of(const Request& request);

}  // namespace askos::dataflow
