// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace askos::actors {

/// Brings the shards of axis 0, balanced over the ranks, to rank 0 in rank order. Returns the whole
/// `[total, ...]` there and no rows elsewhere. Collective; blocks. Wire: each shard once.
[[nodiscard]] at::Tensor gather_rows_to_root(const at::Tensor& shard,
                                             std::int64_t total,
                                             comm::Communicator& ranks);

}  // namespace askos::actors
