// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/graph_file.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace askos::apps {

/// A graph file on the command line.
struct GraphOptions {
  std::string path;
  std::vector<std::string> settings;
};

/// Adds the file and `--set`.
void add_graph_options(CLI::App& command, GraphOptions& options);

/// The stage types that graph files may use here.
[[nodiscard]] dataflow::StageCatalog stage_catalog();

/// Reads the file with its settings applied.
[[nodiscard]] dataflow::GraphFile load(const GraphOptions& options);

}  // namespace askos::apps
