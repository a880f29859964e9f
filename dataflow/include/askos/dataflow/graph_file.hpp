// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/plan.hpp>
#include <askos/dataflow/stage_catalog.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace askos::dataflow {

inline constexpr Nanoseconds kDefaultDrain = std::chrono::seconds(5);

/// What a graph file says: the graph, and the limits that its plan has to keep.
struct GraphFile {
  Graph graph;
  PlanLimits limits{};
  Nanoseconds drain = kDefaultDrain;  ///< deadline of a drain
};

/// Reads a graph file. Its format is documented in docs/reference/graph-files.md.
///
/// Each of `settings` is `key=value` and replaces or adds one value before the file is looked at:
/// `stages.NAME.KEY` (an argument, or a key of the stage), `edges.FROM>TO.KEY`, `limits.KEY`,
/// `graph`. A value that is not TOML is taken as a string, so `stages.slow.service=5 ms` works.
///
/// Throws `Errc::kNotFound` if there is no such file. Every other fault names file, line and key,
/// and the nearest valid name where there is one. All faults are found at once: if there are
/// several, the error has one value `fault` for each.
[[nodiscard]] GraphFile load_graph(const std::filesystem::path& path,
                                   const StageCatalog& catalog,
                                   const std::vector<std::string>& settings = {});

/// As above, from text; `origin` stands for the file in messages.
[[nodiscard]] GraphFile parse_graph(const std::string& text,
                                    const StageCatalog& catalog,
                                    const std::vector<std::string>& settings = {},
                                    const std::string& origin = "graph.toml");

/// Prints a graph as a file that `parse_graph` reads back to an equal graph. Throws
/// `Errc::kInvalidInput` if a stage has no type name to be written by.
[[nodiscard]] std::string save_graph(const Graph& graph,
                                     const PlanLimits& limits = {},
                                     Nanoseconds drain = kDefaultDrain);

}  // namespace askos::dataflow
