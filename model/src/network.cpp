// SPDX-License-Identifier: Apache-2.0
#include "boundings.hpp"
#include "inputs.hpp"
#include "mapper.hpp"
#include "noise.hpp"
#include "residual.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/attention.hpp>
#include <askos/model/network.hpp>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <list>

namespace askos::model {
namespace {

/// Returns `config` once it fits the graph, with the attention that the environment asks for.
ModelConfig checked(const ModelConfig& config, const Graph& graph) {
  validate(config);
  if (config.more_datasets.size() != graph.more_grids.size()) {
    throw Error(Errc::kInvalidInput, "the graph needs one grid per dataset")
        .with("datasets", config.more_datasets.size() + 1)
        .with("grids", graph.more_grids.size() + 1);
  }
  ModelConfig result = config;
  result.attention = with_environment_attention(config.attention);
  return result;
}

/// One dataset's part of the network.
struct Dataset {
  DatasetConfig config;
  DataPlan plan;
  comm::Range own;
  std::optional<NodeAttributes> nodes;
  std::optional<DatasetInputs> inputs;
  std::optional<EdgeFeatures> encoder_edges;  // undefined: not encoded
  std::optional<EdgeFeatures> decoder_edges;  // undefined: not decoded
  std::optional<Mapper> decoder;
  std::optional<ResidualConnection> residual;
  std::optional<Boundings> boundings;
};

at::Tensor aggregated(LatentAggregator aggregator, const std::vector<at::Tensor>& latents) {
  if (latents.size() == 1) return latents[0];
  if (aggregator == LatentAggregator::kConcat) return at::cat(latents, 2);
  at::Tensor sum = latents[0];
  for (std::size_t i = 1; i < latents.size(); ++i) sum = sum + latents[i];
  return aggregator == LatentAggregator::kSum ? sum : sum / static_cast<double>(latents.size());
}

}  // namespace

struct Network::Parts {
  Parts(const ModelConfig& model_config,
        const Graph& graph,
        comm::Communicator& model_ranks,
        const NetworkOptions& options);

  // Parameters are made in the reference's order: attributes of nodes, then part by part.
  void add_datasets(const Graph& graph);
  void add_encoders(const Graph& graph);
  void add_processor(const Graph& graph);
  void add_decoders(const Graph& graph);

  [[nodiscard]] at::Tensor output(const Dataset& dataset,
                                  const at::Tensor& latent,
                                  const at::Tensor& x,
                                  const at::Tensor& encoded) const;

  ModelConfig config;
  comm::Communicator& ranks;
  GraphPlan plan;
  Parameters parameters;
  std::list<Dataset> datasets;  // its parts point at each other
  std::optional<NodeAttributes> hidden;
  std::map<std::string, Mapper> encoders;  // datasets may share one
  std::optional<EdgeFeatures> processor_edges;
  std::optional<Processor> processor;
  std::optional<NoiseInjector> noise;
};

Network::Parts::Parts(const ModelConfig& model_config,
                      const Graph& graph,
                      comm::Communicator& model_ranks,
                      const NetworkOptions& options)
    : config(checked(model_config, graph)),
      ranks(model_ranks),
      plan(to_device(make_graph_plan(graph,
                                     ranks,
                                     {.encoder_chunks = config.encoder.num_chunks,
                                      .decoder_chunks = config.decoder.num_chunks,
                                      .encoder = config.encoder.shard_strategy,
                                      .processor = config.processor.shard_strategy,
                                      .decoder = config.decoder.shard_strategy}),
                     options.device)),
      parameters(options.float64 ? at::kDouble : at::kFloat, options.seed, options.device) {
  add_datasets(graph);
  add_encoders(graph);
  add_processor(graph);
  add_decoders(graph);
  const comm::Range own_hidden = comm::shard_range(plan.hidden_sizes, plan.rank);
  if (config.noise.kind != NoiseConfig::Kind::kNone) {
    noise.emplace(parameters, config.noise, channels_of(config.processor, config),
                  graph.noise_projection, own_hidden);
  }
  const auto grids = data_grids(graph);
  std::size_t g = 0;
  for (Dataset& dataset : datasets) {
    const DataGridView& grid = grids[g++];
    if (dataset.config.decoder_name.empty()) continue;
    dataset.residual.emplace(parameters, dataset.config, grid, dataset.own);
    dataset.boundings.emplace(parameters, dataset.config);
  }
}

void Network::Parts::add_datasets(const Graph& graph) {
  const auto grids = data_grids(graph);
  for (DatasetConfig& dataset_config : model::datasets(config)) {
    const std::size_t d = datasets.size();
    Dataset& dataset = datasets.emplace_back();
    dataset.config = std::move(dataset_config);
    dataset.plan =
        d == 0 ? DataPlan{plan.data_sizes, plan.encoder, plan.decoder} : plan.more[d - 1];
    dataset.own = comm::shard_range(dataset.plan.sizes, plan.rank);
    dataset.nodes.emplace(parameters, dataset.config.name, grids[d].nodes,
                          dataset.config.node_trainables, dataset.own);
    dataset.inputs.emplace(config, dataset.config, *dataset.nodes);
  }
  hidden.emplace(parameters, config.hidden_name, graph.hidden, config.hidden_node_trainables,
                 comm::shard_range(plan.hidden_sizes, plan.rank));
}

void Network::Parts::add_encoders(const Graph& graph) {
  const auto grids = data_grids(graph);
  std::size_t g = 0;
  for (Dataset& dataset : datasets) {
    const Edges& edges = grids[g++].to_hidden;
    if (dataset.config.encoder_name.empty()) continue;
    dataset.encoder_edges.emplace(parameters, "encoder_graph_provider." + dataset.config.name,
                                  edges.size(), dataset.config.encoder.edge_trainables,
                                  dataset.plan.encoder);
  }
  for (const Dataset& dataset : datasets) {
    const std::string& name = dataset.config.encoder_name;
    if (name.empty() || encoders.contains(name)) continue;
    encoders.emplace(name, Mapper(parameters, "encoder." + name, dataset.config.encoder,
                                  {.source_features = dataset.inputs->encoded_size(),
                                   .destination_features = hidden->size(),
                                   .channels = channels_of(dataset.config.encoder, config),
                                   .edge_features = dataset.encoder_edges->size(),
                                   .attention = config.attention}));
  }
}

void Network::Parts::add_processor(const Graph& graph) {
  processor_edges.emplace(parameters, "processor_graph_provider", graph.hidden_to_hidden.size(),
                          config.processor.edge_trainables, plan.processor);
  const bool conditional = config.noise.kind == NoiseConfig::Kind::kConditioning;
  processor.emplace(
      parameters, "processor", config.processor,
      Processor::Shape{.num_layers = config.num_layers,
                       .channels = channels_of(config.processor, config),
                       .edge_features = processor_edges->size(),
                       .attention = config.attention,
                       .condition_features = conditional ? config.noise.channels : 0});
}

void Network::Parts::add_decoders(const Graph& graph) {
  const auto grids = data_grids(graph);
  std::size_t g = 0;
  for (Dataset& dataset : datasets) {
    const Edges& edges = grids[g++].from_hidden;
    if (dataset.config.decoder_name.empty()) continue;
    dataset.decoder_edges.emplace(parameters, "decoder_graph_provider." + dataset.config.name,
                                  edges.size(), dataset.config.decoder.edge_trainables,
                                  dataset.plan.decoder);
  }
  const int latent = channels_of(config.processor, config);
  for (Dataset& dataset : datasets) {
    if (dataset.config.decoder_name.empty()) continue;
    const int channels = channels_of(dataset.config.decoder, config);
    const auto num_outputs = static_cast<std::int64_t>(dataset.config.variables.output.size());
    dataset.decoder.emplace(parameters, "decoder." + dataset.config.decoder_name,
                            dataset.config.decoder,
                            Mapper::Shape{.source_features = latent == channels ? 0 : latent,
                                          .destination_features = dataset.inputs->target_size(),
                                          .channels = channels,
                                          .edge_features = dataset.decoder_edges->size(),
                                          .outputs = config.num_output_steps * num_outputs,
                                          .attention = config.attention,
                                          .zero_output_layer = config.zero_output_layer});
  }
}

at::Tensor Network::Parts::output(const Dataset& dataset,
                                  const at::Tensor& latent,
                                  const at::Tensor& x,
                                  const at::Tensor& encoded) const {
  const at::Tensor decoded =
      (*dataset.decoder)(latent, dataset.inputs->target(x, encoded), (*dataset.decoder_edges)(),
                         dataset.plan.decoder, ranks);  // [batch, own data node, time * variable]
  const at::Tensor y =
      decoded
          .unflatten(2, {config.num_output_steps,
                         static_cast<std::int64_t>(dataset.config.variables.output.size())})
          .transpose(1, 2)
          .to(x.scalar_type())  // under autocast the last layer gives another one
          .contiguous();        // [batch, time, own data node, variable]
  return (*dataset.boundings)(dataset.residual->add(y, x, dataset.plan.sizes, ranks));
}

Network::Network(const ModelConfig& config,
                 const Graph& graph,
                 comm::Communicator& ranks,
                 const NetworkOptions& options)
    : parts_(std::make_unique<Parts>(config, graph, ranks, options)) {}

Network::~Network() = default;

std::vector<at::Tensor> Network::forward_all(const std::vector<at::Tensor>& x,
                                             const ForwardOptions& options) const {
  const Parts& parts = *parts_;
  if (x.size() != parts.datasets.size()) {
    throw Error(Errc::kShapeMismatch, "one input per dataset is needed")
        .with("inputs", x.size())
        .with("datasets", parts.datasets.size());
  }
  std::vector<at::Tensor> seen;
  std::vector<at::Tensor> encoded;
  std::vector<at::Tensor> latents;
  const at::Tensor hidden = for_batch(parts.hidden->all(), x[0].size(0));
  for (const Dataset& dataset : parts.datasets) {
    at::Tensor fields = x[encoded.size()];
    dataset.inputs->check(fields, parts.parameters.dtype(), dataset.own.size(), parts.plan.rank);
    if (dataset.residual) fields = dataset.residual->seen(fields, dataset.plan.sizes, parts.ranks);
    seen.push_back(fields);
    encoded.emplace_back();
    if (!dataset.encoder_edges) continue;
    encoded.back() = dataset.inputs->encoded(fields, options);
    latents.push_back(parts.encoders.at(dataset.config.encoder_name)(
        encoded.back(), hidden, (*dataset.encoder_edges)(), dataset.plan.encoder, parts.ranks));
  }
  const at::Tensor latent = aggregated(parts.config.latent_aggregator, latents);
  NoiseInjector::Result noisy = {.latent = latent, .condition = {}};
  if (parts.noise) noisy = (*parts.noise)(latent, options);
  at::Tensor processed = (*parts.processor)(noisy.latent, (*parts.processor_edges)(),
                                            parts.plan.processor, parts.ranks, noisy.condition);
  if (parts.config.latent_skip) processed = processed + latent;
  std::vector<at::Tensor> results;
  for (const Dataset& dataset : parts.datasets) {
    const std::size_t d = results.size();
    results.emplace_back();
    if (dataset.decoder) results[d] = parts.output(dataset, processed, seen[d], encoded[d]);
  }
  return results;
}

at::Tensor Network::forward(const at::Tensor& x, const ForwardOptions& options) const {
  return forward_all({x}, options)[0];
}

at::Tensor Network::predict(const at::Tensor& x, const ForwardOptions& options) const {
  const c10::AutoGradMode no_grad(false);
  return forward(x, options);
}

Parameters& Network::parameters() noexcept {
  return parts_->parameters;
}
const Parameters& Network::parameters() const noexcept {
  return parts_->parameters;
}
const GraphPlan& Network::plan() const noexcept {
  return parts_->plan;
}
const ModelConfig& Network::config() const noexcept {
  return parts_->config;
}

comm::Range Network::own_data(std::size_t dataset) const noexcept {
  const GraphPlan& plan = parts_->plan;
  return comm::shard_range(dataset == 0 ? plan.data_sizes : plan.more[dataset - 1].sizes,
                           plan.rank);
}

std::map<std::string, std::int64_t> Network::activation_rows() const {
  const GraphPlan& plan = parts_->plan;
  return {{"data", plan.decoder.destinations.size()},
          {"hidden", plan.processor.destinations.size()},
          {"encoder_sources", plan.encoder.index.num_sources},
          {"processor_sources", plan.processor.index.num_sources},
          {"decoder_sources", plan.decoder.index.num_sources}};
}

}  // namespace askos::model
