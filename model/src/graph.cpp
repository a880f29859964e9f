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

void validate(const Graph& graph) {
  Faults faults;
  check_nodes(faults, "data nodes", graph.data);
  check_nodes(faults, "hidden nodes", graph.hidden);
  check_edges(faults, "data_to_hidden", graph.data_to_hidden, graph.data, graph.hidden);
  check_edges(faults, "hidden_to_hidden", graph.hidden_to_hidden, graph.hidden, graph.hidden);
  check_edges(faults, "hidden_to_data", graph.hidden_to_data, graph.hidden, graph.data);
  faults.check(graph.data_weights.size() == graph.data.lat.size(),
               "data_weights: one per data node is needed");
  faults.check(std::all_of(graph.data_weights.begin(), graph.data_weights.end(),
                           [](double w) { return w >= 0 && std::isfinite(w); }),
               "data_weights: negative or not finite");
  if (graph.truncation_down.num_rows != 0) {
    check_matrix(faults, "truncation_down", graph.truncation_down);
    check_matrix(faults, "truncation_up", graph.truncation_up);
    faults.check(graph.truncation_down.num_columns == graph.data.size() &&
                     graph.truncation_up.num_rows == graph.data.size() &&
                     graph.truncation_up.num_columns == graph.truncation_down.num_rows,
                 "truncation: sizes do not fit the data nodes");
  }
  faults.throw_if_any("graph is not valid");
}

}  // namespace askos::model
