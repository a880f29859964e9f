// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "parity/tensor_file.hpp"

#include <askos/model/graph.hpp>

#include <nlohmann/json.hpp>

namespace askos::apps {

/// Reads a graph from a reference's `graph.safetensors`; `json` (its `model.json`) says how nodes
/// are named and which attributes the edges of each part have, in order. The weights of data nodes
/// are `nodes.*.area_weight`, or all 1. Throws what is wrong with the file and what
/// `model::validate` throws.
[[nodiscard]] model::Graph read_reference_graph(const TensorFile& file, const nlohmann::json& json);

/// Reads the matrix `<name>.crow`, `.col`, `.val` of so many columns; one without rows if there is
/// none. What it holds is not checked.
[[nodiscard]] model::SparseMatrix read_matrix(const TensorFile& file,
                                              const std::string& name,
                                              std::int64_t columns);

}  // namespace askos::apps
