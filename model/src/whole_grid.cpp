// SPDX-License-Identifier: Apache-2.0
#include "whole_grid.hpp"

#include <askos/comm/communicator.hpp>
#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>

namespace askos::model {

at::Tensor on_whole_grid(const at::Tensor& x,
                         const comm::ShardSizes& sizes,
                         comm::Communicator& ranks,
                         const std::function<at::Tensor(const at::Tensor&, comm::Range)>& change) {
  const auto fields = comm::balanced_sizes(x.size(2), ranks.size());
  const at::Tensor whole = all_to_all(x, 2, fields, 1, sizes, ranks);
  const comm::Range own = comm::shard_range(fields, ranks.rank());
  const at::Tensor changed = own.size() == 0 ? whole : change(whole, own);
  return all_to_all(changed, 1, sizes, 2, fields, ranks);
}

}  // namespace askos::model
