// SPDX-License-Identifier: Apache-2.0
#include "parity/reference_config.hpp"

#include "parity/json_object.hpp"

#include <askos/base/error.hpp>

#include <algorithm>

namespace askos::apps {
namespace {

using model::BlockConfig;
using model::Bounding;
using model::DatasetConfig;
using model::LatentAggregator;
using model::MlpKind;
using model::NoiseConfig;
using model::Residual;
using model::ShardStrategy;
using model::TargetFeature;

/// Refuses `key` unless it is absent or has the one value that askos computes.
void expect_value(const JsonObject& json, const std::string& key, const nlohmann::json& value) {
  if (json.has(key) && json.at(key) != value) {
    json.refuse_value(key, value.dump());
  }
}

BlockConfig read_block(const JsonObject& json, const char* class_name) {
  expect_value(json, "class", class_name);
  json.ignore({"sub_graph_edge_attributes", "num_layers"});  // read with graph and processor
  BlockConfig block = {
      .channels = json.get<int>("num_channels"),
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
  Bounding bounding{
      .kind = json.choose<Bounding::Kind>(
          "class", {{"ReluBounding", Bounding::Kind::kRelu},
                    {"LeakyReluBounding", Bounding::Kind::kLeakyRelu},
                    {"NormalizedReluBounding", Bounding::Kind::kNormalizedRelu},
                    {"NormalizedLeakyReluBounding", Bounding::Kind::kNormalizedLeakyRelu},
                    {"HardtanhBounding", Bounding::Kind::kHardtanh},
                    {"LeakyHardtanhBounding", Bounding::Kind::kLeakyHardtanh},
                    {"FractionBounding", Bounding::Kind::kFraction},
                    {"LeakyFractionBounding", Bounding::Kind::kLeakyFraction}}),
      .variables = json.get<std::vector<std::string>>("variables")};
  // Limits by name apply to variables in name order, the normalised ones in the order given.
  if (bounding.kind != Bounding::Kind::kNormalizedRelu &&
      bounding.kind != Bounding::Kind::kNormalizedLeakyRelu) {
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

void read_residual(const JsonObject& json, DatasetConfig& dataset) {
  dataset.residual =
      json.choose<Residual>("class", {{"SkipConnection", Residual::kSkip},
                                      {"TruncatedConnection", Residual::kTruncated},
                                      {"ScalarOrnsteinConnection", Residual::kScalarOrnstein},
                                      {"SpectralOrnsteinConnection", Residual::kSpectralOrnstein}});
  dataset.skip_step = json.get<int>("step", -1);
  dataset.ornstein = {.theta = {json.get<double>("theta_init", 0)},
                      .margin = json.get<double>("theta_buff", 0),
                      .trained = json.get<bool>("theta_train", true),
                      .regressors = json.get<std::vector<std::string>>("regressors", {}),
                      .num_degrees = json.get<int>("lmax", 2),
                      .with_mean = json.get<bool>("use_mean", true),
                      .low_pass = json.get<bool>("truncate", false),
                      .anti_aliasing = json.get<bool>("anti_aliasing", true)};
  // Release 0.19 looks its tensors up in a set of integers and so skips no variable.
  json.ignore({"skip_truncate_variables"});
  json.ignore({"truncation_down_edges_name", "truncation_up_edges_name", "edge_weight_attribute",
               "row_normalize",  // how the stored matrices were made
               "grid"});         // the nodes say
  json.refuse_unread();
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

/// What a case says of one dataset: the case itself, or one of its `datasets`.
DatasetConfig read_dataset(const JsonObject& json, const std::string& place) {
  DatasetConfig dataset;
  dataset.name = json.get<std::string>("dataset_name", "data");
  const JsonObject variables = json.object("variables");
  dataset.variables = {.input = variables.get<std::vector<std::string>>("input_order"),
                       .output = variables.get<std::vector<std::string>>("output_order")};
  const bool encoded = json.has("encoder");
  dataset.encoder_name = encoded ? json.get<std::string>("encoder_key", "0") : "";
  if (encoded)
    dataset.encoder = read_block(json.object("encoder"), "GraphTransformerForwardMapper");
  dataset.decoder_name = json.get<std::string>("decoder_key", "0");
  dataset.decoder = read_block(json.object("decoder"), "GraphTransformerBackwardMapper");
  dataset.decoder_target.clear();
  for (const auto& name : json.get<std::vector<std::string>>("target_node_features")) {
    dataset.decoder_target.push_back(read_target(json, name));
  }
  read_residual(json.object("residual"), dataset);
  const auto& boundings = json.at("bounding");
  for (std::size_t i = 0; i < boundings.size(); ++i) {
    dataset.boundings.push_back(
        read_bounding({boundings[i], place + "bounding[" + std::to_string(i) + "]."}));
  }
  return dataset;
}

/// Makes the first dataset the model's own.
void set_first(model::ModelConfig& config, const DatasetConfig& dataset) {
  config.data_name = dataset.name;
  config.variables = dataset.variables;
  config.encoder_name = dataset.encoder_name;
  config.encoder = dataset.encoder;
  config.decoder_name = dataset.decoder_name;
  config.decoder = dataset.decoder;
  config.decoder_target = dataset.decoder_target;
  config.residual = dataset.residual;
  config.skip_step = dataset.skip_step;
  config.ornstein = dataset.ornstein;
  config.boundings = dataset.boundings;
}

void read_datasets(const JsonObject& json, const std::string& place, model::ModelConfig& config) {
  if (!json.has("datasets")) {
    set_first(config, read_dataset(json, place));
    read_trainables(json.object("trainable_parameters"), config);
    return;
  }
  const JsonObject trainables = json.object("node_trainables");
  config.hidden_node_trainables = trainables.get<int>(config.hidden_name, 0);
  const auto& list = json.at("datasets");
  for (std::size_t d = 0; d < list.size(); ++d) {
    const std::string where = place + "datasets[" + std::to_string(d) + "].";
    const JsonObject entry(list[d], where);
    DatasetConfig dataset = read_dataset(entry, where);
    entry.refuse_unread();
    dataset.node_trainables = trainables.get<int>(dataset.name, 0);
    if (d == 0) {
      set_first(config, dataset);
      config.data_node_trainables = dataset.node_trainables;
    } else {
      config.more_datasets.push_back(std::move(dataset));
    }
  }
  trainables.refuse_unread();
}

NoiseConfig read_noise(const JsonObject& json) {
  NoiseConfig noise = {.kind = json.choose<NoiseConfig::Kind>(
                           "class", {{"NoOpNoiseInjector", NoiseConfig::Kind::kNone},
                                     {"NoiseConditioning", NoiseConfig::Kind::kConditioning},
                                     {"NoiseInjector", NoiseConfig::Kind::kInjection}}),
                       .deviation = json.get<double>("noise_std", 1),
                       .channels = json.get<int>("noise_channels_dim", 4),
                       .mlp_channels = json.get<int>("noise_mlp_hidden_dim", 32)};
  json.refuse_unread();
  return noise;
}

}  // namespace

model::ModelConfig read_reference_config(const nlohmann::json& value, const std::string& place) {
  const JsonObject json(value, place);
  json.ignore({"name", "text", "versions", "batch_size", "ensemble_size", "num_nodes", "edges",
               "dims", "measured", "processor_graph_is_symmetric", "loss", "parameters",
               "tolerance", "forecast_step"});
  expect_value(json, "layer_norm_eps", 1e-5);
  expect_value(json, "activation", "gelu (exact, erf)");

  model::ModelConfig config;
  config.forecast_step =
      json.choose<bool>("peer_class", {{"anemoi.models.models.AnemoiModelEncProcDec", false},
                                       {"anemoi.models.models.AnemoiEnsModelEncProcDec", true}});
  if (json.has("noise_injector")) config.noise = read_noise(json.object("noise_injector"));
  config.latent_aggregator = json.choose<LatentAggregator>(
      "latent_aggregator", {{"sum", LatentAggregator::kSum},
                            {"SumAggregator", LatentAggregator::kSum},
                            {"MeanAggregator", LatentAggregator::kMean},
                            {"ConcatAggregator", LatentAggregator::kConcat}});
  config.hidden_name = json.get<std::string>("hidden_name", "hidden");
  config.num_input_steps = json.get<int>("n_step_input");
  config.num_output_steps = json.get<int>("n_step_output");
  config.num_channels = json.get<int>("num_channels");
  config.num_layers = json.object("processor").get<int>("num_layers");
  config.processor = read_block(json.object("processor"), "GraphTransformerProcessor");
  config.latent_skip = json.get<bool>("latent_skip");
  read_datasets(json, place, config);
  json.refuse_unread();
  return config;
}

}  // namespace askos::apps
