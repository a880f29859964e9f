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

/// A grid of data beside the first one, see `Graph`.
struct DataGrid {
  Nodes nodes;
  Edges to_hidden;               ///< none if the grid is not encoded
  Edges from_hidden;             ///< none if the grid is not decoded
  std::vector<double> weights;   ///< [node], as `Graph::data_weights`
  SparseMatrix truncation_down;  ///< as `Graph::truncation_down`
  SparseMatrix truncation_up;
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
  SparseMatrix truncation_down;   ///< data to coarse grid; empty unless the residual is truncated
  SparseMatrix truncation_up;     ///< coarse grid to data
  SparseMatrix noise_projection;  ///< noise nodes to hidden; empty: noise on the hidden nodes
  std::vector<DataGrid> more_grids;  ///< of `ModelConfig::more_datasets`, in that order
};

/// One of a graph's data grids, without copying it.
struct DataGridView {
  const Nodes& nodes;
  const Edges& to_hidden;
  const Edges& from_hidden;
  const std::vector<double>& weights;
  const SparseMatrix& truncation_down;
  const SparseMatrix& truncation_up;
};

/// Returns all data grids, the first one made of the graph's own members.
[[nodiscard]] std::vector<DataGridView> data_grids(const Graph& graph);

/// Reorders edges by destination, stably: edges into one node keep their order. This is the order
/// in which trainable edge tensors are stored.
[[nodiscard]] Edges sort_by_destination(const Edges& edges);

/// Throws one `Errc::kInvalidInput` that lists every fault: indices out of range, lengths that do
/// not match, node counts that differ between the parts, weights that are negative or not finite.
void validate(const Graph& graph);

}  // namespace askos::model
