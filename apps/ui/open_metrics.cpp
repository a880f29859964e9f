// SPDX-License-Identifier: Apache-2.0
#include "open_metrics.hpp"

#include <sstream>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;

std::string escaped(const std::string& text) {
  std::string value;
  for (const char c : text) {
    switch (c) {
      case '\\': value += "\\\\"; break;
      case '"': value += "\\\""; break;
      case '\n': value += "\\n"; break;
      default: value += c;
    }
  }
  return value;
}

/// Writes families one after the other; all samples of one stand together.
class Exposition {
 public:
  explicit Exposition(const Json& status) : status_(status) { text_.precision(15); }

  /// A family with one sample per entry of `list`, labelled by its name and rank.
  void family(const char* name,
              const char* type,
              const char* unit,
              const char* help,
              const char* list,
              const char* key) {
    begin(name, type, unit, help);
    for (const auto& entry : status_.at(list)) {
      sample(name, type, labels(entry), entry.at(key).get<double>());
    }
  }

  void states() {
    begin("askos_stage_state_seconds", "counter", "seconds", "Time of a stage in a ledger state.");
    for (const auto& stage : status_.at("stages")) {
      for (const auto& [state, time] : stage.at("nanoseconds").items()) {
        sample("askos_stage_state_seconds", "counter", labels(stage) + ",state=\"" + state + "\"",
               time.get<double>() * 1e-9);
      }
    }
  }

  [[nodiscard]] std::string finish() {
    text_ << "# EOF\n";
    return text_.str();
  }

 private:
  void begin(const char* name, const char* type, const std::string& unit, const char* help) {
    text_ << "# TYPE " << name << " " << type << "\n";
    if (!unit.empty()) {
      text_ << "# UNIT " << name << " " << unit << "\n";
    }
    text_ << "# HELP " << name << " " << help << "\n";
  }

  [[nodiscard]] std::string labels(const Json& entry) const {
    const bool is_stage = entry.contains("stage");
    return "graph=\"" + escaped(status_.at("graph").get<std::string>()) + "\"," +
           (is_stage ? "stage=\"" : "edge=\"") +
           escaped(entry.at(is_stage ? "stage" : "edge").get<std::string>()) + "\",rank=\"" +
           entry.at("rank").dump() + "\"";
  }

  void sample(const char* name, const std::string& type, const std::string& labels, double value) {
    text_ << name << (type == "counter" ? "_total" : "") << "{" << labels << "} " << value << "\n";
  }

  const Json& status_;
  std::ostringstream text_;
};

}  // namespace

std::string to_open_metrics(const Json& status) {
  Exposition text(status);
  text.states();
  text.family("askos_stage_runs", "counter", "", "Runs of a stage.", "stages", "runs");
  text.family("askos_stage_skipped", "counter", "", "Packets skipped after a failure.", "stages",
              "skipped");
  text.family("askos_stage_restarts", "counter", "", "Restarts after a failure.", "stages",
              "restarts");
  text.family("askos_edge_packets", "counter", "", "Packets put on an edge.", "edges", "packets");
  text.family("askos_edge_dropped", "counter", "", "Packets dropped by policy.", "edges",
              "dropped");
  text.family("askos_edge_in_flight", "gauge", "", "Packets not yet released.", "edges",
              "in_flight");
  text.family("askos_edge_credit", "gauge", "", "Packets that fit.", "edges", "credit");
  text.family("askos_edge_host_bytes", "gauge", "bytes", "Bytes in flight on the host.", "edges",
              "host_bytes");
  text.family("askos_edge_device_bytes", "gauge", "bytes", "Bytes in flight on devices.", "edges",
              "device_bytes");
  return text.finish();
}

}  // namespace askos::apps
