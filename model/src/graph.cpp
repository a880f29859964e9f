// SPDX-License-Identifier: Apache-2.0
#include "faults.hpp"

#include <askos/model/graph.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace askos::model {
namespace {

bool all_within(const std::vector<std::int64_t>& indices, std::int64_t end) {
  return std::all_of(indices.begin(), indices.end(), [end](auto i) { return i >= 0 && i < end; });
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}

void check_edges(Faults& faults,
                 const std::string& name,
                 const Edges& edges,
                 const Nodes& sources,
                 const Nodes& destinations) {
  faults.check(edges.num_sources == sources.size() && edges.num_destinations == destinations.size(),
               name + ": node counts differ from the nodes it joins");
  faults.check(edges.dst.size() == edges.src.size(), name + ": src and dst differ in length");
  faults.check(
      edges.attributes.size() == edges.src.size() * static_cast<std::size_t>(edges.num_attributes),
      name + ": attributes do not match the edges");
  faults.check(all_within(edges.src, edges.num_sources), name + ": source index out of range");
  faults.check(all_within(edges.dst, edges.num_destinations),
               name + ": destination index out of range");
  faults.check(all_finite(edges.attributes), name + ": attribute is not finite");
}

void check_matrix(Faults& faults, const std::string& name, const SparseMatrix& matrix) {
  const auto& offsets = matrix.row_offsets;
  faults.check(offsets.size() == static_cast<std::size_t>(matrix.num_rows) + 1 &&
                   offsets.front() == 0 && std::is_sorted(offsets.begin(), offsets.end()) &&
                   offsets.back() == static_cast<std::int64_t>(matrix.columns.size()) &&
                   matrix.values.size() == matrix.columns.size(),
               name + ": row offsets do not match the entries");
  faults.check(all_within(matrix.columns, matrix.num_columns), name + ": column out of range");
  faults.check(all_finite(matrix.values), name + ": value is not finite");
}

void check_nodes(Faults& faults, const std::string& name, const Nodes& nodes) {
  faults.check(nodes.size() > 0, name + ": no nodes");
  faults.check(nodes.lat.size() == nodes.lon.size(), name + ": lat and lon differ in length");
  faults.check(all_finite(nodes.lat) && all_finite(nodes.lon), name + ": position is not finite");
}

void check_grid(Faults& faults,
                const std::string& name,
                const DataGridView& grid,
                const Nodes& hidden) {
  check_nodes(faults, name + " nodes", grid.nodes);
  // A further grid may be read only or written only.
  if (name == "data" || grid.to_hidden.size() > 0) {
    check_edges(faults, name + "_to_hidden", grid.to_hidden, grid.nodes, hidden);
  }
  if (name == "data" || grid.from_hidden.size() > 0) {
    check_edges(faults, "hidden_to_" + name, grid.from_hidden, hidden, grid.nodes);
  }
  faults.check(grid.weights.size() == grid.nodes.lat.size(),
               name + "_weights: one per data node is needed");
  faults.check(std::all_of(grid.weights.begin(), grid.weights.end(),
                           [](double w) { return w >= 0 && std::isfinite(w); }),
               name + "_weights: negative or not finite");
  if (grid.truncation_down.num_rows == 0) return;
  check_matrix(faults, "truncation_down", grid.truncation_down);
  check_matrix(faults, "truncation_up", grid.truncation_up);
  faults.check(grid.truncation_down.num_columns == grid.nodes.size() &&
                   grid.truncation_up.num_rows == grid.nodes.size() &&
                   grid.truncation_up.num_columns == grid.truncation_down.num_rows,
               "truncation: sizes do not fit the data nodes");
}

}  // namespace

Edges sort_by_destination(const Edges& edges) {
  std::vector<std::size_t> order(edges.src.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair{edges.dst[a], a} < std::pair{edges.dst[b], b};
  });
  Edges sorted = edges;
  const auto width = static_cast<std::size_t>(edges.num_attributes);
  for (std::size_t to = 0; to < order.size(); ++to) {
    const std::size_t from = order[to];
    sorted.src[to] = edges.src[from];
    sorted.dst[to] = edges.dst[from];
    std::copy_n(edges.attributes.data() + from * width, width,
                sorted.attributes.data() + to * width);
  }
  return sorted;
}

std::vector<DataGridView> data_grids(const Graph& graph) {
  std::vector<DataGridView> grids = {{graph.data, graph.data_to_hidden, graph.hidden_to_data,
                                      graph.data_weights, graph.truncation_down,
                                      graph.truncation_up}};
  for (const DataGrid& grid : graph.more_grids) {
    grids.push_back({grid.nodes, grid.to_hidden, grid.from_hidden, grid.weights,
                     grid.truncation_down, grid.truncation_up});
  }
  return grids;
}

void validate(const Graph& graph) {
  Faults faults;
  check_nodes(faults, "hidden nodes", graph.hidden);
  check_edges(faults, "hidden_to_hidden", graph.hidden_to_hidden, graph.hidden, graph.hidden);
  const auto grids = data_grids(graph);
  for (std::size_t g = 0; g < grids.size(); ++g) {
    check_grid(faults, g == 0 ? "data" : "data[" + std::to_string(g) + "]", grids[g], graph.hidden);
  }
  if (graph.noise_projection.num_rows != 0) {
    check_matrix(faults, "noise_projection", graph.noise_projection);
    faults.check(graph.noise_projection.num_rows == graph.hidden.size(),
                 "noise_projection: sizes do not fit the hidden nodes");
  }
  faults.throw_if_any("graph is not valid");
}

}  // namespace askos::model
