// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"

#include <askos/base/error.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace askos::comm {

/// What the ranks of a group asked for when they entered one collective. One thread.
class EnteredCalls {
 public:
  EnteredCalls(std::int64_t sequence, int num_ranks);

  [[nodiscard]] std::int64_t sequence() const noexcept { return sequence_; }

  /// Records the call of `rank`. Returns what is wrong if the ranks' calls do not fit together.
  [[nodiscard]] std::optional<Error> enter(int rank, Call call);

  [[nodiscard]] bool is_complete() const noexcept { return num_entered_ == calls_.size(); }
  [[nodiscard]] std::vector<int> missing() const;
  /// What the first rank to enter asked for.
  [[nodiscard]] const Call& first() const noexcept { return calls_[first_]; }
  [[nodiscard]] const std::vector<Call>& all() const noexcept { return calls_; }

 private:
  [[nodiscard]] std::optional<Error> compare_all_to_all() const;

  std::int64_t sequence_;
  std::vector<Call> calls_;    // by rank
  std::vector<bool> entered_;  // by rank
  std::size_t num_entered_ = 0;
  std::size_t first_ = 0;
};

}  // namespace askos::comm
