// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

/// Prints bytes as text (RFC 4648, section 4, with padding).
[[nodiscard]] std::string to_base64(std::span<const std::byte> bytes);

/// Reads what `to_base64` printed. Throws `Errc::kCorruptData` on anything else.
[[nodiscard]] std::vector<std::byte> from_base64(std::string_view text);

}  // namespace askos::dataflow
