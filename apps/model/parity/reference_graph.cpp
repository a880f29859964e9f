// SPDX-License-Identifier: Apache-2.0
#include "parity/reference_graph.hpp"

#include "parity/json_object.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <iterator>

namespace askos::apps {
namespace {

void refuse(const TensorFile& file, const std::string& tensor, const char* expected) {
  throw Error(Errc::kShapeMismatch, "tensor of a graph has another shape or type")
      .with("file", file.path().string())
      .with("tensor", tensor)
      .with("expected", expected);
}

model::Nodes read_nodes(const TensorFile& file, const std::string& name) {
  const std::string tensor = "nodes." + name + ".latlon";
  const at::Tensor& positions = file.at(tensor, 2);
  if (positions.size(1) != 2) {
    refuse(file, tensor, "[node, 2]");
  }
  return {doubles(positions.select(1, 0)), doubles(positions.select(1, 1))};
}

model::Edges read_edges(const TensorFile& file,
                        const std::string& name,
                        const std::vector<std::string>& attributes,
                        std::int64_t sources,
                        std::int64_t destinations) {
  const std::string prefix = "edges." + name + ".";
  const at::Tensor& index = file.at(prefix + "index", 2);
  if (index.size(0) != 2 || !at::isIntegralType(index.scalar_type(), false)) {
    refuse(file, prefix + "index", "integers [2, edge]");
  }
  std::vector<at::Tensor> columns = {at::zeros({index.size(1), 0}, at::kDouble)};
  for (const auto& attribute : attributes) {
    columns.push_back(file.at(prefix + attribute, 2).to(at::kDouble));
    if (columns.back().size(0) != index.size(1)) {
      refuse(file, prefix + attribute, "[edge, ...]");
    }
  }
  const at::Tensor joined = at::cat(columns, 1);
  return {sources,        destinations, joined.size(1), integers(index[0]), integers(index[1]),
          doubles(joined)};
}

/// Names of a part's edge attributes, in order.
std::vector<std::string> attributes(const JsonObject& json, const char* part) {
  return json.object(part).get<std::vector<std::string>>("sub_graph_edge_attributes");
}

/// `json` is the case or one of its `datasets`.
model::DataGrid read_grid(const TensorFile& file,
                          const JsonObject& json,
                          const std::string& hidden,
                          std::int64_t num_hidden) {
  const auto name = json.get<std::string>("dataset_name", "data");
  model::DataGrid grid;
  grid.nodes = read_nodes(file, name);
  const auto size = grid.nodes.size();
  if (json.has("encoder")) {
    grid.to_hidden =
        read_edges(file, name + "_to_" + hidden, attributes(json, "encoder"), size, num_hidden);
  }
  grid.from_hidden =
      read_edges(file, hidden + "_to_" + name, attributes(json, "decoder"), num_hidden, size);
  const std::string weights = "nodes." + name + ".area_weight";
  grid.weights = file.has(weights) ? doubles(file.at(weights).flatten())
                                   : std::vector<double>(grid.nodes.lat.size(), 1.0);
  return grid;
}

}  // namespace

model::SparseMatrix read_matrix(const TensorFile& file,
                                const std::string& name,
                                std::int64_t columns) {
  if (!file.has(name + ".crow")) return {};
  model::SparseMatrix matrix{0, columns, integers(file.at(name + ".crow", 1)),
                             integers(file.at(name + ".col", 1)),
                             doubles(file.at(name + ".val", 1))};
  matrix.num_rows = static_cast<std::int64_t>(matrix.row_offsets.size()) - 1;
  return matrix;
}

model::Graph read_reference_graph(const TensorFile& file, const nlohmann::json& json) {
  const JsonObject description(json, "model.json: ");
  const auto hidden = description.get<std::string>("hidden_name", "hidden");
  model::Graph graph;
  graph.hidden = read_nodes(file, hidden);
  const auto num_hidden = graph.hidden.size();
  graph.hidden_to_hidden = read_edges(file, hidden + "_to_" + hidden,
                                      attributes(description, "processor"), num_hidden, num_hidden);
  std::vector<model::DataGrid> grids;
  if (description.has("datasets")) {
    for (const auto& dataset : description.at("datasets")) {
      grids.push_back(read_grid(file, {dataset, "model.json: datasets."}, hidden, num_hidden));
    }
  } else {
    grids.push_back(read_grid(file, description, hidden, num_hidden));
  }
  graph.data = grids[0].nodes;
  graph.data_to_hidden = grids[0].to_hidden;
  graph.hidden_to_data = grids[0].from_hidden;
  graph.data_weights = grids[0].weights;
  graph.truncation_down = read_matrix(file, "truncation.down", graph.data.size());
  graph.truncation_up = read_matrix(file, "truncation.up", graph.truncation_down.num_rows);
  graph.more_grids.assign(std::make_move_iterator(grids.begin() + 1),
                          std::make_move_iterator(grids.end()));
  try {
    model::validate(graph);
  } catch (Error& fault) {
    throw fault.with("file", file.path().string());
  }
  return graph;
}

}  // namespace askos::apps
