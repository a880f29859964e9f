// SPDX-License-Identifier: Apache-2.0
#include "faults.hpp"

#include <askos/model/config.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace askos::model {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool all_different(const std::vector<std::string>& names) {
  return std::set<std::string>(names.begin(), names.end()).size() == names.size();
}

void check_block(Faults& faults,
                 const std::string& name,
                 const BlockConfig& block,
                 const ModelConfig& config) {
  const int channels = channels_of(block, config);
  const int width = block.attention_channels > 0 ? block.attention_channels : channels;
  faults.check(channels > 0, name + ".channels must be positive");
  faults.check(block.num_heads > 0 && width % std::max(1, block.num_heads) == 0,
               name + ".num_heads must divide the attention channels");
  faults.check(block.mlp_hidden_ratio > 0, name + ".mlp_hidden_ratio must be positive");
  faults.check(block.edge_trainables >= 0, name + ".edge_trainables must not be negative");
  faults.check(block.num_chunks >= 0, name + ".num_chunks must not be negative");
}

void check_bounding(Faults& faults, const Bounding& bounding, const Variables& variables) {
  using Kind = Bounding::Kind;
  for (const auto& name : bounding.variables) {
    faults.check(has(variables.output, name), "bounding of '" + name + "', which is no output");
  }
  if (bounding.kind == Kind::kFraction || bounding.kind == Kind::kLeakyFraction) {
    faults.check(has(variables.output, bounding.total),
                 "bounding by '" + bounding.total + "', which is no output");
  }
  if (bounding.kind == Kind::kNormalizedRelu || bounding.kind == Kind::kNormalizedLeakyRelu) {
    faults.check(bounding.minimum.size() == bounding.variables.size(),
                 "a normalised bounding needs one minimum per variable");
  }
}

void check_ornstein(Faults& faults, const DatasetConfig& dataset) {
  const OrnsteinConfig& ornstein = dataset.ornstein;
  const auto& [input, output] = dataset.variables;
  const auto num_prognostic = std::count_if(
      input.begin(), input.end(), [&](const std::string& name) { return has(output, name); });
  faults.check(ornstein.theta.size() <= 1 ||
                   ornstein.theta.size() == static_cast<std::size_t>(num_prognostic),
               "ornstein.theta needs one value or one per prognostic variable");
  faults.check(ornstein.margin >= 0 && ornstein.margin < 1, "ornstein.margin must be in [0, 1)");
  for (const auto& name : ornstein.regressors) {
    faults.check(has(input, name), "ornstein regressor '" + name + "' is no input");
  }
  faults.check(dataset.residual != Residual::kSpectralOrnstein || ornstein.num_degrees >= 2,
               "ornstein.num_degrees must be at least 2");
  faults.check(!ornstein.low_pass || dataset.residual == Residual::kSpectralOrnstein,
               "ornstein.low_pass is for spectral residuals");
  faults.check(!ornstein.low_pass || ornstein.theta.empty() || ornstein.theta[0] < 0.5,
               "ornstein.theta must be below 0.5 with a low pass");
}

void check_dataset(Faults& faults, const DatasetConfig& dataset, const ModelConfig& config) {
  const auto& [input, output] = dataset.variables;
  faults.check(!input.empty(), "no input variables");
  faults.check(!output.empty() || dataset.decoder_name.empty(), "no output variables");
  faults.check(all_different(input) && all_different(output), "a variable is named twice");
  faults.check(dataset.node_trainables >= 0, "node trainables must not be negative");
  if (!dataset.encoder_name.empty()) check_block(faults, "encoder", dataset.encoder, config);
  if (dataset.decoder_name.empty()) return;
  check_block(faults, "decoder", dataset.decoder, config);
  faults.check(!dataset.decoder_target.empty(), "decoder_target is empty");
  const auto& target = dataset.decoder_target;
  faults.check(
      !dataset.encoder_name.empty() ||
          std::find(target.begin(), target.end(), TargetFeature::kEncodedData) == target.end(),
      "decoder_target has the encoder's features, but the dataset has no encoder");
  faults.check(
      dataset.skip_step >= -config.num_input_steps && dataset.skip_step < config.num_input_steps,
      "skip_step is no input step");
  check_ornstein(faults, dataset);
  for (const auto& bounding : dataset.boundings)
    check_bounding(faults, bounding, dataset.variables);
}

/// Width of the latent state that the processor takes.
int latent_channels(const std::vector<DatasetConfig>& list, const ModelConfig& config) {
  int sum = 0;
  for (const auto& dataset : list) {
    if (dataset.encoder_name.empty()) continue;
    const int channels = channels_of(dataset.encoder, config);
    sum = config.latent_aggregator == LatentAggregator::kConcat ? sum + channels : channels;
  }
  return sum;
}

void check_together(Faults& faults,
                    const std::vector<DatasetConfig>& list,
                    const ModelConfig& config) {
  std::vector<std::string> names = {config.hidden_name};
  std::vector<std::string> decoders;
  std::set<int> widths;
  std::map<std::string, std::size_t> encoder_inputs;
  for (const auto& dataset : list) {
    names.push_back(dataset.name);
    if (!dataset.decoder_name.empty()) decoders.push_back(dataset.decoder_name);
    if (dataset.encoder_name.empty()) continue;
    widths.insert(channels_of(dataset.encoder, config));
    const std::size_t size =
        dataset.variables.input.size() * static_cast<std::size_t>(config.num_input_steps) +
        static_cast<std::size_t>(std::max(0, dataset.node_trainables));
    const auto [entry, added] = encoder_inputs.emplace(dataset.encoder_name, size);
    faults.check(added || entry->second == size,
                 "datasets of one encoder have different numbers of features");
  }
  faults.check(all_different(names), "a dataset is named twice");
  faults.check(all_different(decoders), "a decoder serves one dataset");
  faults.check(!encoder_inputs.empty(), "no dataset has an encoder");
  faults.check(!decoders.empty(), "no dataset has a decoder");
  faults.check(widths.size() <= 1 || config.latent_aggregator == LatentAggregator::kConcat,
               "encoders of different widths can only be concatenated");
  faults.check(latent_channels(list, config) == channels_of(config.processor, config),
               "processor.channels must be those of the aggregated encoders");
}

}  // namespace

std::vector<DatasetConfig> datasets(const ModelConfig& config) {
  std::vector<DatasetConfig> list = {{.name = config.data_name,
                                      .variables = config.variables,
                                      .node_trainables = config.data_node_trainables,
                                      .encoder_name = config.encoder_name,
                                      .encoder = config.encoder,
                                      .decoder_name = config.decoder_name,
                                      .decoder = config.decoder,
                                      .decoder_target = config.decoder_target,
                                      .residual = config.residual,
                                      .skip_step = config.skip_step,
                                      .ornstein = config.ornstein,
                                      .boundings = config.boundings}};
  list.insert(list.end(), config.more_datasets.begin(), config.more_datasets.end());
  return list;
}

int channels_of(const BlockConfig& block, const ModelConfig& config) noexcept {
  return block.channels > 0 ? block.channels : config.num_channels;
}

void validate(const ModelConfig& config) {
  Faults faults;
  faults.check(config.num_input_steps > 0, "num_input_steps must be positive");
  faults.check(config.num_output_steps > 0, "num_output_steps must be positive");
  faults.check(config.num_channels > 0, "num_channels must be positive");
  faults.check(config.num_layers >= 0, "num_layers must not be negative");
  faults.check(config.hidden_node_trainables >= 0, "node trainables must not be negative");
  check_block(faults, "processor", config.processor, config);
  faults.check(
      config.processor.num_chunks <= 1 || (config.processor.num_chunks <= config.num_layers &&
                                           config.num_layers % config.processor.num_chunks == 0),
      "processor.num_chunks must divide num_layers");
  faults.check(config.noise.kind == NoiseConfig::Kind::kNone ||
                   (config.noise.channels > 0 && config.noise.mlp_channels > 0),
               "noise channels must be positive");
  faults.check(std::isfinite(config.noise.deviation) && config.noise.deviation >= 0,
               "noise.deviation must not be negative");
  const auto list = datasets(config);
  for (const auto& dataset : list) check_dataset(faults, dataset, config);
  check_together(faults, list, config);
  faults.throw_if_any("model configuration is not valid");
}

std::vector<std::string> parts_with_idle_ranks(const ModelConfig& config, int num_ranks) {
  std::vector<std::string> parts;
  const auto check = [&](const char* part, const BlockConfig& block) {
    if (block.shard_strategy == ShardStrategy::kHeads && num_ranks > block.num_heads) {
      parts.emplace_back(part);
    }
  };
  check("encoder", config.encoder);
  check("processor", config.processor);
  check("decoder", config.decoder);
  return parts;
}

}  // namespace askos::model
