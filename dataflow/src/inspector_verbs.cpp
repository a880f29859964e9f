// SPDX-License-Identifier: Apache-2.0
#include "inspector_verbs.hpp"

#include "hold_json.hpp"
#include "inspector_request.hpp"
#include "peer_hold.hpp"
#include "peer_verbs.hpp"
#include "state_strip.hpp"
#include "status_json.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/inspector.hpp>
#include <askos/dataflow/why.hpp>
#include <askos/telemetry/overlap.hpp>
#include <askos/telemetry/trace.hpp>

#include <unistd.h>

#include <algorithm>

namespace askos::dataflow {
namespace {

constexpr int kProtocol = 1;
constexpr Nanoseconds kStripTime = std::chrono::seconds(10);
constexpr std::int64_t kMostColumns = 200;
constexpr std::int64_t kLongest = std::int64_t{1} << 40;  // milliseconds; adding it to now is safe

/// The other processes of the run, with how far their clocks are from this one's.
Json processes_json(const InspectedSession& inspected) {
  Json rows = Json::array();
  for (const auto& peer :
       inspected.peers ? inspected.peers->processes() : std::vector<PeerProcess>()) {
    rows.push_back({{"rank", peer.rank},
                    {"host", peer.host},
                    {"pid", peer.pid},
                    {"answers", peer.answers},
                    {"clock_offset_ns", peer.clock_offset.count()},
                    {"clock_error_ns", peer.clock_error.count()}});
  }
  return rows;
}

HoldStatus hold_of_all(const InspectedSession& inspected) {
  return inspected.peer_hold ? inspected.peer_hold->last_known()
                             : inspected.session->control().hold();
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
                    {"ranks", report.num_ranks},
                    {"stages", after.stages.size()},
                    {"age_s", static_cast<double>(after.age.count()) * 1e-9},
                    {"packets_per_s", arrivals(plan, before, after).per_second},
                    {"state", after.state},
                    {"verdict", to_string(report.verdict)},
                    {"root", root_phrase(report)},
                    {"hold", short_hold_json(hold_of_all(inspected))},
                    {"processes", processes_json(inspected)}});
  }
  return rows;
}

Json top(const Request& request, const std::vector<InspectedSession>& sessions) {
  const InspectedSession& inspected = chosen_session(request, sessions);
  const auto [before, after] = look_back(inspected, request);
  Json json = change_json(inspected.session->plan(), before, after);
  if (const auto columns = request.integer("strip", 0); columns > 0) {
    const auto strips = state_strips(inspected.history, after, kStripTime,
                                     static_cast<int>(std::min(columns, kMostColumns)));
    for (std::size_t i = 0; i < strips.size(); ++i) {
      json["stages"][i]["strip"] = strips[i];
    }
  }
  return json;
}

Json why_verb(const Request& request, const std::vector<InspectedSession>& sessions) {
  const InspectedSession& inspected = chosen_session(request, sessions);
  const auto [before, after] = look_back(inspected, request);
  return why_json(why(inspected.session->plan(), before, after, request.text("stage")));
}

Json what_if(const Request& request, const std::vector<InspectedSession>& sessions) {
  const InspectedSession& inspected = chosen_session(request, sessions);
  const auto [before, after] = look_back(inspected, request);
  const auto credit = std::clamp<std::int64_t>(request.integer("credit", 0), 0, 1 << 20);
  const WhatIf change{.stage = request.text("stage"),
                      .times = request.number("times", 2),
                      .edge = request.text("edge"),
                      .credit = static_cast<int>(credit)};
  if (change.stage.empty() == change.edge.empty()) {
    throw Error(Errc::kUsage, "say either a stage or an edge");
  }
  const auto prediction = predict(inspected.session->plan(), before, after, change);
  return {{"packets_per_s", prediction.packets_per_s},
          {"predicted_per_s", prediction.predicted_per_s},
          {"gain", prediction.gain},
          {"limit", prediction.limit}};
}

Json status_verb(const Request& request, const std::vector<InspectedSession>& sessions) {
  return status_json(chosen_session(request, sessions).status());
}

Json dot(const Request& request, const std::vector<InspectedSession>& sessions) {
  const Session& session = *chosen_session(request, sessions).session;
  const auto status = session.status();
  const auto& ranks = session.plan().ranks();
  return {{"dot", ranks.empty() ? "" : to_dot(ranks.front(), &status)}};
}

/// What another process's rings hold, by this one's clock. On one host both are one clock: an
/// offset within its error is none.
telemetry::Trace trace_of(const PeerProcess& peer,
                          const InspectedSession& inspected,
                          Nanoseconds since,
                          bool operators) {
  const bool is_one_clock = std::chrono::abs(peer.clock_offset) <= peer.clock_error;
  const auto offset = is_one_clock ? Nanoseconds::zero() : peer.clock_offset;
  const Json request{{"verb", "trace"},
                     {"session", inspected.number},
                     {"since_ns", (since + offset).count()},
                     {"operators", operators}};
  const auto answer = ask_peers(*inspected.peers, request, peer.rank).front();
  auto part = telemetry::trace_from_json(answer.dump());
  for (auto& event : part.events) event.start_ns -= offset.count();
  return part;
}

Json trace(const Request& request, const std::vector<InspectedSession>& sessions) {
  const Nanoseconds now = steady_clock().now();
  const std::chrono::milliseconds last(
      std::clamp<std::int64_t>(request.integer("last_ms", kLongest), 1, kLongest));
  const Nanoseconds since(request.integer("since_ns", (now - last).count()));
  const auto& inspected = chosen_session(request, sessions);
  const bool operators = request.flag("operators");
  auto trace = inspected.session->trace(since);
  if (!operators) telemetry::remove_operators(trace);
  Nanoseconds clock_error{};
  if (inspected.peers) {
    for (const auto& peer : inspected.peers->processes()) {
      if (!peer.answers) continue;
      telemetry::merge(trace, trace_of(peer, inspected, since, operators));
      clock_error = std::max(clock_error, peer.clock_error);
    }
  }
  Json json = Json::parse(telemetry::to_json(trace));
  json["now_ns"] = now.count();
  json["clock_error_ns"] = clock_error.count();
  json["overlap"] = overlap_json(telemetry::overlaps(trace));
  return json;
}

std::vector<Verb> all_verbs() {
  std::vector<Verb> verbs{{"ps", false, ps},        {"top", false, top},
                          {"why", false, why_verb}, {"what_if", false, what_if},
                          {"dot", false, dot},      {"status", false, status_verb},
                          {"trace", false, trace}};
  verbs.insert(verbs.end(), control_verbs().begin(), control_verbs().end());
  verbs.insert(verbs.end(), edge_verbs().begin(), edge_verbs().end());
  verbs.insert(verbs.end(), recording_verbs().begin(), recording_verbs().end());
  return verbs;
}

const Verb& verb_of(const Request& request) {
  static const auto verbs = all_verbs();
  const std::string name = request.text("verb");
  const auto verb = std::ranges::find(verbs, name, &Verb::name);
  if (verb == verbs.end()) {
    std::vector<std::string> known;
    std::ranges::transform(verbs, std::back_inserter(known), &Verb::name);
    Error error(Errc::kUsage, "unknown verb");
    error.with("verb", name);
    suggest(error, name, known);
    throw error;
  }
  return *verb;
}

Json answer_verb(const Request& request,
                 const std::vector<InspectedSession>& sessions,
                 const InspectorRights& rights) {
  if (!rights.token.empty() && !equal_in_constant_time(request.text("token"), rights.token)) {
    throw Error(Errc::kUsage, "token is missing or wrong");
  }
  const auto& verb = verb_of(request);
  if (verb.changes && rights.read_only) {
    throw Error(Errc::kUsage, "process may be looked at but not changed").with("verb", verb.name);
  }
  const bool has_peers = !sessions.empty() && sessions.front().peers != nullptr;
  return has_peers ? answer_with_peers(verb, request, sessions) : verb.answer(request, sessions);
}

Json failure(const Error& error) {
  return {{"ok", false},
          {"error",
           {{"code", to_string(error.code())},
            {"exit_code", exit_code(error.code())},
            {"message", error.what()}}}};
}

}  // namespace

Json answer_here(const Request& request, const InspectedSessions& sessions) {
  return verb_of(request).answer(request, sessions);
}

std::string refuse(const std::string& message) {
  Json json{{"protocol", kProtocol}};
  json.update(failure(Error(Errc::kUsage, message)));
  return print(json);
}

SessionStatus InspectedSession::status() const {
  return with_peers(session->status(),
                    peers ? peers->readings(number) : std::vector<SessionStatus>());
}

bool equal_in_constant_time(std::string_view given, std::string_view expected) noexcept {
  volatile unsigned char difference = given.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const char other = i < given.size() ? given[i] : '\0';
    difference = static_cast<unsigned char>(difference | (other ^ expected[i]));
  }
  return difference == 0;
}

std::string answer(std::string_view request,
                   const std::vector<InspectedSession>& sessions,
                   const InspectorRights& rights) {
  const Json parsed = Json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return refuse("a request is a JSON object on one line");
  }
  Json json{{"protocol", kProtocol}};
  if (const auto id = parsed.find("id"); id != parsed.end()) {
    json["id"] = *id;
  }
  try {
    Json result = answer_verb({parsed}, sessions, rights);
    json["ok"] = true;
    json["result"] = std::move(result);
  } catch (...) {
    json.update(failure(current_error()));
  }
  return print(json);
}

}  // namespace askos::dataflow
