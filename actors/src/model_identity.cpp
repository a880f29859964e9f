// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/checkpointer.hpp>

namespace askos::actors {
namespace {

io::Metadata names(const std::vector<std::string>& list) {
  io::Metadata::Array array;
  for (const auto& name : list) {
    array.emplace_back(name);
  }
  return array;
}

}  // namespace

bool add_differences(Error& error, const io::Metadata& expected, const io::Metadata& found) {
  bool differs = false;
  for (const auto& [key, value] : expected.as_object()) {
    const auto other = found.has(key) ? found.at(key) : io::Metadata();
    if (!(other == value)) {
      error.with(key,
                 "expected " + io::to_json(value, true) + ", found " + io::to_json(other, true));
      differs = true;
    }
  }
  return differs;
}

io::Metadata model_identity(const RunContext& run) {
  const DataConfig& data = run.config.data;
  const model::ModelConfig& model = run.config.model;
  const auto& block = model.encoder;
  io::Metadata::Object normalizers;
  for (const auto& [variable, method] : data.normalizers) {
    normalizers[variable] = method;
  }
  return io::Metadata::Object{
      {"data.uuid", run.index->info().uuid},
      {"data.input_steps", data.num_input_steps},
      {"data.output_steps", data.num_output_steps},
      {"data.normalizer", data.normalizer},
      {"data.normalizers", normalizers},
      {"graph.data_nodes", run.graph.data.size()},
      {"graph.hidden_nodes", run.graph.hidden.size()},
      {"graph.encoder_edges", run.graph.data_to_hidden.size()},
      {"graph.processor_edges", run.graph.hidden_to_hidden.size()},
      {"graph.decoder_edges", run.graph.hidden_to_data.size()},
      {"model.input_variables", names(model.variables.input)},
      {"model.output_variables", names(model.variables.output)},
      {"model.dtype", std::string(to_string(run.config.dtype))},
      {"model.channels", model.num_channels},
      {"model.heads", block.num_heads},
      {"model.layers", model.num_layers},
      {"model.mlp_hidden_ratio", block.mlp_hidden_ratio},
      {"model.qk_norm", block.qk_norm},
      {"model.latent_skip", model.latent_skip},
      {"model.node_trainables", model.data_node_trainables},
      {"model.edge_trainables", block.edge_trainables},
      {"model.noise", static_cast<std::int64_t>(model.noise.kind)},
      {"model.noise_channels", model.noise.channels},
  };
}

}  // namespace askos::actors
