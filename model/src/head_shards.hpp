// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>

#include <ATen/core/Tensor.h>

namespace askos::comm {
class Communicator;
}

namespace askos::model {

/// Moves rows between shards of nodes (a rank's own nodes, all heads) and shards of heads (all
/// nodes, a rank's own heads). Heads are cut evenly; ranks beyond the heads have none.
class HeadShards {
 public:
  HeadShards(int num_heads, std::int64_t head_width, comm::Communicator& ranks);

  /// Returns this rank's heads.
  [[nodiscard]] comm::Range own() const;

  /// x [batch, own node, ..., head * channel] to [batch, node, ..., own head * channel]; `nodes`
  /// counts each rank's. `kept`: see `all_to_all`.
  [[nodiscard]] at::Tensor to_heads(const at::Tensor& x,
                                    const comm::ShardSizes& nodes,
                                    at::Tensor* kept) const;
  /// The way back.
  [[nodiscard]] at::Tensor to_nodes(const at::Tensor& x,
                                    const comm::ShardSizes& nodes,
                                    at::Tensor* kept) const;

 private:
  comm::ShardSizes heads_;
  comm::ShardSizes channels_;
  comm::Communicator& ranks_;
};

/// What a block received while it attended by heads, so that running it again communicates nothing.
struct HeadMemory {
  at::Tensor sources;
  at::Tensor query;
  at::Tensor attended;
};

}  // namespace askos::model
