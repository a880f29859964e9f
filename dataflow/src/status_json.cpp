// SPDX-License-Identifier: Apache-2.0
#include "status_json.hpp"

#include <askos/dataflow/inspector.hpp>

#include <algorithm>

namespace askos::dataflow {
namespace {

double seconds(Nanoseconds time) {
  return static_cast<double>(time.count()) * 1e-9;
}

std::int64_t at(const std::vector<std::int64_t>& values, std::size_t index) {
  return index < values.size() ? values[index] : 0;
}

Json times_json(const telemetry::StateTimes& times) {
  Json json = Json::object();
  for (std::size_t i = 0; i < times.size(); ++i) {
    json[std::string(to_string(static_cast<telemetry::State>(i)))] = times[i];
  }
  return json;
}

Json stage_change(const StageStatus& then, const StageStatus& now, double window) {
  Json fractions = Json::object();
  double total = 0;
  telemetry::StateTimes times{};
  for (std::size_t i = 0; i < times.size(); ++i) {
    times[i] = now.ledger.times[i] - then.ledger.times[i];
    total += static_cast<double>(times[i]);
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double fraction = total > 0 ? static_cast<double>(times[i]) / total : 0;
    fractions[std::string(to_string(static_cast<telemetry::State>(i)))] = fraction;
  }
  const auto num_runs = now.num_runs - then.num_runs;
  return {{"stage", now.stage},
          {"rank", now.rank.value},
          {"state", to_string(now.ledger.state)},
          {"fraction", fractions},
          {"nanoseconds", times_json(times)},
          {"runs", num_runs},
          {"runs_per_s", window > 0 ? static_cast<double>(num_runs) / window : 0},
          {"skipped", now.num_skipped},
          {"restarts", now.num_restarts}};
}

Json edge_change(const EdgeStatus& then, const EdgeStatus& now, double window) {
  const auto num_packets = now.num_packets - then.num_packets;
  return {{"edge", now.name},
          {"rank", now.rank.value},
          {"depth", now.depth},
          {"in_flight", now.in_flight},
          {"credit", now.credit},
          {"host_bytes", now.host_bytes.value},
          {"device_bytes", now.device_bytes.value},
          {"packets", num_packets},
          {"packets_per_s", window > 0 ? static_cast<double>(num_packets) / window : 0},
          {"dropped", now.num_dropped - then.num_dropped}};
}

}  // namespace

void add_meta(Json& packet, const PacketMeta& meta) {
  packet["sample"] = meta.sample.value;
  packet["trace"] = meta.trace.value;
  packet["cells"] = {meta.cells.begin, meta.cells.end};
  packet["weight"] = meta.weight;
  packet["host_bytes"] = meta.host_bytes.value;
  packet["device_bytes"] = meta.device_bytes.value;
}

std::string print(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json status_json(const SessionStatus& status) {
  Json stages = Json::array();
  for (const auto& stage : status.stages) {
    stages.push_back({{"stage", stage.stage},
                      {"rank", stage.rank.value},
                      {"state", to_string(stage.ledger.state)},
                      {"opened_ns", stage.ledger.opened.count()},
                      {"at_ns", stage.ledger.at.count()},
                      {"nanoseconds", times_json(stage.ledger.times)},
                      {"runs", stage.num_runs},
                      {"skipped", stage.num_skipped},
                      {"restarts", stage.num_restarts},
                      {"wait_input_ns", stage.wait_input_ns},
                      {"wait_credit_ns", stage.wait_credit_ns}});
  }
  Json edges = Json::array();
  for (const auto& edge : status.edges) {
    edges.push_back({{"edge", edge.name},
                     {"id", edge.edge.value},
                     {"rank", edge.rank.value},
                     {"depth", edge.depth},
                     {"in_flight", edge.in_flight},
                     {"credit", edge.credit},
                     {"host_bytes", edge.host_bytes.value},
                     {"device_bytes", edge.device_bytes.value},
                     {"packets", edge.num_packets},
                     {"dropped", edge.num_dropped}});
  }
  return {{"graph", status.graph},
          {"state", status.state},
          {"age_s", seconds(status.age)},
          {"stages", stages},
          {"edges", edges}};
}

Json why_json(const WhyReport& report) {
  Json roots = Json::array();
  for (const auto& root : report.roots) {
    roots.push_back({{"stage", root.stage},
                     {"rank", root.rank.value},
                     {"state", to_string(root.state)},
                     {"share", root.share}});
    if (!root.edge.empty()) {
      roots.back()["edge"] = root.edge;
      roots.back()["credit"] = root.credit;
      roots.back()["wanted_credit"] = root.wanted_credit;
    }
  }
  Json chain = Json::array();
  for (const auto& step : report.chain) {
    chain.push_back({{"stage", step.stage},
                     {"rank", step.rank.value},
                     {"state", to_string(step.state)},
                     {"seconds", seconds(step.time)},
                     {"edge", step.edge}});
  }
  const bool named = report.verdict == Verdict::kLimited || report.verdict == Verdict::kPaced;
  return {{"verdict", to_string(report.verdict)},
          {"victim", report.victim},
          {"window_s", seconds(report.window)},
          {"stalled_fraction", report.stalled_fraction},
          {"root", named ? roots.front() : Json()},
          {"roots", roots},
          {"chain", chain},
          {"next_stage", report.next_stage},
          {"speedup_at_most", report.speedup_at_most},
          {"phrase", root_phrase(report)},
          {"text", to_text(report)}};
}

Json overlap_json(const std::vector<telemetry::Overlap>& overlaps) {
  Json json = Json::array();
  for (const auto& overlap : overlaps) {
    json.push_back({{"rank", overlap.rank},
                    {"communication_s", seconds(overlap.communication)},
                    {"overlapped_s", seconds(overlap.overlapped)},
                    {"exposed_s", seconds(overlap.exposed())},
                    {"fraction", overlap.fraction()},
                    {"busy_s", seconds(overlap.busy)}});
  }
  return json;
}

Json change_json(const Plan& plan, const SessionStatus& before, const SessionStatus& after) {
  const double window = seconds(after.age - before.age);
  Json stages = Json::array();
  for (std::size_t i = 0; i < after.stages.size(); ++i) {
    const auto then = i < before.stages.size() ? before.stages[i] : StageStatus{};
    stages.push_back(stage_change(then, after.stages[i], window));
  }
  Json edges = Json::array();
  for (std::size_t i = 0; i < after.edges.size(); ++i) {
    const auto then = i < before.edges.size() ? before.edges[i] : EdgeStatus{};
    Json edge = edge_change(then, after.edges[i], window);
    std::int64_t held_back = 0;
    for (std::size_t s = 0; s < after.stages.size(); ++s) {
      if (after.stages[s].rank == after.edges[i].rank) {
        const auto place = static_cast<std::size_t>(after.edges[i].edge.value);
        held_back += at(after.stages[s].wait_credit_ns, place) -
                     (s < before.stages.size() ? at(before.stages[s].wait_credit_ns, place) : 0);
      }
    }
    edge["waited_for_credit_s"] = static_cast<double>(held_back) * 1e-9;
    edges.push_back(std::move(edge));
  }
  const Arrivals arrived = arrivals(plan, before, after);
  return {{"graph", after.graph},
          {"state", after.state},
          {"age_s", seconds(after.age)},
          {"window_s", window},
          {"packets", arrived.num_packets},
          {"packets_per_s", arrived.per_second},
          {"stages", stages},
          {"edges", edges},
          {"why", why_json(why(plan, before, after))}};
}

Arrivals arrivals(const Plan& plan, const SessionStatus& before, const SessionStatus& after) {
  Arrivals most;
  for (std::size_t i = 0; i < after.edges.size(); ++i) {
    const EdgeStatus& now = after.edges[i];
    const Graph& graph = plan.graph_of(now.rank);
    const Stage& consumer = graph.edges().at(static_cast<std::size_t>(now.edge.value)).to->owner();
    if (consumer.outputs().empty()) {
      const auto then = i < before.edges.size() ? before.edges[i].num_packets : 0;
      most.num_packets = std::max(most.num_packets, now.num_packets - then);
    }
  }
  const double window = seconds(after.age - before.age);
  most.per_second = window > 0 ? static_cast<double>(most.num_packets) / window : 0;
  return most;
}

std::string top_json(const Plan& plan, const SessionStatus& before, const SessionStatus& after) {
  return print(change_json(plan, before, after));
}

}  // namespace askos::dataflow
