// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "toml_tree.hpp"

#include <askos/dataflow/graph_file.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace askos::dataflow {

/// The words for the values of two options, in files.
inline constexpr std::array<std::pair<const char*, EdgePolicy>, 4> kEdgePolicies{
    {{"block", EdgePolicy::kBlock},
     {"latest", EdgePolicy::kLatest},
     {"drop_oldest", EdgePolicy::kDropOldest},
     {"fail", EdgePolicy::kFail}}};
inline constexpr std::array<std::pair<const char*, FailurePolicy>, 3> kFailurePolicies{
    {{"stop", FailurePolicy::kStop},
     {"skip", FailurePolicy::kSkip},
     {"restart", FailurePolicy::kRestart}}};

/// Turns the tree of a graph file into a graph and collects all that is wrong with it.
class GraphReader {
 public:
  explicit GraphReader(const StageCatalog& catalog) : catalog_(catalog) {}

  /// Returns what could be made; it is complete only if `faults()` is empty.
  [[nodiscard]] GraphFile read(const TomlValue& root);

  [[nodiscard]] const std::vector<Error>& faults() const noexcept { return faults_; }

 private:
  /// A table of the file whose keys follow a documented list.
  struct Table {
    Arguments given;
    ArgumentValues values;
  };

  void fault(Error error, const TomlValue& at);
  /// Reads the entries of `table` that are plain values; keys in `nested` are left to the caller.
  [[nodiscard]] Table read_table(const TomlValue& table,
                                 const std::vector<ArgumentSpec>& specs,
                                 const std::vector<std::string>& required,
                                 const std::vector<std::string>& nested = {});
  [[nodiscard]] Arguments read_arguments(const TomlValue& stage, const std::string& type);
  [[nodiscard]] const std::vector<TomlValue>* find_array(const TomlValue& root, const char* key);
  void read_stage(const TomlValue& entry, Graph& graph);
  void read_edge(const TomlValue& entry, Graph& graph);
  void read_fault(const TomlValue& entry, Graph& graph);
  void read_limits(const TomlValue& root, GraphFile& file);
  template <typename PortType>
  [[nodiscard]] const PortType* find_port(const std::string& name,
                                          const TomlValue& at,
                                          const Graph& graph);

  const StageCatalog& catalog_;
  std::vector<Error> faults_;
  std::vector<std::string> stage_names_;  // also of those that could not be made
};

}  // namespace askos::dataflow
