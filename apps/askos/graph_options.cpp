// SPDX-License-Identifier: Apache-2.0
#include "graph_options.hpp"

#include "command_line/common_options.hpp"

#include <askos/dataflow/synthetic.hpp>

namespace askos::apps {

void add_graph_options(CLI::App& command, GraphOptions& options) {
  command.add_option("graph", options.path, "graph file (TOML)")
      ->type_name("GRAPH.toml")
      ->required();
  add_settings(command, options.settings);
}

dataflow::StageCatalog stage_catalog() {
  dataflow::StageCatalog catalog;
  dataflow::synthetic::add_stage_types(catalog);
  return catalog;
}

dataflow::GraphFile load(const GraphOptions& options) {
  return dataflow::load_graph(options.path, stage_catalog(), options.settings);
}

}  // namespace askos::apps
