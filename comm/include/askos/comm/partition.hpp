// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace askos::comm {

/// Half-open range of positions along one axis.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  [[nodiscard]] std::int64_t size() const noexcept { return end - begin; }
  bool operator==(const Range&) const = default;
};

/// Sizes of each rank's shard along one axis, in rank order.
using ShardSizes = std::vector<std::int64_t>;

/// Cuts `n` positions into `parts` shards whose sizes differ by at most one, the larger ones first.
/// Shards may be empty (`parts > n`). Throws `Errc::kInvalidInput` if `n < 0` or `parts < 1`.
[[nodiscard]] ShardSizes balanced_sizes(std::int64_t n, int parts);

/// Returns the positions of shard `index`, shifted by `offset`. Throws `Errc::kInvalidInput` if
/// `index` is not a shard of `sizes`.
[[nodiscard]] Range shard_range(const ShardSizes& sizes, int index, std::int64_t offset = 0);

/// `shard_range(balanced_sizes(n, parts), index)` without the list of sizes.
[[nodiscard]] Range balanced_range(std::int64_t n, int parts, int index);

}  // namespace askos::comm
