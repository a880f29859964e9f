// SPDX-License-Identifier: Apache-2.0
// Collectives on tensors, without gradients: pack along an axis, run, unpack.
#pragma once

#include <askos/comm/communicator.hpp>
#include <askos/comm/partition.hpp>

#include <ATen/core/Tensor.h>

namespace askos::model {

/// Views a contiguous tensor as memory for a collective.
[[nodiscard]] comm::Buffer to_buffer(const at::Tensor& contiguous);

/// Joins the ranks' parts along `dim`.
[[nodiscard]] at::Tensor all_gather(const at::Tensor& x,
                                    std::int64_t dim,
                                    const comm::ShardSizes& sizes,
                                    comm::Communicator& ranks);

/// Sums over ranks into a new tensor.
[[nodiscard]] at::Tensor all_sum(const at::Tensor& x, comm::Communicator& ranks);

/// Sums over ranks and keeps this rank's part along `dim`.
[[nodiscard]] at::Tensor sum_scatter(const at::Tensor& x,
                                     std::int64_t dim,
                                     const comm::ShardSizes& sizes,
                                     comm::Communicator& ranks);

/// From whole along `split_dim` and sharded along `concat_dim` to the other way round.
[[nodiscard]] at::Tensor transpose_shards(const at::Tensor& x,
                                          std::int64_t split_dim,
                                          const comm::ShardSizes& split_sizes,
                                          std::int64_t concat_dim,
                                          const comm::ShardSizes& concat_sizes,
                                          comm::Communicator& ranks);

}  // namespace askos::model
