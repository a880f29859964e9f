// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string_view>

namespace askos::dataflow {

enum class FaultKind {
  kKill,      ///< the process ends at once, as by `kill -9`
  kHang,      ///< the stage does nothing any more
  kSlow,      ///< the stage waits for `delay` first
  kCorrupt,   ///< a bit of what the stage emits, or has read, is another one
  kIoError,   ///< the stage fails as on a broken disk, or a file operation does
  kDiskFull,  ///< likewise, on a full one
  kNan,       ///< a value of what it emits is not a number
};

/// Returns the word of a kind in files.
[[nodiscard]] std::string_view to_string(FaultKind kind) noexcept;

/// A payload that a fault can damage: `damaged(payload, kind, seed)` returns a changed copy, or
/// nothing if payloads of this type cannot have such a fault.
template <typename T>
concept Damageable = requires(const T& payload, FaultKind kind, std::uint64_t seed) {
  { damaged(payload, kind, seed) } -> std::convertible_to<std::shared_ptr<const T>>;
};

}  // namespace askos::dataflow
