// SPDX-License-Identifier: Apache-2.0
// The verbs about the edges of a running graph: peek, break, breaks, unbreak, credit.
#include "inspector_request.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/control.hpp>
#include <askos/dataflow/why.hpp>

namespace askos::dataflow {
namespace {

Control& control_of(const Request& request, const InspectedSessions& sessions) {
  return chosen_session(request, sessions).session->control();
}

Json tensor_json(const PeekedTensor& tensor) {
  Json json{{"name", tensor.view.name},
            {"shape", tensor.view.shape},
            {"dtype", to_string(tensor.view.dtype)},
            {"device", tensor.view.device}};
  if (const auto& statistics = tensor.statistics) {
    json["statistics"] = {{"count", tensor.view.num_entries()},
                          {"sampled", statistics->sampled},
                          {"nan", statistics->num_nan},
                          {"inf", statistics->num_inf},
                          {"min", statistics->min},
                          {"max", statistics->max},
                          {"mean", statistics->mean},
                          {"deviation", statistics->deviation}};
  }
  if (!tensor.bin_counts.empty()) {
    json["histogram"] = {{"edges", tensor.bin_edges}, {"counts", tensor.bin_counts}};
  }
  if (!tensor.slice_values.empty()) {
    json["slice"] = {{"shape", tensor.slice_shape}, {"values", tensor.slice_values}};
  }
  return json;
}

Json packet_json(const PeekedPacket& packet) {
  Json payload;
  if (packet.described) {
    Json tensors = Json::array();
    for (const auto& tensor : packet.tensors) tensors.push_back(tensor_json(tensor));
    payload = {{"type", packet.type}, {"tensors", std::move(tensors)}};
  } else {
    payload = {{"type", packet.type}, {"tensors", Json::array()}};
  }
  Json json{{"index", packet.index}, {"where", "waiting"}};
  add_meta(json, packet.meta);
  json["age_s"] = static_cast<double>(packet.age.count()) * 1e-9;
  json["payload"] = std::move(payload);
  return json;
}

Json peek(const Request& request, const InspectedSessions& sessions) {
  PeekRequest wanted{.edge = required_text(request, "edge"),
                     .rank = Rank{small_integer(request, "rank", 0)},
                     .tensor = request.text("tensor"),
                     .statistics = request.flag("statistics"),
                     .histogram = small_integer(request, "histogram", 0),
                     .slice = request.text("slice")};
  if (request.has("index")) wanted.index = small_integer(request, "index", 0);
  const auto seen = control_of(request, sessions).peek(wanted);
  Json packets = Json::array();
  for (const auto& packet : seen.packets) packets.push_back(packet_json(packet));
  return {{"edge", seen.edge},   {"rank", seen.rank.value},     {"credit", seen.credit},
          {"depth", seen.depth}, {"in_flight", seen.in_flight}, {"packets", std::move(packets)}};
}

Json breakpoint_json(const Breakpoint& breakpoint) {
  Json hit;
  if (breakpoint.hit) {
    hit = {{"rank", breakpoint.hit->rank.value},
           {"sample", breakpoint.hit->sample.value},
           {"trace", breakpoint.hit->trace.value}};
  }
  return {{"breakpoint", breakpoint.number},
          {"edge", breakpoint.edge},
          {"rank", breakpoint.rank ? Json(breakpoint.rank->value) : Json()},
          {"when", breakpoint.when},
          {"hits", breakpoint.num_hits},
          {"hit", std::move(hit)},
          {"problem", breakpoint.problem}};
}

Json breaks_json(const Control& control) {
  Json list = Json::array();
  for (const auto& breakpoint : control.breakpoints()) list.push_back(breakpoint_json(breakpoint));
  return list;
}

Json add_break(const Request& request, const InspectedSessions& sessions) {
  std::optional<Rank> rank;
  std::optional<int> number;
  if (request.has("rank")) rank = Rank{small_integer(request, "rank", 0)};
  if (request.has("breakpoint")) number = small_integer(request, "breakpoint", 0);
  return breakpoint_json(control_of(request, sessions)
                             .add_breakpoint(debugger_of(request), required_text(request, "edge"),
                                             required_text(request, "when"), rank, number));
}

Json breaks(const Request& request, const InspectedSessions& sessions) {
  return breaks_json(control_of(request, sessions));
}

Json unbreak(const Request& request, const InspectedSessions& sessions) {
  std::optional<int> number;
  if (request.has("breakpoint")) number = small_integer(request, "breakpoint", 0);
  auto& control = control_of(request, sessions);
  control.remove_breakpoints(number);
  return breaks_json(control);
}

Json credit(const Request& request, const InspectedSessions& sessions) {
  const auto edge = required_text(request, "edge");
  if (!request.has("credit")) throw Error(Errc::kUsage, "key is missing").with("key", "credit");
  auto& control = control_of(request, sessions);
  if (!request.json.at("credit").is_string()) {
    const auto change = control.change_credit(edge, small_integer(request, "credit", 0));
    return {{"edge", change.edge},
            {"before", change.before},
            {"credit", change.after},
            {"state", change.applied ? "applied" : "waiting"}};
  }
  if (request.text("credit") != "auto") {
    throw Error(Errc::kUsage, "credit is a number or auto").with("found", request.text("credit"));
  }
  const auto [before, after] = look_back(chosen_session(request, sessions), request);
  const auto decision = control.tune_credit(edge, before, after);
  return {{"edge", edge},
          {"before", decision.before},
          {"credit", decision.after},
          {"state", "tuned"},
          {"why", decision.evidence},
          {"predicted_per_s", decision.predicted_per_s}};
}

Json tuning(const Request& request, const InspectedSessions& sessions) {
  Json edges = Json::array();
  for (const auto& tuned : control_of(request, sessions).tuning()) {
    Json decisions = Json::array();
    for (const auto& decision : tuned.decisions) {
      decisions.push_back({{"age_s", static_cast<double>(decision.at.count()) * 1e-9},
                           {"before", decision.before},
                           {"after", decision.after},
                           {"why", decision.evidence},
                           {"measured_per_s", decision.measured_per_s},
                           {"predicted_per_s", decision.predicted_per_s},
                           {"observed_per_s", decision.observed_per_s},
                           {"outcome", to_string(decision.outcome)},
                           {"reason", decision.reason}});
    }
    edges.push_back({{"edge", tuned.edge},
                     {"credit", tuned.credit},
                     {"problem", tuned.problem},
                     {"decisions", std::move(decisions)}});
  }
  return edges;
}

}  // namespace

const std::vector<Verb>& edge_verbs() {
  static const std::vector<Verb> verbs{{"peek", false, peek, Reach::kRank},
                                       {"break", true, add_break, Reach::kAddBreak},
                                       {"breaks", false, breaks, Reach::kListBreaks},
                                       {"unbreak", true, unbreak, Reach::kRemoveBreak},
                                       {"credit", true, credit, Reach::kAll},
                                       {"tuning", false, tuning}};
  return verbs;
}

}  // namespace askos::dataflow
