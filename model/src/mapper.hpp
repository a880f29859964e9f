// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "block.hpp"

namespace askos::comm {
class Communicator;
}

namespace askos::model {

/// Reads source nodes into destination nodes: the encoder and the decoder.
class Mapper {
 public:
  struct Shape {
    std::int64_t source_features = 0;  ///< 0: sources have `channels` and are not embedded
    std::int64_t destination_features = 0;
    std::int64_t channels = 0;
    std::int64_t edge_features = 0;
    std::int64_t outputs = 0;  ///< > 0: a norm and a linear layer extract these
    AttentionBackend attention = AttentionBackend::kLoops;
    bool zero_output_layer = false;
  };
  Mapper(Parameters& parameters,
         const std::string& name,
         const BlockConfig& config,
         const Shape& shape);

  /// x_src [batch, own source, feature], x_dst [batch, own destination, feature],
  /// edge [own edge, feature]; gives [batch, own destination, channels or outputs]. The sources of
  /// other ranks are exchanged once, outside the chunks.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x_src,
                                      const at::Tensor& x_dst,
                                      const at::Tensor& edge,
                                      const EdgePlan& plan,
                                      comm::Communicator& ranks) const;

 private:
  [[nodiscard]] at::Tensor run(const Block::Sources& wait_for_table,
                               const at::Tensor& x_dst,
                               const at::Tensor& edge,
                               const EdgeIndex& index) const;
  [[nodiscard]] at::Tensor run_by_heads(const at::Tensor& x_src,
                                        const at::Tensor& x_dst,
                                        const at::Tensor& edge,
                                        const EdgePlan& plan,
                                        comm::Communicator& ranks) const;
  [[nodiscard]] at::Tensor embed_sources(const at::Tensor& x) const;
  [[nodiscard]] at::Tensor extract(const at::Tensor& x) const;

  Block block_;
  Linear embed_destinations_;
  std::optional<Linear> source_embedding_;
  std::optional<LayerNorm> extractor_norm_;
  std::optional<Linear> extractor_;
  std::vector<at::Tensor> parameters_;
};

/// Mixes the nodes of one mesh: a stack of blocks.
class Processor {
 public:
  struct Shape {
    int num_layers = 0;
    std::int64_t channels = 0;
    std::int64_t edge_features = 0;
    AttentionBackend attention = AttentionBackend::kLoops;
    std::int64_t condition_features = 0;  ///< of conditional norms, 0: plain ones
  };
  Processor(Parameters& parameters,
            const std::string& name,
            const BlockConfig& config,
            const Shape& shape);

  /// x [batch, own node, channel], edge [own edge, feature], condition [batch, own node, feature]
  /// or undefined. Each layer exchanges halos once, or goes to heads and back once; recomputation
  /// reuses what was received.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x,
                                      const at::Tensor& edge,
                                      const EdgePlan& plan,
                                      comm::Communicator& ranks,
                                      const at::Tensor& condition = {}) const;

 private:
  struct Received;  // what the layers received, so that running one again needs no communication
  [[nodiscard]] at::Tensor run_layer(std::size_t layer,
                                     const at::Tensor& x,
                                     const at::Tensor& edge,
                                     const at::Tensor& condition,
                                     const EdgePlan& plan,
                                     comm::Communicator& ranks,
                                     Received* received) const;

  std::vector<Block> blocks_;
  std::vector<std::vector<at::Tensor>> parameters_;  // of each block
  int num_segments_;
};

}  // namespace askos::model
