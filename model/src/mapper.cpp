// SPDX-License-Identifier: Apache-2.0
#include "mapper.hpp"

#include "recompute.hpp"

#include <askos/comm/communicator.hpp>
#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

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

/// Sends at once and returns what waits for the plan's whole table of rows: see `halo_exchange`.
Block::Sources start_halo_exchange(const at::Tensor& x,
                                   const HaloPlan& plan,
                                   comm::Communicator& ranks) {
  if (ranks.size() == 1) return [x] { return x; };
  return [x, &plan, exchange = std::make_shared<HaloExchange>(x, plan, ranks)] {
    const at::Tensor kept = plan.kept.defined() ? x.index_select(1, plan.kept) : x;
    return at::cat({kept, exchange->finish(x)}, 1);
  };
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
    source_embedding_ =
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

at::Tensor Mapper::embed_sources(const at::Tensor& x) const {
  return source_embedding_ ? (*source_embedding_)(x) : x;
}

at::Tensor Mapper::extract(const at::Tensor& x) const {
  return extractor_ ? (*extractor_)((*extractor_norm_)(x)) : x;
}

at::Tensor Mapper::run(const Block::Sources& wait_for_table,
                       const at::Tensor& x_dst,
                       const at::Tensor& edge,
                       const EdgeIndex& index) const {
  const auto wait_for_sources = [&] { return embed_sources(wait_for_table()); };
  return extract(block_.map(wait_for_sources, embed_destinations_(x_dst), edge, index));
}

at::Tensor Mapper::operator()(const at::Tensor& x_src,
                              const at::Tensor& x_dst,
                              const at::Tensor& edge,
                              const EdgePlan& plan,
                              comm::Communicator& ranks) const {
  if (plan.by_heads) return run_by_heads(x_src, x_dst, edge, plan, ranks);
  if (plan.chunks.empty()) {
    return run(start_halo_exchange(x_src, plan.halo, ranks), x_dst, edge, plan.index);
  }
  const at::Tensor table = halo_exchange(x_src, plan.halo, ranks);
  std::vector<Piece> pieces;
  for (const EdgeChunk& chunk : plan.chunks) {
    const auto& [nodes, edges] = std::pair{chunk.destinations, chunk.edges};
    pieces.push_back({.slices = {{.dim = 1, .positions = chunk.rows},
                                 {.dim = 1, .begin = nodes.begin, .size = nodes.size()},
                                 {.dim = 0, .begin = edges.begin, .size = edges.size()}},
                      .run = [this, &chunk](const std::vector<at::Tensor>& parts) {
                        return run([&] { return parts[0]; }, parts[1], parts[2], chunk.index);
                      }});
  }
  return recompute(std::move(pieces), 1, {table, x_dst, edge}, parameters_);
}

at::Tensor Mapper::run_by_heads(const at::Tensor& x_src,
                                const at::Tensor& x_dst,
                                const at::Tensor& edge,
                                const EdgePlan& plan,
                                comm::Communicator& ranks) const {
  const HeadShards shards = block_.head_shards(ranks);
  if (plan.chunks.empty()) {
    const at::Tensor sources =
        block_.sources_by_heads(embed_sources(x_src), shards, plan.source_sizes, nullptr);
    return extract(block_.map_by_heads(sources, embed_destinations_(x_dst), edge, plan.index,
                                       shards, plan.destination_sizes, nullptr));
  }
  const bool keep = c10::GradMode::is_enabled();
  const auto memory = std::make_shared<std::vector<HeadMemory>>(plan.chunks.size());
  const auto run_sources = [this, shards, keep, memory, &plan](const auto& parts) {
    return block_.sources_by_heads(embed_sources(parts[0]), shards, plan.source_sizes,
                                   keep ? &(*memory)[0].sources : nullptr);
  };
  const at::Tensor sources =
      recompute({{.slices = {{}}, .run = run_sources}}, 1, {x_src}, parameters_);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < plan.chunks.size(); ++i) {
    const EdgeChunk& chunk = plan.chunks[i];
    const comm::Range nodes = chunk.destinations;
    pieces.push_back({.slices = {{.dim = 1, .positions = chunk.rows},
                                 {.dim = 1, .begin = nodes.begin, .size = nodes.size()},
                                 {.dim = 0, .positions = chunk.positions}},
                      .run = [this, shards, keep, memory, i, &chunk](const auto& parts) {
                        return extract(block_.map_by_heads(
                            parts[0], embed_destinations_(parts[1]), parts[2], chunk.index, shards,
                            chunk.destination_sizes, keep ? &(*memory)[i] : nullptr));
                      }});
  }
  return recompute(std::move(pieces), 1, {sources, x_dst, edge}, parameters_);
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

struct Processor::Received {
  explicit Received(std::size_t num_layers) : halos(num_layers), heads(num_layers) {}

  std::vector<at::Tensor> halos;
  std::vector<HeadMemory> heads;
};

/// `received` is null where nothing is to be kept.
at::Tensor Processor::run_layer(std::size_t layer,
                                const at::Tensor& x,
                                const at::Tensor& edge,
                                const at::Tensor& condition,
                                const EdgePlan& plan,
                                comm::Communicator& ranks,
                                Received* received) const {
  const Block& block = blocks_[layer];
  if (ranks.size() == 1) return block.process(x, edge, plan.index, nullptr, condition);
  if (plan.by_heads) {
    return block.process_by_heads(x, edge, plan.index, block.head_shards(ranks),
                                  plan.destination_sizes,
                                  received ? &received->heads[layer] : nullptr, condition);
  }
  at::Tensor* const kept = received ? &received->halos[layer] : nullptr;
  const auto start_halo = [&](const at::Tensor& normalised) {
    if (kept && kept->defined()) {
      return std::function<at::Tensor()>(
          [&, normalised, kept] { return replay_halo(normalised, *kept, plan.halo, ranks); });
    }
    const auto exchange = std::make_shared<HaloExchange>(normalised, plan.halo, ranks);
    return std::function<at::Tensor()>([kept, exchange, normalised] {
      const at::Tensor rows = exchange->finish(normalised);
      if (kept) *kept = rows.detach();
      return rows;
    });
  };
  return block.process(x, edge, plan.index, start_halo, condition);
}

at::Tensor Processor::operator()(const at::Tensor& x,
                                 const at::Tensor& edge,
                                 const EdgePlan& plan,
                                 comm::Communicator& ranks,
                                 const at::Tensor& condition) const {
  at::Tensor y = x;
  if (num_segments_ == 0) {
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
      y = run_layer(layer, y, edge, condition, plan, ranks, nullptr);
    }
    return y;
  }
  const bool keep = c10::GradMode::is_enabled();
  const auto received = keep ? std::make_shared<Received>(blocks_.size()) : nullptr;
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
                     .run = [this, received, layers, &plan, &ranks](const auto& parts) {
                       at::Tensor in = parts[0];
                       const at::Tensor c = parts.size() > 2 ? parts[2] : at::Tensor();
                       for (auto layer = layers.begin; layer < layers.end; ++layer) {
                         in = run_layer(static_cast<std::size_t>(layer), in, parts[1], c, plan,
                                        ranks, received.get());
                       }
                       return in;
                     }};
    y = recompute({std::move(segment)}, 1, inputs, parameters);
  }
  return y;
}

}  // namespace askos::model
