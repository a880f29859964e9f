// SPDX-License-Identifier: Apache-2.0
#include "head_shards.hpp"

#include <askos/comm/communicator.hpp>
#include <askos/model/sharding.hpp>

namespace askos::model {

HeadShards::HeadShards(int num_heads, std::int64_t head_width, comm::Communicator& ranks)
    : heads_(comm::balanced_sizes(num_heads, ranks.size())), channels_(heads_), ranks_(ranks) {
  for (auto& size : channels_) size *= head_width;
}

comm::Range HeadShards::own() const {
  return comm::shard_range(heads_, ranks_.rank());
}

at::Tensor HeadShards::to_heads(const at::Tensor& x,
                                const comm::ShardSizes& nodes,
                                at::Tensor* kept) const {
  return all_to_all(x, x.dim() - 1, channels_, 1, nodes, ranks_, kept);
}

at::Tensor HeadShards::to_nodes(const at::Tensor& x,
                                const comm::ShardSizes& nodes,
                                at::Tensor* kept) const {
  return all_to_all(x, 1, nodes, x.dim() - 1, channels_, ranks_, kept);
}

}  // namespace askos::model
