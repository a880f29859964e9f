// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <string>
#include <string_view>

namespace askos::comm {

/// Tells other processes that a group, or the whole run, has failed.
struct Alert {
  static constexpr int kWholeRun = -1;

  int context = kWholeRun;  ///< of the group
  Error error{Errc::kInternal, "unknown failure"};
};

[[nodiscard]] std::string to_bytes(const Alert& alert);
/// Throws `Errc::kCorruptData` if the bytes are no alert.
[[nodiscard]] Alert to_alert(std::string_view bytes);

}  // namespace askos::comm
