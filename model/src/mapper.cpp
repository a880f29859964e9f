// SPDX-License-Identifier: Apache-2.0
#include "mapper.hpp"

#include "recompute.hpp"

#include <askos/comm/communicator.hpp>
#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>

#include <memory>

namespace askos::model {
namespace {

/// Returns the parameters that were added since there were `first`.
std::vector<at::Tensor> added_since(const Parameters& parameters, std::size_t first) {
  std::vector<at::Tensor> added;
  for (std::size_t i = first; i < parameters.all().size(); ++i) {
    added.push_back(parameters.all()[i].tensor);
  }
  return added;
}

}  // namespace

Mapper::Mapper(Parameters& parameters,
               const std::string& name,
               const BlockConfig& config,
               const Shape& shape)
    : block_(parameters,
             name + ".proc",
             config,
             {.channels = shape.channels,
              .edge_features = shape.edge_features,
              .bipartite = true,
              .attention = shape.attention}),
      embed_destinations_(
          parameters, name + ".emb_nodes_dst", shape.destination_features, shape.channels) {
  if (shape.source_features > 0) {
    embed_sources_ =
        Linear(parameters, name + ".emb_nodes_src", shape.source_features, shape.channels);
  }
  if (shape.outputs > 0) {
    extractor_norm_ = LayerNorm(parameters, name + ".node_data_extractor.0", shape.channels);
    extractor_ = Linear(parameters, name + ".node_data_extractor.1", shape.channels, shape.outputs,
                        shape.zero_output_layer);
  }
  for (const auto& entry : parameters.all()) {  // members are made before this body runs
    if (entry.name.starts_with(name + ".")) parameters_.push_back(entry.tensor);
  }
}

at::Tensor Mapper::run(const at::Tensor& table,
                       const at::Tensor& x_dst,
                       const at::Tensor& edge,
                       const EdgeIndex& index) const {
  const at::Tensor sources = embed_sources_ ? (*embed_sources_)(table) : table;
  const at::Tensor mapped = block_.map(sources, embed_destinations_(x_dst), edge, index);
  return extractor_ ? (*extractor_)((*extractor_norm_)(mapped)) : mapped;
}

at::Tensor Mapper::operator()(const at::Tensor& x_src,
                              const at::Tensor& x_dst,
                              const at::Tensor& edge,
                              const EdgePlan& plan,
                              comm::Communicator& ranks) const {
  const at::Tensor table = halo_exchange(x_src, plan.halo, ranks);
  if (plan.chunks.empty()) return run(table, x_dst, edge, plan.index);
  std::vector<Piece> pieces;
  for (const EdgeChunk& chunk : plan.chunks) {
    const auto& [nodes, edges] = std::pair{chunk.destinations, chunk.edges};
    pieces.push_back({.slices = {{.dim = 1, .positions = chunk.rows},
                                 {.dim = 1, .begin = nodes.begin, .size = nodes.size()},
                                 {.dim = 0, .begin = edges.begin, .size = edges.size()}},
                      .run = [this, &chunk](const std::vector<at::Tensor>& parts) {
                        return run(parts[0], parts[1], parts[2], chunk.index);
                      }});
  }
  return recompute(std::move(pieces), 1, {table, x_dst, edge}, parameters_);
}

Processor::Processor(Parameters& parameters,
                     const std::string& name,
                     const BlockConfig& config,
                     const Shape& shape)
    : num_segments_(config.num_chunks) {
  for (int layer = 0; layer < shape.num_layers; ++layer) {
    const std::size_t first = parameters.all().size();
    blocks_.emplace_back(parameters, name + ".proc." + std::to_string(layer), config,
                         Block::Shape{.channels = shape.channels,
                                      .edge_features = shape.edge_features,
                                      .attention = shape.attention,
                                      .condition_features = shape.condition_features});
    parameters_.push_back(added_since(parameters, first));
  }
}

at::Tensor Processor::operator()(const at::Tensor& x,
                                 const at::Tensor& edge,
                                 const EdgePlan& plan,
                                 comm::Communicator& ranks,
                                 const at::Tensor& condition) const {
  // What each layer received, so that running it again needs no communication.
  const auto received = std::make_shared<std::vector<at::Tensor>>(blocks_.size());
  const bool keep = num_segments_ > 0;
  const auto run_layer = [this, received, keep, &plan, &ranks](
                             std::size_t layer, const at::Tensor& in, const at::Tensor& a,
                             const at::Tensor& c) {
    if (ranks.size() == 1) return blocks_[layer].process(in, a, plan.index, nullptr, c);
    const auto start_halo = [&](const at::Tensor& normalised) {
      at::Tensor& halo = (*received)[layer];
      if (halo.defined()) {
        return std::function<at::Tensor()>(
            [&, normalised] { return replay_halo(normalised, halo, plan.halo, ranks); });
      }
      const auto exchange = std::make_shared<HaloExchange>(normalised, plan.halo, ranks);
      return std::function<at::Tensor()>([&halo, keep, exchange, normalised] {
        const at::Tensor rows = exchange->finish(normalised);
        if (keep) halo = rows.detach();
        return rows;
      });
    };
    return blocks_[layer].process(in, a, plan.index, start_halo, c);
  };
  at::Tensor y = x;
  if (num_segments_ == 0) {
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
      y = run_layer(layer, y, edge, condition);
    }
    return y;
  }
  for (int s = 0; s < num_segments_; ++s) {
    const auto layers =
        comm::balanced_range(static_cast<std::int64_t>(blocks_.size()), num_segments_, s);
    std::vector<at::Tensor> parameters;
    for (auto layer = layers.begin; layer < layers.end; ++layer) {
      const auto& of_layer = parameters_[static_cast<std::size_t>(layer)];
      parameters.insert(parameters.end(), of_layer.begin(), of_layer.end());
    }
    std::vector<at::Tensor> inputs = {y, edge};
    if (condition.defined()) inputs.push_back(condition);
    Piece segment = {.slices = std::vector<Slice>(inputs.size()),
                     .run = [run_layer, layers](const auto& parts) {
                       at::Tensor in = parts[0];
                       const at::Tensor c = parts.size() > 2 ? parts[2] : at::Tensor();
                       for (auto layer = layers.begin; layer < layers.end; ++layer) {
                         in = run_layer(static_cast<std::size_t>(layer), in, parts[1], c);
                       }
                       return in;
                     }};
    y = recompute({std::move(segment)}, 1, inputs, parameters);
  }
  return y;
}

}  // namespace askos::model
