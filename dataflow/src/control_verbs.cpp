// SPDX-License-Identifier: Apache-2.0
// The verbs that hold and change a running graph.
#include "hold_json.hpp"
#include "inspector_request.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/control.hpp>

#include <cmath>

namespace askos::dataflow {
namespace {

double seconds(Nanoseconds time) {
  return static_cast<double>(time.count()) * 1e-9;
}

Nanoseconds duration(const Request& request, const char* key, Nanoseconds fallback) {
  constexpr double kMost = 1e6;  // more than any bound, and far from overflow
  const double wanted = request.number(key, seconds(fallback));
  if (!(wanted >= 0 && wanted <= kMost)) {
    throw Error(Errc::kUsage, "key is out of range")
        .with("key", key)
        .with("expected", "0 to 1e6 seconds")
        .with("found", wanted);
  }
  return Nanoseconds(std::llround(wanted * 1e9));
}

Control& control_of(const Request& request, const InspectedSessions& sessions) {
  return chosen_session(request, sessions).session->control();
}

Json pause(const Request& request, const InspectedSessions& sessions) {
  auto& control = control_of(request, sessions);
  control.pause(debugger_of(request), request.text("stage"));
  return hold_json(control.hold());
}

Json resume(const Request& request, const InspectedSessions& sessions) {
  auto& control = control_of(request, sessions);
  control.resume(debugger_of(request), request.text("stage"));
  return hold_json(control.hold());
}

Json step(const Request& request, const InspectedSessions& sessions) {
  auto& control = control_of(request, sessions);
  control.step(debugger_of(request), request.integer("count", 1), request.text("stage"));
  return hold_json(control.hold());
}

Json catch_up(const Request& request, const InspectedSessions& sessions) {
  std::vector<StageTurn> turns;
  try {
    for (const auto& turn : request.json.at("turns")) {
      turns.push_back({turn.at("stage").get<std::string>(), turn.at("turn").get<std::int64_t>()});
    }
  } catch (const Json::exception&) {
    throw Error(Errc::kUsage, "key is missing or of the wrong type")
        .with("key", "turns")
        .with("expected", "list of stage and turn");
  }
  auto& control = control_of(request, sessions);
  control.catch_up(turns);
  return hold_json(control.hold());
}

Json hold(const Request& request, const InspectedSessions& sessions) {
  return hold_json(control_of(request, sessions).hold(request.text("debugger")));
}

/// Reads a value as graph files have it.
Argument value_of(const Request& request) {
  const auto found = request.json.find("value");
  if (found == request.json.end()) throw Error(Errc::kUsage, "key is missing").with("key", "value");
  if (found->is_boolean()) return found->get<bool>();
  if (found->is_number_integer()) return found->get<std::int64_t>();
  if (found->is_number()) return found->get<double>();
  if (found->is_string()) return found->get<std::string>();
  throw Error(Errc::kUsage, "key of the wrong type")
      .with("key", "value")
      .with("expected", "flag, number or text");
}

Json value_json(const Argument& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

Json set(const Request& request, const InspectedSessions& sessions) {
  const auto change = control_of(request, sessions)
                          .change_argument(required_text(request, "stage"),
                                           required_text(request, "argument"), value_of(request));
  return {{"stage", change.stage},
          {"argument", change.argument},
          {"before", value_json(change.before)},
          {"value", value_json(change.after)},
          {"state", change.applied ? "applied" : "waiting"}};
}

Json trace_operators(const Request& request, const InspectedSessions& sessions) {
  const auto wanted = duration(request, "for_s", std::chrono::seconds(1));
  control_of(request, sessions).trace_operators(wanted);
  return {{"for_s", seconds(wanted)}};
}

Json drain(const Request& request, const InspectedSessions& sessions) {
  control_of(request, sessions).drain(duration(request, "deadline_s", std::chrono::seconds(30)));
  return {{"state", chosen_session(request, sessions).session->status().state}};
}

}  // namespace

Debugger debugger_of(const Request& request) {
  Debugger debugger;
  if (request.has("debugger")) debugger.name = request.text("debugger");
  debugger.lease = duration(request, "lease_s", debugger.lease);
  debugger.take_over = request.flag("take_over");
  return debugger;
}

const std::vector<Verb>& control_verbs() {
  static const std::vector<Verb> verbs{{"pause", true, pause, Reach::kHold},
                                       {"resume", true, resume, Reach::kHold},
                                       {"step", true, step, Reach::kStep},
                                       {"catch_up", true, catch_up},
                                       {"hold", false, hold, Reach::kShowHold},
                                       {"set", true, set, Reach::kPaused},
                                       {"drain", true, drain, Reach::kAll},
                                       {"trace_operators", true, trace_operators, Reach::kAll}};
  return verbs;
}

}  // namespace askos::dataflow
