// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace askos::io {

/// The three ways to compute `crc32c`, for tests and for its dispatch. `register_value` is the CRC
/// register itself, without the inversions before and after.
[[nodiscard]] std::uint32_t crc32c_portable(std::uint32_t register_value,
                                            std::span<const std::byte> bytes) noexcept;
/// Needs SSE 4.2.
[[nodiscard]] std::uint32_t crc32c_sse42(std::uint32_t register_value,
                                         std::span<const std::byte> bytes) noexcept;
[[nodiscard]] bool has_sse42() noexcept;
/// Needs AVX-512F and VPCLMULQDQ as well.
[[nodiscard]] std::uint32_t crc32c_vpclmulqdq(std::uint32_t register_value,
                                              std::span<const std::byte> bytes) noexcept;
[[nodiscard]] bool has_vpclmulqdq() noexcept;

}  // namespace askos::io
