// SPDX-License-Identifier: Apache-2.0
#include "parity/reference_graph.hpp"

#include "parity/json_object.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

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

model::SparseMatrix read_matrix(const TensorFile& file,
                                const std::string& name,
                                std::int64_t columns) {
  const std::string prefix = "truncation." + name + ".";
  if (!file.has(prefix + "crow")) {
    return {};
  }
  model::SparseMatrix matrix{0, columns, integers(file.at(prefix + "crow", 1)),
                             integers(file.at(prefix + "col", 1)),
                             doubles(file.at(prefix + "val", 1))};
  matrix.num_rows = static_cast<std::int64_t>(matrix.row_offsets.size()) - 1;
  return matrix;
}

}  // namespace

model::Graph read_reference_graph(const TensorFile& file, const nlohmann::json& json) {
  const JsonObject description(json, "model.json: ");
  const auto data = description.get<std::string>("dataset_name", "data");
  const auto hidden = description.get<std::string>("hidden_name", "hidden");
  const auto attributes = [&](const char* part) {
    return description.object(part).get<std::vector<std::string>>("sub_graph_edge_attributes");
  };
  model::Graph graph;
  graph.data = read_nodes(file, data);
  graph.hidden = read_nodes(file, hidden);
  const auto num_data = graph.data.size();
  const auto num_hidden = graph.hidden.size();
  graph.data_to_hidden =
      read_edges(file, data + "_to_" + hidden, attributes("encoder"), num_data, num_hidden);
  graph.hidden_to_hidden =
      read_edges(file, hidden + "_to_" + hidden, attributes("processor"), num_hidden, num_hidden);
  graph.hidden_to_data =
      read_edges(file, hidden + "_to_" + data, attributes("decoder"), num_hidden, num_data);
  const std::string weights = "nodes." + data + ".area_weight";
  graph.data_weights = file.has(weights) ? doubles(file.at(weights).flatten())
                                         : std::vector<double>(graph.data.lat.size(), 1.0);
  graph.truncation_down = read_matrix(file, "down", num_data);
  graph.truncation_up = read_matrix(file, "up", graph.truncation_down.num_rows);
  try {
    model::validate(graph);
  } catch (Error& fault) {
    throw fault.with("file", file.path().string());
  }
  return graph;
}

}  // namespace askos::apps
