// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace askos::io {

/// A pseudo-random order of 0, ..., n - 1 that depends on a seed and an epoch alone. Element i
/// costs O(1) time and no memory, so any rank can start anywhere; the order does not depend on how
/// many ranks, readers or groups there are.
///
/// A Feistel network (Luby and Rackoff 1988) over the smallest domain of 2^(2k) >= n, applied again
/// while the result lies outside (cycle walking: Black and Rogaway 2002), four times on average at
/// most. Rounds use the finaliser of SplitMix64 (Steele, Lea and Flood 2014). Not for secrets.
class KeyedPermutation {
 public:
  /// Throws `Errc::kInvalidInput` unless 0 <= n <= 2^62.
  KeyedPermutation(std::int64_t n, std::uint64_t seed, std::int64_t epoch);

  [[nodiscard]] std::int64_t size() const noexcept { return n_; }
  /// Returns the i-th element. Throws `Errc::kInvalidInput` if there is none.
  [[nodiscard]] std::int64_t operator()(std::int64_t i) const;

 private:
  static constexpr int kRounds = 8;

  std::int64_t n_;
  int half_bits_ = 0;
  std::array<std::uint64_t, kRounds> keys_{};
};

}  // namespace askos::io
