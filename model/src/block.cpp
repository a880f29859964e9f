// SPDX-License-Identifier: Apache-2.0
#include "block.hpp"

#include <ATen/ATen.h>

namespace askos::model {

Block::Block(Parameters& parameters,
             const std::string& name,
             const BlockConfig& config,
             const Shape& shape)
    : num_heads_(config.num_heads), attention_(shape.attention) {
  const std::int64_t channels = shape.channels;
  const std::int64_t width = config.attention_channels > 0 ? config.attention_channels : channels;
  head_width_ = width / config.num_heads;
  key_ = Linear(parameters, name + ".lin_key", channels, width);
  query_ = Linear(parameters, name + ".lin_query", channels, width);
  value_ = Linear(parameters, name + ".lin_value", channels, width);
  self_ = Linear(parameters, name + ".lin_self", channels, width);
  edge_ = Linear(parameters, name + ".lin_edge", shape.edge_features, width);
  projection_ = Linear(parameters, name + ".projection", width, channels);
  if (config.qk_norm) {
    query_norm_ = LayerNorm(parameters, name + ".q_norm", head_width_, /*with_bias=*/false);
    key_norm_ = LayerNorm(parameters, name + ".k_norm", head_width_, /*with_bias=*/false);
  }
  norm_ = Norm(parameters, name + ".layer_norm_attention", channels, shape.condition_features);
  mlp_norm_ = Norm(parameters, name + ".layer_norm_mlp_dst", channels, shape.condition_features);
  const auto hidden =
      static_cast<std::int64_t>(config.mlp_hidden_ratio * static_cast<double>(channels) + 0.5);
  mlp_ = Mlp(parameters, name + ".node_dst_mlp", config.mlp, channels, hidden);
  if (config.edge_pre_mlp) {
    edge_pre_ =
        Linear(parameters, name + ".edge_pre_mlp.0", shape.edge_features, shape.edge_features);
  }
  if (shape.bipartite) {
    source_norm_ = LayerNorm(parameters, name + ".layer_norm_attention_src", channels);
    for (const char* part : {".weight", ".bias"}) {
      parameters.alias(name + ".layer_norm_attention_dest" + part,
                       name + ".layer_norm_attention" + part);
    }
  }
}

at::Tensor Block::norm_heads(const at::Tensor& x, const std::optional<LayerNorm>& norm) const {
  if (!norm) return x;
  return (*norm)(x.unflatten(-1, {num_heads_, -1})).flatten(-2);
}

at::Tensor Block::query(const at::Tensor& x) const {
  return norm_heads(query_(x), query_norm_);
}

Block::KeyValue Block::key_value(const at::Tensor& y) const {
  return {norm_heads(key_(y), key_norm_), value_(y)};
}

at::Tensor Block::joined(const at::Tensor& x, const std::vector<const Linear*>& layers) {
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> biases;
  for (const Linear* layer : layers) {
    weights.push_back(layer->weight());
    biases.push_back(layer->bias());
  }
  return linear(x, at::cat(weights), at::cat(biases));
}

at::Tensor Block::map(const Sources& wait_for_sources,
                      const at::Tensor& x_dst,
                      const at::Tensor& edge,
                      const EdgeIndex& index) const {
  const at::Tensor destinations = joined(norm_(x_dst), {&query_, &self_});
  const at::Tensor sources = joined((*source_norm_)(wait_for_sources()), {&key_, &value_});
  return finish(x_dst, attend_joined(destinations, sources, {}, edges(edge), index));
}

at::Tensor Block::process(const at::Tensor& x,
                          const at::Tensor& edge,
                          const EdgeIndex& index,
                          const StartHalo& start_halo,
                          const at::Tensor& condition) const {
  const at::Tensor normalised = norm_(x, condition);
  const auto project = [&] { return joined(normalised, {&query_, &self_, &key_, &value_}); };
  const AttentionEdges all_edges = edges(edge);
  if (!start_halo) return finish(x, attend_joined(project(), {}, {}, all_edges, index), condition);
  const auto wait_for_halo = start_halo(normalised);
  const at::Tensor own = project();
  const StartedAttention started = start(own, all_edges, index);
  const at::Tensor halo = joined(wait_for_halo(), {&key_, &value_});
  return finish(x, attend_joined(own, {}, halo, all_edges, index, started), condition);
}

HeadShards Block::head_shards(comm::Communicator& ranks) const {
  return {num_heads_, head_width_, ranks};
}

at::Tensor Block::sources_by_heads(const at::Tensor& x_src,
                                   const HeadShards& shards,
                                   const comm::ShardSizes& sizes,
                                   at::Tensor* kept) const {
  const KeyValue own = key_value((*source_norm_)(x_src));
  return shards.to_heads(at::stack({own.key, own.value}, 2), sizes, kept);
}

at::Tensor Block::map_by_heads(const at::Tensor& sources,
                               const at::Tensor& x_dst,
                               const at::Tensor& edge,
                               const EdgeIndex& index,
                               const HeadShards& shards,
                               const comm::ShardSizes& sizes,
                               HeadMemory* memory) const {
  const at::Tensor x = norm_(x_dst);
  return finish(x_dst,
                self_(x) + attend_by_heads(query(x), sources, edge, index, shards, sizes, memory));
}

at::Tensor Block::process_by_heads(const at::Tensor& x,
                                   const at::Tensor& edge,
                                   const EdgeIndex& index,
                                   const HeadShards& shards,
                                   const comm::ShardSizes& sizes,
                                   HeadMemory* memory,
                                   const at::Tensor& condition) const {
  const at::Tensor normalised = norm_(x, condition);
  const KeyValue own = key_value(normalised);
  const at::Tensor sources = shards.to_heads(at::stack({own.key, own.value}, 2), sizes,
                                             memory ? &memory->sources : nullptr);
  const at::Tensor attended =
      attend_by_heads(query(normalised), sources, edge, index, shards, sizes, memory);
  return finish(x, self_(normalised) + attended, condition);
}

at::Tensor Block::attend_by_heads(const at::Tensor& query,
                                  const at::Tensor& sources,
                                  const at::Tensor& edge,
                                  const EdgeIndex& index,
                                  const HeadShards& shards,
                                  const comm::ShardSizes& sizes,
                                  HeadMemory* memory) const {
  const at::Tensor q = shards.to_heads(query, sizes, memory ? &memory->query : nullptr);
  const KeyValue own_heads = {sources.select(2, 0), sources.select(2, 1)};
  const at::Tensor attended = attend(q, own_heads, edges(edge, shards.own()), index);
  // Under autocast in the type that ranks without heads send, too.
  return shards.to_nodes(attended.to(q.scalar_type()), sizes, memory ? &memory->attended : nullptr);
}

at::Tensor Block::attend(const at::Tensor& query,
                         const KeyValue& sources,
                         const AttentionEdges& edges,
                         const EdgeIndex& index) const {
  if (query.size(2) == 0) {
    // Empty, but a function of all three: backward's collectives run on this rank too.
    return query + sources.key.sum(1, true) + sources.value.sum(1, true);
  }
  const AttentionInput input = {.query = query,
                                .key = sources.key,
                                .value = sources.value,
                                .edges = edges,
                                .num_heads = static_cast<int>(query.size(2) / head_width_)};
  return attention_ == AttentionBackend::kLoops ? attention(input, index)
                                                : composite_attention(input, index);
}

AttentionEdges Block::edges(const at::Tensor& features, comm::Range heads) const {
  const std::int64_t first = heads.begin * head_width_;
  const std::int64_t width = heads.size() * head_width_;
  return {.features = edge_pre_ ? at::gelu((*edge_pre_)(features)) : features,
          .weight = edge_.weight().narrow(0, first, width),
          .bias = edge_.bias().narrow(0, first, width)};
}

AttentionEdges Block::edges(const at::Tensor& features) const {
  return edges(features, {0, num_heads_});
}

bool Block::reads_joined() const {
  return attention_ == AttentionBackend::kLoops && !query_norm_;
}

StartedAttention Block::start(const at::Tensor& own,
                              const AttentionEdges& edges,
                              const EdgeIndex& index) const {
  if (!reads_joined() || !index.interior_first.defined()) return {};
  return start_joined_attention(
      {.destinations = own, .sources = {}, .halo = {}, .edges = edges, .num_heads = num_heads_},
      index);
}

at::Tensor Block::attend_joined(const at::Tensor& destinations,
                                const at::Tensor& sources,
                                const at::Tensor& halo,
                                const AttentionEdges& edges,
                                const EdgeIndex& index,
                                const StartedAttention& started) const {
  if (reads_joined()) {
    return joined_attention({.destinations = destinations,
                             .sources = sources,
                             .halo = halo,
                             .edges = edges,
                             .num_heads = num_heads_},
                            index, started);
  }
  const auto parts = destinations.split(num_heads_ * head_width_, -1);  // query, self, key, value
  std::vector<at::Tensor> keys;
  std::vector<at::Tensor> values;
  if (parts.size() == 4) {
    keys.push_back(parts[2]);
    values.push_back(parts[3]);
  }
  for (const at::Tensor& table : {sources, halo}) {
    if (!table.defined()) continue;
    const auto both = table.chunk(2, -1);
    keys.push_back(both[0]);
    values.push_back(both[1]);
  }
  const auto join = [](const std::vector<at::Tensor>& tables) {
    return tables.size() == 1 ? tables[0] : at::cat(tables, 1);
  };
  return attend(norm_heads(parts[0], query_norm_),
                {norm_heads(join(keys), key_norm_), join(values)}, edges, index) +
         parts[1];
}

at::Tensor Block::finish(const at::Tensor& x,
                         const at::Tensor& attended,
                         const at::Tensor& condition) const {
  const at::Tensor z = projection_(attended) + x;
  return z + mlp_(mlp_norm_(z, condition));
}

}  // namespace askos::model
