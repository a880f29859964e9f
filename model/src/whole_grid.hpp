// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>

#include <ATen/core/Tensor.h>

#include <functional>

namespace askos::comm {
class Communicator;
}

namespace askos::model {

/// Changes fields whose nodes are sharded by `sizes` on the whole grid, each rank some of them.
///
/// x [batch, own node, field]; `change` takes [batch, node, field of the range] and gives the same
/// shape; gives x's shape. Two all-to-alls forward, two backward. Collective over `ranks`.
[[nodiscard]] at::Tensor on_whole_grid(
    const at::Tensor& x,
    const comm::ShardSizes& sizes,
    comm::Communicator& ranks,
    const std::function<at::Tensor(const at::Tensor&, comm::Range)>& change);

}  // namespace askos::model
