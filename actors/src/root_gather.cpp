// SPDX-License-Identifier: Apache-2.0
#include "root_gather.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/partition.hpp>

#include <ATen/ATen.h>

#include <vector>

namespace askos::actors {

at::Tensor gather_rows_to_root(const at::Tensor& shard,
                               std::int64_t total,
                               comm::Communicator& ranks) {
  const auto sent = shard.contiguous();
  const auto num_ranks = static_cast<std::size_t>(ranks.size());
  const bool is_root = ranks.rank() == 0;
  const auto sizes = comm::balanced_sizes(total, ranks.size());
  ASKOS_CHECK(sizes[static_cast<std::size_t>(ranks.rank())] == sent.size(0));
  const auto width = sent.size(0) > 0 ? sent.numel() / sent.size(0) : 0;

  auto shape = sent.sizes().vec();
  shape[0] = is_root ? total : 0;
  auto whole = at::empty(shape, sent.options());
  std::vector<std::int64_t> send_counts(num_ranks, 0);
  std::vector<std::int64_t> receive_counts(num_ranks, 0);
  send_counts[0] = sent.numel();
  for (std::size_t r = 0; is_root && r < num_ranks; ++r) {
    receive_counts[r] = sizes[r] * width;
  }
  const auto dtype = sent.scalar_type() == at::kDouble ? DType::kFloat64 : DType::kFloat32;
  ranks
      .all_to_all({sent.const_data_ptr(), sent.numel(), dtype}, send_counts,
                  {whole.mutable_data_ptr(), whole.numel(), dtype}, receive_counts)
      ->wait();
  return whole;
}

}  // namespace askos::actors
