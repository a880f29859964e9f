// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace askos::model {

/// Lists positions on the sphere, in radians.
struct Nodes {
  std::vector<double> lat;  ///< [node], -pi/2 ... pi/2
  std::vector<double> lon;  ///< [node]

  [[nodiscard]] std::int64_t size() const noexcept { return static_cast<std::int64_t>(lat.size()); }
};

/// Lists directed edges from a set of source nodes to a set of destination nodes.
struct Edges {
  std::int64_t num_sources = 0;
  std::int64_t num_destinations = 0;
  std::int64_t num_attributes = 0;
  std::vector<std::int64_t> src;   ///< [edge]
  std::vector<std::int64_t> dst;   ///< [edge]
  std::vector<double> attributes;  ///< [edge, attribute], row-major

  [[nodiscard]] std::int64_t size() const noexcept { return static_cast<std::int64_t>(src.size()); }
};

/// Holds a sparse matrix by rows (CSR).
struct SparseMatrix {
  std::int64_t num_rows = 0;
  std::int64_t num_columns = 0;
  std::vector<std::int64_t> row_offsets;  ///< [row + 1]
  std::vector<std::int64_t> columns;      ///< [entry]
  std::vector<double> values;             ///< [entry]
};

/// Everything about the mesh that a model needs: the data grid, the hidden mesh between encoder and
/// decoder, and the edges over which each part attends.
struct Graph {
  Nodes data;
  Nodes hidden;
  Edges data_to_hidden;              ///< encoder
  Edges hidden_to_hidden;            ///< processor
  Edges hidden_to_data;              ///< decoder
  std::vector<double> data_weights;  ///< [data node], relative areas for the loss; any scale, >= 0
  SparseMatrix truncation_down;  ///< data to coarse grid; empty unless the residual is truncated
  SparseMatrix truncation_up;    ///< coarse grid to data
};

/// Reorders edges by destination, stably: edges into one node keep their order. This is the order
/// in which trainable edge tensors are stored.
[[nodiscard]] Edges sort_by_destination(const Edges& edges);

/// Throws one `Errc::kInvalidInput` that lists every fault: indices out of range, lengths that do
/// not match, node counts that differ between the parts, weights that are negative or not finite.
void validate(const Graph& graph);

}  // namespace askos::model
