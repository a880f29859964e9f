// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/partition.hpp>

#include <algorithm>

namespace askos::comm {
namespace {

void check_cut(std::int64_t n, int parts) {
  if (n < 0 || parts < 1) {
    throw Error(Errc::kInvalidInput, "axis cannot be cut into shards")
        .with("positions", n)
        .with("parts", parts);
  }
}

[[noreturn]] void throw_no_such_shard(int index, std::size_t parts) {
  throw Error(Errc::kInvalidInput, "no such shard").with("index", index).with("parts", parts);
}

}  // namespace

ShardSizes balanced_sizes(std::int64_t n, int parts) {
  check_cut(n, parts);
  ShardSizes sizes(static_cast<std::size_t>(parts), n / parts);
  std::for_each_n(sizes.begin(), n % parts, [](std::int64_t& size) { ++size; });
  return sizes;
}

Range shard_range(const ShardSizes& sizes, int index, std::int64_t offset) {
  if (index < 0 || static_cast<std::size_t>(index) >= sizes.size()) {
    throw_no_such_shard(index, sizes.size());
  }
  for (int i = 0; i < index; ++i) {
    offset += sizes[static_cast<std::size_t>(i)];
  }
  return {offset, offset + sizes[static_cast<std::size_t>(index)]};
}

Range balanced_range(std::int64_t n, int parts, int index) {
  check_cut(n, parts);
  if (index < 0 || index >= parts) {
    throw_no_such_shard(index, static_cast<std::size_t>(parts));
  }
  const auto small = n / parts;
  const auto num_large = n % parts;
  const auto begin = index * small + std::min<std::int64_t>(index, num_large);
  return {begin, begin + small + (index < num_large ? 1 : 0)};
}

}  // namespace askos::comm
