// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "parity/tensor_file.hpp"

#include <askos/model/config.hpp>
#include <askos/model/graph.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>

namespace askos::apps {

/// A model case: a folder with model.json, graph, weights and io (tests/parity/README.md).
struct ModelCase {
  std::filesystem::path folder;
  nlohmann::json json;  ///< model.json as it stands
  model::ModelConfig config;
  model::Graph graph;
  model::NamedTensors weights;
  TensorFile io;
};

/// Reads a folder. Throws, in one line, what is missing, unknown or does not fit.
[[nodiscard]] ModelCase read_model_case(const std::filesystem::path& folder);

}  // namespace askos::apps
