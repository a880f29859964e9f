// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace askos::comm {

/// Tells other processes that a group, or the whole run, has failed.
struct Alert {
  static constexpr int kWholeRun = -1;

  int context = kWholeRun;  ///< of the group
  Error error{Errc::kInternal, "unknown failure"};
};

[[nodiscard]] std::vector<std::byte> to_bytes(const Alert& alert);
/// Throws `Errc::kCorruptData` if the bytes are no alert.
[[nodiscard]] Alert to_alert(std::span<const std::byte> bytes);

}  // namespace askos::comm
