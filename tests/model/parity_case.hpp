// SPDX-License-Identifier: Apache-2.0
// A case of tests/parity as values of this library.
#pragma once

#include "safetensors.hpp"

#include <askos/model/network.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <map>

namespace askos::model::test {

inline const std::filesystem::path kParityFolder = ASKOS_PARITY_FOLDER;

struct ParityCase {
  explicit ParityCase(const std::string& name);

  nlohmann::json json;
  ModelConfig config;
  Graph graph;
  NamedTensors weights;
  NamedTensors io;
};

namespace detail {

inline nlohmann::json read_json(const std::filesystem::path& path) {
  return nlohmann::json::parse(std::ifstream(path));
}

inline std::vector<double> doubles(const at::Tensor& x) {
  const at::Tensor values = x.to(at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

inline std::vector<std::int64_t> integers(const at::Tensor& x) {
  const at::Tensor values = x.contiguous();
  return {values.data_ptr<std::int64_t>(), values.data_ptr<std::int64_t>() + values.numel()};
}

inline Nodes nodes(const NamedTensors& file, const std::string& name) {
  const at::Tensor& positions = file.at("nodes." + name + ".latlon");
  return {doubles(positions.select(1, 0)), doubles(positions.select(1, 1))};
}

inline Edges edges(const NamedTensors& file,
                   const std::string& name,
                   std::int64_t sources,
                   std::int64_t destinations) {
  const std::string prefix = "edges." + name + ".";
  const at::Tensor& index = file.at(prefix + "index");
  const at::Tensor attributes =
      at::cat({file.at(prefix + "edge_length"), file.at(prefix + "edge_dirs")}, 1);
  return {sources, destinations, 3, integers(index[0]), integers(index[1]), doubles(attributes)};
}

inline SparseMatrix matrix(const NamedTensors& file,
                           const std::string& name,
                           std::int64_t columns) {
  const std::string prefix = "truncation." + name + ".";
  if (!file.contains(prefix + "crow")) return {};
  SparseMatrix matrix{0, columns, integers(file.at(prefix + "crow")),
                      integers(file.at(prefix + "col")), doubles(file.at(prefix + "val"))};
  matrix.num_rows = static_cast<std::int64_t>(matrix.row_offsets.size()) - 1;
  return matrix;
}

inline BlockConfig block(const nlohmann::json& json) {
  static const std::map<std::string, MlpKind> kKinds = {{"mlp", MlpKind::kGelu},
                                                        {"glu", MlpKind::kGlu},
                                                        {"swiglu", MlpKind::kSwiglu},
                                                        {"geglu", MlpKind::kGeglu},
                                                        {"reglu", MlpKind::kReglu}};
  return {.num_heads = json["num_heads"],
          .attention_channels = json["attn_channels"].is_null() ? 0 : int(json["attn_channels"]),
          .mlp_hidden_ratio = json["mlp_hidden_ratio"],
          .mlp = kKinds.at(json["mlp_implementation"]),
          .qk_norm = json["qk_norm"],
          .edge_pre_mlp = json["edge_pre_mlp"],
          .edge_trainables = json["trainable_size"],
          .num_chunks = 0};
}

inline Bounding bounding(const nlohmann::json& json) {
  static const std::map<std::string, Bounding::Kind> kKinds = {
      {"ReluBounding", Bounding::Kind::kRelu},
      {"NormalizedReluBounding", Bounding::Kind::kNormalizedRelu},
      {"HardtanhBounding", Bounding::Kind::kHardtanh},
      {"FractionBounding", Bounding::Kind::kFraction}};
  Bounding bounding{.kind = kKinds.at(json["class"]), .variables = json["variables"]};
  // Limits by name apply to variables in name order, the normalised ones in the order given.
  if (bounding.kind != Bounding::Kind::kNormalizedRelu) {
    std::sort(bounding.variables.begin(), bounding.variables.end());
  }
  if (json.contains("min_val")) {
    bounding.minimum = json["min_val"].is_array()
                           ? json["min_val"].get<std::vector<double>>()
                           : std::vector<double>{json["min_val"].get<double>()};
  }
  if (json.contains("max_val")) bounding.maximum = json["max_val"];
  if (json.contains("total_var")) bounding.total = json["total_var"];
  return bounding;
}

inline ModelConfig config(const nlohmann::json& json) {
  static const std::map<std::string, TargetFeature> kFeatures = {
      {"encoded_data", TargetFeature::kEncodedData},
      {"coordinates", TargetFeature::kCoordinates},
      {"forcings", TargetFeature::kForcings},
      {"prognostics", TargetFeature::kPrognostics},
      {"trainable_parameters", TargetFeature::kTrainables}};
  ModelConfig config;
  config.variables.input = json["variables"]["input_order"];
  config.variables.output = json["variables"]["output_order"];
  config.num_input_steps = json["n_step_input"];
  config.num_output_steps = json["n_step_output"];
  config.num_channels = json["num_channels"];
  config.num_layers = json["processor"]["num_layers"];
  config.encoder = block(json["encoder"]);
  config.processor = block(json["processor"]);
  config.decoder = block(json["decoder"]);
  config.data_node_trainables = json["trainable_parameters"]["node_data"];
  config.hidden_node_trainables = json["trainable_parameters"]["node_hidden"];
  config.decoder_target.clear();
  for (const std::string name : json["target_node_features"]) {
    config.decoder_target.push_back(kFeatures.at(name));
  }
  config.latent_skip = json["latent_skip"];
  config.residual =
      json["residual"]["class"] == "TruncatedConnection" ? Residual::kTruncated : Residual::kSkip;
  for (const auto& entry : json["bounding"]) config.boundings.push_back(bounding(entry));
  return config;
}

}  // namespace detail

inline ParityCase::ParityCase(const std::string& name) {
  const auto folder = kParityFolder / name;
  json = detail::read_json(folder / "model.json");
  config = detail::config(json);
  weights = read_tensors(folder / "weights.safetensors");
  io = read_tensors(folder / "io.safetensors");
  const NamedTensors file = read_tensors(folder / "graph.safetensors");
  graph.data = detail::nodes(file, "data");
  graph.hidden = detail::nodes(file, "hidden");
  const auto data = graph.data.size();
  const auto hidden = graph.hidden.size();
  graph.data_to_hidden = detail::edges(file, "data_to_hidden", data, hidden);
  graph.hidden_to_hidden = detail::edges(file, "hidden_to_hidden", hidden, hidden);
  graph.hidden_to_data = detail::edges(file, "hidden_to_data", hidden, data);
  graph.data_weights = detail::doubles(io.at("loss.node_weights"));
  graph.truncation_down = detail::matrix(file, "down", data);
  graph.truncation_up = detail::matrix(file, "up", graph.truncation_down.num_rows);
}

}  // namespace askos::model::test
