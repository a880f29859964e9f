// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace askos::comm {

/// Holds partial results of a reduction for a short run of entries, in the type in which they add
/// up: float32 for float16 and bfloat16, else the entries' own type. Stays in the L1 cache.
class CombineBlock {
 public:
  static constexpr std::int64_t kMaxEntries = 1024;

  CombineBlock(DType dtype, ReduceOp op) noexcept : dtype_(dtype), op_(op) {}

  /// Starts with `count` entries at `from`, `count <= kMaxEntries`.
  void load(const void* from, std::int64_t count) noexcept;
  /// Combines with as many further entries at `from`. Integers wrap around; which of several NaNs
  /// survives a maximum or minimum is not defined.
  void add(const void* from) noexcept;
  /// Writes the result to `to`, rounded to the entries' type.
  void store(void* to) const noexcept;

 private:
  DType dtype_;
  ReduceOp op_;
  std::int64_t count_ = 0;
  alignas(64) std::array<std::byte, kMaxEntries * sizeof(double)> sums_;
};

}  // namespace askos::comm
