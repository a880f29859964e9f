// SPDX-License-Identifier: Apache-2.0
#include "mapper.hpp"
#include "output.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/network.hpp>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <sstream>

namespace askos::model {
namespace {

/// Positions of variables by role, along the axes of input and output.
struct Roles {
  explicit Roles(const Variables& variables) {
    std::vector<std::int64_t> in;
    std::vector<std::int64_t> out;
    std::vector<std::int64_t> forcing;
    const auto& output = variables.output;
    for (std::size_t i = 0; i < variables.input.size(); ++i) {
      const auto found = std::find(output.begin(), output.end(), variables.input[i]);
      if (found == output.end()) {
        forcing.push_back(static_cast<std::int64_t>(i));
      } else {
        in.push_back(static_cast<std::int64_t>(i));
        out.push_back(found - output.begin());
      }
    }
    prognostic_in = at::tensor(in, at::kLong);
    prognostic_out = at::tensor(out, at::kLong);
    forcings = at::tensor(forcing, at::kLong);
  }

  at::Tensor prognostic_in;   // int64, positions of prognostic variables in the input …
  at::Tensor prognostic_out;  // … and, in the same order, in the output
  at::Tensor forcings;        // int64, positions in the input
};

/// Coordinates and trainable numbers of one rank's nodes.
class NodeAttributes {
 public:
  NodeAttributes(Parameters& parameters,
                 const std::string& name,
                 const Nodes& nodes,
                 int num_trainables,
                 comm::Range own)
      : own_(own), num_trainables_(num_trainables) {
    const at::Tensor lat = at::tensor(nodes.lat, at::kDouble);
    const at::Tensor lon = at::tensor(nodes.lon, at::kDouble);
    coordinates_ =
        at::stack({lat.sin(), lon.sin(), lat.cos(), lon.cos()}, 1).to(parameters.dtype());
    parameters.buffer("node_attributes.latlons_" + name, coordinates_);
    if (num_trainables > 0) {
      trainables_ = parameters.constant("node_attributes.trainable_tensors." + name + ".trainable",
                                        {nodes.size(), num_trainables}, 0);
    }
  }

  [[nodiscard]] std::int64_t size() const noexcept { return 4 + num_trainables_; }
  /// [own node, 4]
  [[nodiscard]] at::Tensor coordinates() const {
    return coordinates_.narrow(0, own_.begin, own_.size());
  }
  /// [own node, trainable], perhaps none
  [[nodiscard]] at::Tensor trainables() const {
    if (num_trainables_ == 0) return coordinates().narrow(1, 0, 0);
    return trainables_.narrow(0, own_.begin, own_.size());
  }
  /// [own node, 4 + trainable]
  [[nodiscard]] at::Tensor all() const { return at::cat({coordinates(), trainables()}, 1); }

 private:
  comm::Range own_;
  std::int64_t num_trainables_;
  at::Tensor coordinates_;
  at::Tensor trainables_;
};

/// Features of one rank's edges: attributes of the graph and trainable numbers.
class EdgeFeatures {
 public:
  EdgeFeatures(Parameters& parameters,
               const std::string& name,
               std::int64_t num_edges,
               int num_trainables,
               const EdgePlan& plan)
      : own_(plan.edges), attributes_(plan.attributes.to(parameters.dtype())) {
    // 1: trainables are stored in the order of edges sorted by destination.
    parameters.buffer(name + ".trainable_layout_version", at::ones({}, at::kLong));
    if (num_trainables > 0) {
      trainables_ =
          parameters.constant(name + ".trainable.trainable", {num_edges, num_trainables}, 0);
    }
  }

  [[nodiscard]] std::int64_t size() const {
    return attributes_.size(1) + (trainables_.defined() ? trainables_.size(1) : 0);
  }
  /// [own edge, feature]
  [[nodiscard]] at::Tensor operator()() const {
    if (!trainables_.defined()) return attributes_;
    return at::cat({attributes_, trainables_.narrow(0, own_.begin, own_.size())}, 1);
  }

 private:
  comm::Range own_;
  at::Tensor attributes_;
  at::Tensor trainables_;
};

/// [batch, time, node, variable] to [batch, node, time * variable], time slowest.
at::Tensor columns(const at::Tensor& x) {
  return x.transpose(1, 2).flatten(2);
}

/// [node, feature] to [batch, node, feature].
at::Tensor for_batch(const at::Tensor& x, std::int64_t batch) {
  return x.unsqueeze(0).expand({batch, -1, -1});
}

}  // namespace

struct Network::Parts {
  Parts(const ModelConfig& model_config,
        const Graph& graph,
        comm::Communicator& model_ranks,
        const NetworkOptions& options);

  [[nodiscard]] at::Tensor decoder_target(const at::Tensor& x, const at::Tensor& encoded) const;
  [[nodiscard]] at::Tensor add_residual(const at::Tensor& y, const at::Tensor& x) const;
  [[nodiscard]] std::int64_t target_size() const;
  void check_input(const at::Tensor& x) const;

  ModelConfig config;
  comm::Communicator& ranks;
  GraphPlan plan;
  Parameters parameters;
  Roles roles;
  // In the order of the reference's parameters.
  NodeAttributes data;
  NodeAttributes hidden;
  EdgeFeatures encoder_edges;
  Mapper encoder;
  EdgeFeatures processor_edges;
  Processor processor;
  EdgeFeatures decoder_edges;
  Mapper decoder;
  std::optional<Truncation> truncation;
  Boundings boundings;
};

namespace {

ModelConfig checked(const ModelConfig& config, const Graph& graph) {
  validate(config);
  if (config.residual == Residual::kTruncated && graph.truncation_down.num_rows == 0) {
    throw Error(Errc::kInvalidInput, "a truncated residual needs a graph with truncation matrices");
  }
  return config;
}

std::int64_t input_size(const ModelConfig& config) {
  return config.num_input_steps * static_cast<std::int64_t>(config.variables.input.size());
}

}  // namespace

Network::Parts::Parts(const ModelConfig& model_config,
                      const Graph& graph,
                      comm::Communicator& model_ranks,
                      const NetworkOptions& options)
    : config(checked(model_config, graph)),
      ranks(model_ranks),
      plan(make_graph_plan(graph,
                           ranks,
                           {.encoder_chunks = config.encoder.num_chunks,
                            .decoder_chunks = config.decoder.num_chunks})),
      parameters(options.float64 ? at::kDouble : at::kFloat, options.seed),
      roles(config.variables),
      data(parameters,
           config.data_name,
           graph.data,
           config.data_node_trainables,
           comm::shard_range(plan.data_sizes, plan.rank)),
      hidden(parameters,
             config.hidden_name,
             graph.hidden,
             config.hidden_node_trainables,
             comm::shard_range(plan.hidden_sizes, plan.rank)),
      encoder_edges(parameters,
                    "encoder_graph_provider." + config.data_name,
                    graph.data_to_hidden.size(),
                    config.encoder.edge_trainables,
                    plan.encoder),
      encoder(parameters,
              "encoder." + config.encoder_name,
              config.encoder,
              {.source_features = input_size(config) + data.size(),
               .destination_features = hidden.size(),
               .channels = config.num_channels,
               .edge_features = encoder_edges.size(),
               .attention = config.attention}),
      processor_edges(parameters,
                      "processor_graph_provider",
                      graph.hidden_to_hidden.size(),
                      config.processor.edge_trainables,
                      plan.processor),
      processor(parameters,
                "processor",
                config.processor,
                {.num_layers = config.num_layers,
                 .channels = config.num_channels,
                 .edge_features = processor_edges.size(),
                 .attention = config.attention}),
      decoder_edges(parameters,
                    "decoder_graph_provider." + config.data_name,
                    graph.hidden_to_data.size(),
                    config.decoder.edge_trainables,
                    plan.decoder),
      decoder(parameters,
              "decoder." + config.decoder_name,
              config.decoder,
              {.destination_features = target_size(),
               .channels = config.num_channels,
               .edge_features = decoder_edges.size(),
               .outputs = config.num_output_steps *
                          static_cast<std::int64_t>(config.variables.output.size()),
               .attention = config.attention,
               .zero_output_layer = config.zero_output_layer}),
      boundings(parameters, config) {
  if (config.residual == Residual::kTruncated) truncation.emplace(graph, parameters.dtype());
}

std::int64_t Network::Parts::target_size() const {
  std::int64_t size = 0;
  for (const auto feature : config.decoder_target) {
    switch (feature) {
      case TargetFeature::kEncodedData: size += input_size(config) + data.size(); break;
      case TargetFeature::kCoordinates: size += 4; break;
      case TargetFeature::kForcings: size += config.num_input_steps * roles.forcings.numel(); break;
      case TargetFeature::kPrognostics:
        size += config.num_input_steps * roles.prognostic_in.numel();
        break;
      case TargetFeature::kTrainables: size += data.size() - 4; break;
    }
  }
  return size;
}

/// What the decoder knows about its destinations: [batch, own data node, feature].
at::Tensor Network::Parts::decoder_target(const at::Tensor& x, const at::Tensor& encoded) const {
  std::vector<at::Tensor> features;
  for (const auto feature : config.decoder_target) {
    switch (feature) {
      case TargetFeature::kEncodedData: features.push_back(encoded); break;
      case TargetFeature::kCoordinates:
        features.push_back(for_batch(data.coordinates(), x.size(0)));
        break;
      case TargetFeature::kForcings:
        features.push_back(columns(x.index_select(3, roles.forcings)));
        break;
      case TargetFeature::kPrognostics:
        features.push_back(columns(x.index_select(3, roles.prognostic_in)));
        break;
      case TargetFeature::kTrainables:
        features.push_back(for_batch(data.trainables(), x.size(0)));
        break;
    }
  }
  return features.size() == 1 ? features[0] : at::cat(features, 2);
}

at::Tensor Network::Parts::add_residual(const at::Tensor& y, const at::Tensor& x) const {
  if (config.residual == Residual::kNone) return y;
  at::Tensor last = x.select(1, x.size(1) - 1).index_select(2, roles.prognostic_in);
  if (truncation) last = (*truncation)(last, plan.data_sizes, ranks);
  return y.index_add(3, roles.prognostic_out, last.unsqueeze(1).expand({-1, y.size(1), -1, -1}));
}

void Network::Parts::check_input(const at::Tensor& x) const {
  if (x.scalar_type() != parameters.dtype()) {
    throw Error(Errc::kTypeMismatch, "input has another dtype than the network")
        .with("input", c10::toString(x.scalar_type()))
        .with("network", c10::toString(parameters.dtype()));
  }
  const std::vector<std::int64_t> wanted = {
      config.num_input_steps, comm::shard_range(plan.data_sizes, plan.rank).size(),
      static_cast<std::int64_t>(config.variables.input.size())};
  if (x.dim() != 4 || x.sizes().slice(1) != at::IntArrayRef(wanted)) {
    std::ostringstream offered;
    std::ostringstream expected;
    offered << x.sizes();
    expected << "[batch, " << wanted[0] << ", " << wanted[1] << ", " << wanted[2] << "]";
    throw Error(Errc::kShapeMismatch, "input does not have this rank's shape")
        .with("rank", plan.rank)
        .with("input", offered.str())
        .with("expected", expected.str());
  }
}

Network::Network(const ModelConfig& config,
                 const Graph& graph,
                 comm::Communicator& ranks,
                 const NetworkOptions& options)
    : parts_(std::make_unique<Parts>(config, graph, ranks, options)) {}

Network::~Network() = default;

at::Tensor Network::forward(const at::Tensor& x) const {
  Parts& parts = *parts_;
  parts.check_input(x);
  const std::int64_t batch = x.size(0);
  const at::Tensor encoded = at::cat({columns(x), for_batch(parts.data.all(), batch)}, 2);
  const at::Tensor latent =
      parts.encoder(encoded, for_batch(parts.hidden.all(), batch), parts.encoder_edges(),
                    parts.plan.encoder, parts.ranks);  // [batch, own hidden node, channel]
  at::Tensor processed =
      parts.processor(latent, parts.processor_edges(), parts.plan.processor, parts.ranks);
  if (parts.config.latent_skip) processed = processed + latent;
  const at::Tensor decoded =
      parts.decoder(processed, parts.decoder_target(x, encoded), parts.decoder_edges(),
                    parts.plan.decoder, parts.ranks);  // [batch, own data node, time * variable]
  const at::Tensor y =
      decoded
          .unflatten(2, {parts.config.num_output_steps,
                         static_cast<std::int64_t>(parts.config.variables.output.size())})
          .transpose(1, 2)
          .contiguous();  // [batch, time, own data node, variable]
  return parts.boundings(parts.add_residual(y, x));
}

at::Tensor Network::predict(const at::Tensor& x) const {
  const c10::AutoGradMode no_grad(false);
  return forward(x);
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

comm::Range Network::own_data() const noexcept {
  return comm::shard_range(parts_->plan.data_sizes, parts_->plan.rank);
}

std::map<std::string, std::int64_t> Network::activation_rows() const {
  const GraphPlan& plan = parts_->plan;
  return {{"data", plan.decoder.destinations.size()},
          {"hidden", plan.processor.destinations.size()},
          {"encoder_sources", plan.encoder.halo.num_rows()},
          {"processor_sources", plan.processor.halo.num_rows()},
          {"decoder_sources", plan.decoder.halo.num_rows()}};
}

}  // namespace askos::model
