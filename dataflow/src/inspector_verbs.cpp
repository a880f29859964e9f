// SPDX-License-Identifier: Apache-2.0
#include "inspector_verbs.hpp"

#include "status_json.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/inspector.hpp>
#include <askos/dataflow/why.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace askos::dataflow {
namespace {

constexpr int kProtocol = 1;
constexpr Nanoseconds kDefaultWindow = std::chrono::seconds(10);

struct Request {
  Json json;

  [[nodiscard]] std::string text(const char* key) const {
    const auto found = json.find(key);
    if (found == json.end()) {
      return "";
    }
    if (!found->is_string()) {
      throw Error(Errc::kUsage, "key of the wrong type").with("key", key).with("expected", "text");
    }
    return found->get<std::string>();
  }
  [[nodiscard]] std::int64_t integer(const char* key, std::int64_t fallback) const {
    const auto found = json.find(key);
    if (found == json.end()) {
      return fallback;
    }
    if (!found->is_number_integer()) {
      throw Error(Errc::kUsage, "key of the wrong type")
          .with("key", key)
          .with("expected", "integer");
    }
    return found->get<std::int64_t>();
  }
};

/// What a question about the last seconds is answered from.
struct Window {
  SessionStatus before;  ///< empty: the session is younger than the window
  SessionStatus after;
};

Window look_back(const InspectedSession& inspected, const Request& request) {
  const auto milliseconds = std::clamp<std::int64_t>(
      request.integer("window_ms", kDefaultWindow.count() / 1'000'000), 1, std::int64_t{1} << 40);
  Window window{.before = {}, .after = inspected.session->status()};
  const Nanoseconds begin = window.after.age - std::chrono::milliseconds(milliseconds);
  if (begin.count() <= 0) {
    return window;
  }
  for (const auto& reading : inspected.history) {
    window.before = reading;  // the first one in the window, else the newest before it
    if (reading.age >= begin) {
      break;
    }
  }
  return window;
}

const InspectedSession& chosen_session(const Request& request,
                                       const std::vector<InspectedSession>& sessions) {
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

Json ps(const Request& request, const std::vector<InspectedSession>& sessions) {
  Json rows = Json::array();
  for (const auto& inspected : sessions) {
    const auto [before, after] = look_back(inspected, request);
    const Plan& plan = inspected.session->plan();
    const WhyReport report = why(plan, before, after);
    rows.push_back({{"pid", ::getpid()},
                    {"session", inspected.number},
                    {"graph", after.graph},
                    {"ranks", plan.ranks().size()},
                    {"stages", after.stages.size()},
                    {"age_s", static_cast<double>(after.age.count()) * 1e-9},
                    {"packets_per_s", arrivals(plan, before, after).per_second},
                    {"state", after.state},
                    {"verdict", to_string(report.verdict)},
                    {"root", root_phrase(report)}});
  }
  return rows;
}

Json top(const Request& request, const std::vector<InspectedSession>& sessions) {
  const InspectedSession& inspected = chosen_session(request, sessions);
  const auto [before, after] = look_back(inspected, request);
  return change_json(inspected.session->plan(), before, after);
}

Json why_verb(const Request& request, const std::vector<InspectedSession>& sessions) {
  const InspectedSession& inspected = chosen_session(request, sessions);
  const auto [before, after] = look_back(inspected, request);
  return why_json(why(inspected.session->plan(), before, after, request.text("stage")));
}

Json status_verb(const Request& request, const std::vector<InspectedSession>& sessions) {
  return status_json(chosen_session(request, sessions).session->status());
}

Json dot(const Request& request, const std::vector<InspectedSession>& sessions) {
  const Session& session = *chosen_session(request, sessions).session;
  const auto status = session.status();
  const auto& ranks = session.plan().ranks();
  return {{"dot", ranks.empty() ? "" : to_dot(ranks.front(), &status)}};
}

Json trace(const Request& request, const std::vector<InspectedSession>& sessions) {
  std::ostringstream text;
  chosen_session(request, sessions).session->write_trace(text);
  return Json::parse(text.str());
}

struct Verb {
  const char* name;
  Json (*answer)(const Request&, const std::vector<InspectedSession>&);
};
constexpr std::array<Verb, 6> kVerbs{{{"ps", ps},
                                      {"top", top},
                                      {"why", why_verb},
                                      {"dot", dot},
                                      {"status", status_verb},
                                      {"trace", trace}}};

Json answer_verb(const Request& request, const std::vector<InspectedSession>& sessions) {
  const std::string name = request.text("verb");
  const auto verb = std::ranges::find(kVerbs, name, &Verb::name);
  if (verb == kVerbs.end()) {
    std::vector<std::string> known;
    std::ranges::transform(kVerbs, std::back_inserter(known), &Verb::name);
    Error error(Errc::kUsage, "unknown verb");
    error.with("verb", name);
    suggest(error, name, known);
    throw error;
  }
  return verb->answer(request, sessions);
}

Json failure(const Error& error) {
  return {{"ok", false},
          {"error",
           {{"code", to_string(error.code())},
            {"exit_code", exit_code(error.code())},
            {"message", error.what()}}}};
}

}  // namespace

std::string refuse(const std::string& message) {
  Json json{{"protocol", kProtocol}};
  json.update(failure(Error(Errc::kUsage, message)));
  return print(json);
}

std::string answer(std::string_view request, const std::vector<InspectedSession>& sessions) {
  const Json parsed = Json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return refuse("a request is a JSON object on one line");
  }
  Json json{{"protocol", kProtocol}};
  if (const auto id = parsed.find("id"); id != parsed.end()) {
    json["id"] = *id;
  }
  try {
    Json result = answer_verb({parsed}, sessions);
    json["ok"] = true;
    json["result"] = std::move(result);
  } catch (...) {
    json.update(failure(current_error()));
  }
  return print(json);
}

}  // namespace askos::dataflow
