// SPDX-License-Identifier: Apache-2.0
#include "parity/reference_config.hpp"

#include "parity/json_object.hpp"

#include <askos/base/error.hpp>

#include <algorithm>

namespace askos::apps {
namespace {

using model::BlockConfig;
using model::Bounding;
using model::MlpKind;
using model::Residual;
using model::ShardStrategy;
using model::TargetFeature;

/// Refuses `key` unless it is absent or has the one value that askos computes.
void expect_value(const JsonObject& json, const std::string& key, const nlohmann::json& value) {
  if (json.has(key) && json.at(key) != value) {
    json.refuse_value(key, value.dump());
  }
}

BlockConfig read_block(const JsonObject& json, const char* class_name, int num_channels) {
  expect_value(json, "class", class_name);
  expect_value(json, "num_channels", num_channels);
  json.ignore({"sub_graph_edge_attributes", "num_layers"});  // read with graph and processor
  BlockConfig block = {
      .num_heads = json.get<int>("num_heads"),
      .attention_channels = json.get<int>("attn_channels", 0),
      .mlp_hidden_ratio = json.get<double>("mlp_hidden_ratio"),
      .mlp = json.choose<MlpKind>("mlp_implementation", {{"mlp", MlpKind::kGelu},
                                                         {"glu", MlpKind::kGlu},
                                                         {"swiglu", MlpKind::kSwiglu},
                                                         {"geglu", MlpKind::kGeglu},
                                                         {"reglu", MlpKind::kReglu}}),
      .qk_norm = json.get<bool>("qk_norm"),
      .edge_pre_mlp = json.get<bool>("edge_pre_mlp"),
      .edge_trainables = json.get<int>("trainable_size"),
      .num_chunks = json.get<int>("num_chunks", 1),
      .shard_strategy = json.choose<ShardStrategy>(
          "shard_strategy", {{"edges", ShardStrategy::kEdges}, {"heads", ShardStrategy::kHeads}})};
  json.refuse_unread();
  return block;
}

Bounding read_bounding(const JsonObject& json) {
  Bounding bounding{.kind = json.choose<Bounding::Kind>(
                        "class", {{"ReluBounding", Bounding::Kind::kRelu},
                                  {"NormalizedReluBounding", Bounding::Kind::kNormalizedRelu},
                                  {"HardtanhBounding", Bounding::Kind::kHardtanh},
                                  {"FractionBounding", Bounding::Kind::kFraction}}),
                    .variables = json.get<std::vector<std::string>>("variables")};
  // Limits by name apply to variables in name order, the normalised ones in the order given.
  if (bounding.kind != Bounding::Kind::kNormalizedRelu) {
    std::sort(bounding.variables.begin(), bounding.variables.end());
  }
  if (json.has("min_val")) {
    bounding.minimum = json.at("min_val").is_array()
                           ? json.get<std::vector<double>>("min_val")
                           : std::vector<double>{json.get<double>("min_val")};
  }
  bounding.maximum = json.get<double>("max_val", 1);
  bounding.total = json.get<std::string>("total_var", "");
  json.ignore({"normalizer"});  // the limits are normalised already
  json.refuse_unread();
  return bounding;
}

Residual read_residual(const JsonObject& json) {
  const auto kind = json.choose<Residual>("class", {{"SkipConnection", Residual::kSkip},
                                                    {"TruncatedConnection", Residual::kTruncated}});
  expect_value(json, "step", -1);
  json.ignore({"truncation_down_edges_name", "truncation_up_edges_name", "edge_weight_attribute",
               "row_normalize"});  // how the stored matrices were made
  json.refuse_unread();
  return kind;
}

void read_trainables(const JsonObject& json, model::ModelConfig& config) {
  config.data_node_trainables = json.get<int>("node_data");
  config.hidden_node_trainables = json.get<int>("node_hidden");
  expect_value(json, "edge_enc", config.encoder.edge_trainables);
  expect_value(json, "edge_proc", config.processor.edge_trainables);
  expect_value(json, "edge_dec", config.decoder.edge_trainables);
  json.refuse_unread();
}

TargetFeature read_target(const JsonObject& json, const std::string& name) {
  if (name == "encoded_data") return TargetFeature::kEncodedData;
  if (name == "coordinates") return TargetFeature::kCoordinates;
  if (name == "forcings") return TargetFeature::kForcings;
  if (name == "prognostics") return TargetFeature::kPrognostics;
  if (name == "trainable_parameters") return TargetFeature::kTrainables;
  json.refuse_value("target_node_features",
                    "encoded_data, coordinates, forcings, prognostics, trainable_parameters");
}

}  // namespace

model::ModelConfig read_reference_config(const nlohmann::json& value, const std::string& place) {
  const JsonObject json(value, place);
  json.ignore({"name", "text", "versions", "batch_size", "num_nodes", "edges", "dims", "measured",
               "processor_graph_is_symmetric", "loss", "parameters", "tolerance",
               "latent_aggregator"});  // with one dataset all aggregators are the same
  expect_value(json, "peer_class", "anemoi.models.models.AnemoiModelEncProcDec");
  expect_value(json, "ensemble_size", 1);
  expect_value(json, "layer_norm_eps", 1e-5);
  expect_value(json, "activation", "gelu (exact, erf)");

  model::ModelConfig config;
  config.data_name = json.get<std::string>("dataset_name", "data");
  config.hidden_name = json.get<std::string>("hidden_name", "hidden");
  config.encoder_name = json.get<std::string>("encoder_key", "0");
  config.decoder_name = json.get<std::string>("decoder_key", "0");
  const JsonObject variables = json.object("variables");
  config.variables.input = variables.get<std::vector<std::string>>("input_order");
  config.variables.output = variables.get<std::vector<std::string>>("output_order");
  config.num_input_steps = json.get<int>("n_step_input");
  config.num_output_steps = json.get<int>("n_step_output");
  config.num_channels = json.get<int>("num_channels");
  config.num_layers = json.object("processor").get<int>("num_layers");
  const int channels = config.num_channels;
  config.encoder = read_block(json.object("encoder"), "GraphTransformerForwardMapper", channels);
  config.processor = read_block(json.object("processor"), "GraphTransformerProcessor", channels);
  config.decoder = read_block(json.object("decoder"), "GraphTransformerBackwardMapper", channels);
  read_trainables(json.object("trainable_parameters"), config);
  config.decoder_target.clear();
  for (const auto& name : json.get<std::vector<std::string>>("target_node_features")) {
    config.decoder_target.push_back(read_target(json, name));
  }
  config.latent_skip = json.get<bool>("latent_skip");
  config.residual = read_residual(json.object("residual"));
  const auto& boundings = json.at("bounding");
  for (std::size_t i = 0; i < boundings.size(); ++i) {
    config.boundings.push_back(
        read_bounding({boundings[i], place + "bounding[" + std::to_string(i) + "]."}));
  }
  json.refuse_unread();
  return config;
}

}  // namespace askos::apps
