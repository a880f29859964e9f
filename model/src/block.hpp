// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "head_shards.hpp"
#include "layers.hpp"

#include <askos/model/attention.hpp>
#include <askos/model/graph_plan.hpp>

#include <functional>
#include <optional>

namespace askos::model {

/// One pre-norm graph-transformer block, x of destinations, y of sources (arXiv:2406.01465, as in
/// anemoi-models 0.19):
///
///   z  = projection(attention(LN x, LN y) + self(LN x)) + x
///   x' = z + mlp(LN z)
class Block {
 public:
  struct Shape {
    std::int64_t channels = 0;
    std::int64_t edge_features = 0;
    bool bipartite =
        false;  ///< sources are other nodes than destinations, with a norm of their own
    AttentionBackend attention = AttentionBackend::kLoops;
    std::int64_t condition_features = 0;  ///< > 0: norms of destinations are conditional
  };
  Block(Parameters& parameters,
        const std::string& name,
        const BlockConfig& config,
        const Shape& shape);

  /// Sources [batch, source, channel], waited for only once they are needed.
  using Sources = std::function<at::Tensor()>;

  /// x_dst [batch, destination, channel], edge [edge, feature].
  [[nodiscard]] at::Tensor map(const Sources& wait_for_sources,
                               const at::Tensor& x_dst,
                               const at::Tensor& edge,
                               const EdgeIndex& index) const;

  /// Rows that other ranks hold, as a function of the normalised own rows; work between its two
  /// calls goes on while they travel.
  using StartHalo = std::function<std::function<at::Tensor()>(const at::Tensor& normalised)>;

  /// x [batch, own node, channel]. Without `start_halo` there are no rows but the own ones.
  /// `condition` [batch, own node, feature], undefined if the block has none.
  [[nodiscard]] at::Tensor process(const at::Tensor& x,
                                   const at::Tensor& edge,
                                   const EdgeIndex& index,
                                   const StartHalo& start_halo,
                                   const at::Tensor& condition = {}) const;

  /// Returns how this block's heads are shared out.
  [[nodiscard]] HeadShards head_shards(comm::Communicator& ranks) const;

  /// Keys and values of all sources for own heads [batch, source, 2, own head * channel], from own
  /// sources x_src [batch, own source, channel]; `sizes` counts each rank's.
  [[nodiscard]] at::Tensor sources_by_heads(const at::Tensor& x_src,
                                            const HeadShards& shards,
                                            const comm::ShardSizes& sizes,
                                            at::Tensor* kept) const;

  /// `map` where ranks share heads: `sources` are rows of what `sources_by_heads` gave, x_dst
  /// [batch, own destination, channel]; `index` numbers these sources and the destinations of all
  /// ranks, of which `sizes` counts each rank's. `memory` may be null.
  [[nodiscard]] at::Tensor map_by_heads(const at::Tensor& sources,
                                        const at::Tensor& x_dst,
                                        const at::Tensor& edge,
                                        const EdgeIndex& index,
                                        const HeadShards& shards,
                                        const comm::ShardSizes& sizes,
                                        HeadMemory* memory) const;

  /// `process` where ranks share heads.
  [[nodiscard]] at::Tensor process_by_heads(const at::Tensor& x,
                                            const at::Tensor& edge,
                                            const EdgeIndex& index,
                                            const HeadShards& shards,
                                            const comm::ShardSizes& sizes,
                                            HeadMemory* memory,
                                            const at::Tensor& condition = {}) const;

 private:
  struct KeyValue {
    at::Tensor key;
    at::Tensor value;
  };
  /// Several linear layers of the same input as one, their results side by side.
  [[nodiscard]] static at::Tensor joined(const at::Tensor& x,
                                         const std::vector<const Linear*>& layers);
  [[nodiscard]] KeyValue key_value(const at::Tensor& y) const;
  [[nodiscard]] at::Tensor query(const at::Tensor& x) const;
  [[nodiscard]] at::Tensor norm_heads(const at::Tensor& x,
                                      const std::optional<LayerNorm>& norm) const;
  [[nodiscard]] AttentionEdges edges(const at::Tensor& features, comm::Range heads) const;
  [[nodiscard]] AttentionEdges edges(const at::Tensor& features) const;
  [[nodiscard]] at::Tensor attend(const at::Tensor& query,
                                  const KeyValue& sources,
                                  const AttentionEdges& edges,
                                  const EdgeIndex& index) const;
  /// Self plus attention by all heads; see `JoinedAttentionInput`.
  [[nodiscard]] at::Tensor attend_joined(const at::Tensor& destinations,
                                         const at::Tensor& sources,
                                         const at::Tensor& halo,
                                         const AttentionEdges& edges,
                                         const EdgeIndex& index,
                                         const StartedAttention& started = {}) const;
  /// Attends where no halo is needed; nothing where the loops do not read projections in place.
  [[nodiscard]] StartedAttention start(const at::Tensor& own,
                                       const AttentionEdges& edges,
                                       const EdgeIndex& index) const;
  [[nodiscard]] bool reads_joined() const;
  [[nodiscard]] at::Tensor attend_by_heads(const at::Tensor& query,
                                           const at::Tensor& sources,
                                           const at::Tensor& edge,
                                           const EdgeIndex& index,
                                           const HeadShards& shards,
                                           const comm::ShardSizes& sizes,
                                           HeadMemory* memory) const;
  /// `attended` includes self.
  [[nodiscard]] at::Tensor finish(const at::Tensor& x,
                                  const at::Tensor& attended,
                                  const at::Tensor& condition = {}) const;

  int num_heads_;
  std::int64_t head_width_;
  AttentionBackend attention_;
  Linear key_;
  Linear query_;
  Linear value_;
  Linear self_;
  Linear edge_;
  Linear projection_;
  std::optional<LayerNorm> query_norm_;
  std::optional<LayerNorm> key_norm_;
  Norm norm_;
  Norm mlp_norm_;
  Mlp mlp_;
  std::optional<Linear> edge_pre_;
  std::optional<LayerNorm> source_norm_;
};

}  // namespace askos::model
