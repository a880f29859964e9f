// SPDX-License-Identifier: Apache-2.0
#include "graph_reader.hpp"
#include "graph_settings.hpp"

#include <askos/dataflow/graph_file.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace askos::dataflow {
namespace {

std::string word_of(const auto& table, auto wanted) {
  return std::ranges::find(table, wanted, [](const auto& entry) { return entry.second; })->first;
}

/// Prints the entries of an inline table: ` { a = 1, b = "x" }`.
class InlineTable {
 public:
  InlineTable& add(const std::string& key, const std::string& printed) {
    text_ += (text_.empty() ? "" : ", ") + key + " = " + printed;
    return *this;
  }
  InlineTable& add(const std::string& key, const Argument& value) {
    return add(key, to_toml(value));
  }
  [[nodiscard]] std::string text() const { return "{ " + text_ + " }"; }

 private:
  std::string text_;
};

std::string print_stage(const Graph::Node& node) {
  if (node.stage->type().empty()) {
    throw Error(Errc::kInvalidInput, "stage cannot be written to a graph file: it has no type name")
        .with("stage", node.name);
  }
  InlineTable table;
  table.add("name", Argument(node.name)).add("type", Argument(node.stage->type()));
  InlineTable arguments;
  const Arguments values = node.stage->arguments();
  for (const auto& [name, value] : values) {
    arguments.add(name, value);
  }
  if (!values.empty()) {
    table.add("args", arguments.text());
  }
  const StageOptions fallback;
  if (node.options.on_failure != fallback.on_failure) {
    table.add("on_failure", Argument(word_of(kFailurePolicies, node.options.on_failure)));
  }
  if (node.options.max_restarts != fallback.max_restarts) {
    table.add("max_restarts", Argument(std::int64_t{node.options.max_restarts}));
  }
  if (node.options.record != fallback.record) {
    table.add("record", Argument(std::int64_t{node.options.record}));
  }
  return table.text();
}

std::string print_edge(const Graph& graph, EdgeId id) {
  const EdgeOptions& options = graph.edges()[static_cast<std::size_t>(id.value)].options;
  const std::string name = graph.edge_name(id);
  const auto arrow = name.find('>');
  InlineTable table;
  table.add("from", Argument(name.substr(0, arrow)));
  table.add("to", Argument(name.substr(arrow + 1)));
  table.add("credit", Argument(std::int64_t{options.credit}));
  if (options.host_bytes.value != 0) {
    table.add("bytes", bytes_argument(options.host_bytes));
  }
  if (options.device_bytes.value != 0) {
    table.add("device_bytes", bytes_argument(options.device_bytes));
  }
  if (options.policy != EdgePolicy::kBlock) {
    table.add("policy", Argument(word_of(kEdgePolicies, options.policy)));
  }
  if (options.initial != 0) {
    table.add("initial", Argument(std::int64_t{options.initial}));
  }
  return table.text();
}

std::string print_faults(const Graph& graph) {
  std::string text;
  for (const auto& node : graph.stages()) {
    for (const Fault& fault : node.options.faults) {
      InlineTable table;
      for (const auto& [key, value] : to_arguments(fault)) {
        table.add(key, value);
      }
      text += "  " + table.text() + ",\n";
    }
  }
  return text.empty() ? text : "faults = [\n" + text + "]\n";
}

std::string print_limits(const PlanLimits& limits, Nanoseconds drain) {
  std::string text;
  if (limits.host.value != 0) {
    text += "host = " + to_toml(bytes_argument(limits.host)) + "\n";
  }
  if (limits.device.value != 0) {
    text += "device = " + to_toml(bytes_argument(limits.device)) + "\n";
  }
  if (drain != kDefaultDrain) {
    text += "drain = " + to_toml(Argument(format_duration(drain))) + "\n";
  }
  return text.empty() ? text : "\n[limits]\n" + text;
}

}  // namespace

GraphFile load_graph(const std::filesystem::path& path,
                     const StageCatalog& catalog,
                     const std::vector<std::string>& settings) {
  std::ifstream stream(path);
  std::ostringstream text;
  if (std::filesystem::is_directory(path) || !stream || !(text << stream.rdbuf())) {
    throw Error(Errc::kNotFound, "cannot read the graph file").with("path", path.string());
  }
  return parse_graph(text.str(), catalog, settings, path.string());
}

GraphFile parse_graph(const std::string& text,
                      const StageCatalog& catalog,
                      const std::vector<std::string>& settings,
                      const std::string& origin) {
  TomlValue root = parse_toml(text, origin);
  for (const auto& setting : settings) {
    apply_setting(root, setting);
  }
  GraphReader reader(catalog);
  GraphFile file = reader.read(root);
  if (reader.faults().size() == 1) {
    throw reader.faults().front();
  }
  if (!reader.faults().empty()) {
    Error error(Errc::kInvalidInput, "graph file has several faults");
    error.with("file", origin);
    for (const auto& fault : reader.faults()) {
      error.with("fault", fault.what());
    }
    throw error;
  }
  return file;
}

std::string save_graph(const Graph& graph, const PlanLimits& limits, Nanoseconds drain) {
  std::string text = "graph = " + to_toml(Argument(graph.name())) + "\nstages = [\n";
  for (const auto& node : graph.stages()) {
    text += "  " + print_stage(node) + ",\n";
  }
  text += "]\nedges = [\n";
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    text += "  " + print_edge(graph, EdgeId{static_cast<int>(i)}) + ",\n";
  }
  return text + "]\n" + print_faults(graph) + print_limits(limits, drain);
}

}  // namespace askos::dataflow
