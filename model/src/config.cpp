// SPDX-License-Identifier: Apache-2.0
#include "faults.hpp"

#include <askos/model/config.hpp>

#include <algorithm>
#include <set>

namespace askos::model {
namespace {

void check_block(Faults& faults, const std::string& name, const BlockConfig& block, int channels) {
  const int width = block.attention_channels > 0 ? block.attention_channels : channels;
  faults.check(block.num_heads > 0 && width % std::max(1, block.num_heads) == 0,
               name + ".num_heads must divide the attention channels");
  faults.check(block.mlp_hidden_ratio > 0, name + ".mlp_hidden_ratio must be positive");
  faults.check(block.edge_trainables >= 0, name + ".edge_trainables must not be negative");
  faults.check(block.num_chunks >= 0, name + ".num_chunks must not be negative");
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool all_different(const std::vector<std::string>& names) {
  return std::set<std::string>(names.begin(), names.end()).size() == names.size();
}

void check_bounding(Faults& faults, const Bounding& bounding, const Variables& variables) {
  for (const auto& name : bounding.variables) {
    faults.check(has(variables.output, name), "bounding of '" + name + "', which is no output");
  }
  if (bounding.kind == Bounding::Kind::kFraction) {
    faults.check(has(variables.output, bounding.total),
                 "bounding by '" + bounding.total + "', which is no output");
  }
  if (bounding.kind == Bounding::Kind::kNormalizedRelu) {
    faults.check(bounding.minimum.size() == bounding.variables.size(),
                 "a normalised bounding needs one minimum per variable");
  }
}

}  // namespace

void validate(const ModelConfig& config) {
  Faults faults;
  faults.check(!config.variables.input.empty(), "no input variables");
  faults.check(!config.variables.output.empty(), "no output variables");
  faults.check(all_different(config.variables.input) && all_different(config.variables.output),
               "a variable is named twice");
  faults.check(config.num_input_steps > 0, "num_input_steps must be positive");
  faults.check(config.num_output_steps > 0, "num_output_steps must be positive");
  faults.check(config.num_channels > 0, "num_channels must be positive");
  faults.check(config.num_layers >= 0, "num_layers must not be negative");
  faults.check(config.data_node_trainables >= 0 && config.hidden_node_trainables >= 0,
               "node trainables must not be negative");
  faults.check(!config.decoder_target.empty(), "decoder_target is empty");
  check_block(faults, "encoder", config.encoder, config.num_channels);
  check_block(faults, "processor", config.processor, config.num_channels);
  check_block(faults, "decoder", config.decoder, config.num_channels);
  faults.check(config.processor.num_chunks <= std::max(1, config.num_layers),
               "processor.num_chunks must not exceed num_layers");
  for (const auto& bounding : config.boundings) check_bounding(faults, bounding, config.variables);
  faults.throw_if_any("model configuration is not valid");
}

}  // namespace askos::model
