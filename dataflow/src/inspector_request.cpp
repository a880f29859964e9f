// SPDX-License-Identifier: Apache-2.0
#include "inspector_request.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <limits>

namespace askos::dataflow {
namespace {

constexpr Nanoseconds kDefaultWindow = std::chrono::seconds(10);

/// Returns the value of `key` if `is_right` about it, nothing if it is not there.
template <typename Predicate>
const Json* find(const Json& json, const char* key, const char* expected, Predicate is_right) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return nullptr;
  if (!is_right(*found)) {
    throw Error(Errc::kUsage, "key of the wrong type").with("key", key).with("expected", expected);
  }
  return &*found;
}

}  // namespace

std::string Request::text(const char* key) const {
  const auto* found = find(json, key, "text", [](const Json& value) { return value.is_string(); });
  return found == nullptr ? "" : found->get<std::string>();
}

std::int64_t Request::integer(const char* key, std::int64_t fallback) const {
  const auto* found =
      find(json, key, "integer", [](const Json& value) { return value.is_number_integer(); });
  return found == nullptr ? fallback : found->get<std::int64_t>();
}

double Request::number(const char* key, double fallback) const {
  const auto* found =
      find(json, key, "number", [](const Json& value) { return value.is_number(); });
  return found == nullptr ? fallback : found->get<double>();
}

bool Request::flag(const char* key) const {
  const auto* found =
      find(json, key, "true or false", [](const Json& value) { return value.is_boolean(); });
  return found != nullptr && found->get<bool>();
}

int small_integer(const Request& request, const char* key, int fallback) {
  const auto value = request.integer(key, fallback);
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    throw Error(Errc::kUsage, "key is out of range").with("key", key).with("found", value);
  }
  return static_cast<int>(value);
}

std::string required_text(const Request& request, const char* key) {
  auto text = request.text(key);
  if (text.empty()) throw Error(Errc::kUsage, "key is missing").with("key", key);
  return text;
}

const InspectedSession& chosen_session(const Request& request, const InspectedSessions& sessions) {
  const auto number = request.integer("session", 0);
  if (number == 0 && sessions.size() == 1) {
    return sessions.front();
  }
  const auto found = std::ranges::find(sessions, number, &InspectedSession::number);
  if (found == sessions.end()) {
    std::string known;
    for (const auto& session : sessions) {
      known += (known.empty() ? "" : ", ") + std::to_string(session.number);
    }
    throw Error(Errc::kNotFound, number == 0 ? "say which session" : "no session of that number")
        .with("session", number)
        .with("known", known);
  }
  return *found;
}

Window look_back(const InspectedSession& inspected, const Request& request) {
  const auto milliseconds = std::clamp<std::int64_t>(
      request.integer("window_ms", kDefaultWindow.count() / 1'000'000), 1, std::int64_t{1} << 40);
  Window window{.before = {}, .after = inspected.status()};
  const Nanoseconds begin = window.after.age - std::chrono::milliseconds(milliseconds);
  if (begin.count() <= 0) {
    return window;
  }
  for (const auto& reading : inspected.history) {
    if (reading.stages.size() != window.after.stages.size()) {
      continue;  // ranks of other processes have come or gone since
    }
    window.before = reading;  // the first one in the window, else the newest before it
    if (reading.age >= begin) {
      break;
    }
  }
  return window;
}

}  // namespace askos::dataflow
