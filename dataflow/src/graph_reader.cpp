// SPDX-License-Identifier: Apache-2.0
#include "graph_reader.hpp"

#include "argument_list.hpp"

#include <askos/base/nearest_name.hpp>

#include <algorithm>
#include <type_traits>

namespace askos::dataflow {
namespace {

std::vector<std::string> words(const auto& table) {
  std::vector<std::string> names;
  std::ranges::transform(table, std::back_inserter(names),
                         [](const auto& entry) { return entry.first; });
  return names;
}

auto value_of(const auto& table, const std::string& word) {
  const auto found = std::ranges::find(table, word, [](const auto& entry) { return entry.first; });
  return found == table.end() ? table.front().second : found->second;
}

const std::vector<ArgumentSpec>& root_keys() {
  static const std::vector<ArgumentSpec> keys{
      {"graph", ArgumentKind::kText, "", "name of the graph"}};
  return keys;
}

const std::vector<ArgumentSpec>& stage_keys() {
  const StageOptions options;
  static const std::vector<ArgumentSpec> keys{
      {"name", ArgumentKind::kText, "", "name of the stage"},
      {"type", ArgumentKind::kText, "", "one of the stage types"},
      {"on_failure", ArgumentKind::kText, kFailurePolicies.front().first, "when it throws",
       words(kFailurePolicies)},
      {"max_restarts", ArgumentKind::kInteger, std::int64_t{options.max_restarts},
       "with on_failure = \"restart\""},
      {"record", ArgumentKind::kInteger, std::int64_t{options.record}, "keep its last runs"}};
  return keys;
}

const std::vector<ArgumentSpec>& edge_keys() {
  const EdgeOptions options;
  static const std::vector<ArgumentSpec> keys{
      {"from", ArgumentKind::kText, "", "STAGE.PORT"},
      {"to", ArgumentKind::kText, "", "STAGE.PORT"},
      {"credit", ArgumentKind::kInteger, std::int64_t{options.credit}, "packets", {}, 1},
      {"bytes", ArgumentKind::kBytes, std::int64_t{0}, "on the host"},
      {"device_bytes", ArgumentKind::kBytes, std::int64_t{0}, "on a device"},
      {"policy", ArgumentKind::kText, kEdgePolicies.front().first, "when full",
       words(kEdgePolicies)},
      {"initial", ArgumentKind::kInteger, std::int64_t{options.initial}, "empty packets"}};
  return keys;
}

const std::vector<ArgumentSpec>& limit_keys() {
  static const std::vector<ArgumentSpec> keys{
      {"host", ArgumentKind::kBytes, std::int64_t{0}, "bytes in flight; 0: no limit"},
      {"device", ArgumentKind::kBytes, std::int64_t{0}, "bytes in flight; 0: no limit"},
      {"drain", ArgumentKind::kDuration, format_duration(kDefaultDrain), "deadline of a drain"}};
  return keys;
}

int narrow(std::int64_t number) {
  return static_cast<int>(std::min<std::int64_t>(number, 1 << 30));
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

Error wrong_kind(std::string_view expected, const TomlValue& found) {
  return Error(Errc::kInvalidInput, "value of the wrong kind")
      .with("expected", expected)
      .with("found", type_name(found));
}

}  // namespace

void GraphReader::fault(Error error, const TomlValue& at) {
  faults_.push_back(std::move(error.with("at", position_of(at))));
}

GraphReader::Table GraphReader::read_table(const TomlValue& table,
                                           const std::vector<ArgumentSpec>& specs,
                                           const std::vector<std::string>& required,
                                           const std::vector<std::string>& nested) {
  Arguments given;
  for (const auto& [key, value] : table.as_table()) {
    if (contains(nested, key)) {
      continue;
    }
    const auto spec = std::ranges::find(specs, key, &ArgumentSpec::name);
    const auto argument = to_argument(value);
    if (spec != specs.end() && !argument) {
      fault(wrong_kind(to_string(spec->kind), value).with("key", key), value);
      continue;
    }
    const Arguments one{{key, argument.value_or(false)}};
    auto wrong = check_arguments(specs, one, "key");
    for (Error& error : wrong) {
      fault(std::move(error), value);
    }
    if (wrong.empty()) {
      given.insert(one.begin(), one.end());
    }
  }
  for (const auto& key : required) {
    if (!table.contains(key)) {
      fault(Error(Errc::kInvalidInput, "missing key").with("key", key), table);
    }
  }
  return {given, complete(specs, given)};
}

const std::vector<TomlValue>* GraphReader::find_array(const TomlValue& root, const char* key) {
  if (!root.contains(key)) {
    fault(Error(Errc::kInvalidInput, "missing key").with("key", key), root);
    return nullptr;
  }
  const TomlValue& value = root.at(key);
  if (!value.is_array()) {
    fault(wrong_kind("array of tables", value).with("key", key), value);
    return nullptr;
  }
  return &value.as_array();
}

GraphFile GraphReader::read(const TomlValue& root) {
  const auto top =
      read_table(root, root_keys(), {"graph"}, {"stages", "edges", "limits", "faults"});
  GraphFile file{.graph = Graph(top.values.text("graph"))};
  if (const auto* stages = find_array(root, "stages")) {
    for (const auto& entry : *stages) {
      read_stage(entry, file.graph);
    }
  }
  if (root.contains("edges")) {
    if (const auto* edges = find_array(root, "edges")) {
      for (const auto& entry : *edges) {
        read_edge(entry, file.graph);
      }
    }
  }
  if (root.contains("faults")) {
    if (const auto* faults = find_array(root, "faults")) {
      for (const auto& entry : *faults) {
        read_fault(entry, file.graph);
      }
    }
  }
  read_limits(root, file);
  return file;
}

Arguments GraphReader::read_arguments(const TomlValue& stage, const std::string& type) {
  Arguments arguments;
  if (!stage.contains("args")) {
    return arguments;
  }
  const TomlValue& table = stage.at("args");
  if (!table.is_table()) {
    fault(wrong_kind("table", table).with("key", "args"), table);
    return arguments;
  }
  for (const auto& [name, value] : table.as_table()) {
    const auto argument = to_argument(value);
    if (!argument) {
      fault(wrong_kind("flag, number or text", value).with("argument", name), value);
      continue;
    }
    const Arguments one{{name, *argument}};
    for (Error& error : catalog_.check(type, one)) {
      fault(std::move(error), value);
    }
    arguments.insert(one.begin(), one.end());
  }
  return arguments;
}

void GraphReader::read_stage(const TomlValue& entry, Graph& graph) {
  if (!entry.is_table()) {
    fault(wrong_kind("table", entry).with("key", "stages"), entry);
    return;
  }
  const std::size_t before = faults_.size();
  const auto [given, values] = read_table(entry, stage_keys(), {"name", "type"}, {"args"});
  const std::string name = values.text("name");
  const std::string type = values.text("type");
  if (given.contains("name")) {
    if (!is_plain_name(name)) {
      fault(Error(Errc::kInvalidInput, "stage name may hold letters, digits, _ and - only")
                .with("name", name),
            entry);
    } else if (contains(stage_names_, name)) {
      fault(Error(Errc::kInvalidInput, "two stages of one name").with("name", name), entry);
    }
    stage_names_.push_back(name);
  }
  if (given.contains("type")) {
    if (catalog_.find(type) == nullptr) {
      fault(catalog_.check(type, {}).front(), entry.at("type"));
    } else {
      const Arguments arguments = read_arguments(entry, type);
      if (faults_.size() == before) {
        try {
          graph.insert(name, catalog_.make(type, arguments),
                       {.on_failure = value_of(kFailurePolicies, values.text("on_failure")),
                        .max_restarts = narrow(values.integer("max_restarts")),
                        .record = narrow(values.integer("record"))});
        } catch (Error& error) {
          fault(std::move(error.with("stage", name)), entry);
        }
      }
    }
  }
}

template <typename PortType>
const PortType* GraphReader::find_port(const std::string& name,
                                       const TomlValue& at,
                                       const Graph& graph) {
  constexpr bool kIsInput = std::is_same_v<PortType, InPort>;
  const auto dot = name.find('.');
  if (dot == std::string::npos) {
    fault(Error(Errc::kInvalidInput, "an edge joins ports: write STAGE.PORT").with("found", name),
          at);
    return nullptr;
  }
  const std::string stage_name = name.substr(0, dot);
  const std::string port_name = name.substr(dot + 1);
  const Graph::Node* node = graph.find_stage(stage_name);
  if (node == nullptr) {
    if (!contains(stage_names_, stage_name)) {  // else: its own fault has been told
      Error error(Errc::kNotFound, "edge names an unknown stage");
      error.with("stage", stage_name);
      suggest(error, stage_name, stage_names_);
      fault(std::move(error), at);
    }
    return nullptr;
  }
  std::vector<std::string> known;
  const auto search = [&](const auto& ports) -> const PortType* {
    for (const auto* port : ports) {
      if (port->name() == port_name) {
        return port;
      }
      known.push_back(port->name());
    }
    return nullptr;
  };
  const PortType* port = nullptr;
  if constexpr (kIsInput) {
    port = search(node->stage->inputs());
  } else {
    port = search(node->stage->outputs());
  }
  if (port == nullptr) {
    Error error(Errc::kNotFound, kIsInput ? "stage has no such input" : "stage has no such output");
    error.with("stage", stage_name).with("port", port_name);
    suggest(error, port_name, known);
    fault(std::move(error), at);
  }
  return port;
}

void GraphReader::read_edge(const TomlValue& entry, Graph& graph) {
  if (!entry.is_table()) {
    fault(wrong_kind("table", entry).with("key", "edges"), entry);
    return;
  }
  const auto [given, values] = read_table(entry, edge_keys(), {"from", "to"});
  const OutPort* from = nullptr;
  const InPort* to = nullptr;
  if (given.contains("from")) {
    from = find_port<OutPort>(values.text("from"), entry.at("from"), graph);
  }
  if (given.contains("to")) {
    to = find_port<InPort>(values.text("to"), entry.at("to"), graph);
  }
  if (from != nullptr && to != nullptr) {
    graph.connect_ports(*from, *to,
                        {.credit = narrow(values.integer("credit")),
                         .host_bytes = values.bytes("bytes"),
                         .device_bytes = values.bytes("device_bytes"),
                         .policy = value_of(kEdgePolicies, values.text("policy")),
                         .initial = narrow(values.integer("initial"))});
  }
}

void GraphReader::read_fault(const TomlValue& entry, Graph& graph) {
  if (!entry.is_table()) {
    fault(wrong_kind("table", entry).with("key", "faults"), entry);
    return;
  }
  Arguments entries;
  for (const auto& [key, value] : entry.as_table()) {
    const auto argument = to_argument(value);
    if (!argument) {
      fault(wrong_kind("flag, number or text", value).with("key", key), value);
      return;
    }
    entries.insert_or_assign(key, *argument);
  }
  try {
    const Fault wanted = make_fault(entries);
    if (graph.find_stage(wanted.stage) != nullptr || !contains(stage_names_, wanted.stage)) {
      graph.inject(wanted);  // else: the stage's own fault has been told
    }
  } catch (Error& error) {
    fault(std::move(error), entry);
  }
}

void GraphReader::read_limits(const TomlValue& root, GraphFile& file) {
  if (!root.contains("limits")) {
    return;
  }
  const TomlValue& table = root.at("limits");
  if (!table.is_table()) {
    fault(wrong_kind("table", table).with("key", "limits"), table);
    return;
  }
  const auto values = read_table(table, limit_keys(), {}).values;
  file.limits = {.host = values.bytes("host"), .device = values.bytes("device")};
  file.drain = values.duration("drain");
}

}  // namespace askos::dataflow
