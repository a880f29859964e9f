// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace askos::io {

/// Computes CRC-32C (Castagnoli; RFC 3720, section 12.1): `crc32c("123456789") == 0xE3069283`.
///
/// Give the result of the bytes before as `before` to go on where they ended. Uses the processor's
/// instruction where there is one. Any thread.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes,
                                   std::uint32_t before = 0) noexcept;

/// Computes the CRC of two byte sequences put together from their CRCs alone, for second sequences
/// of one length: O(log length) once, O(1) per pair.
class Crc32cJoin {
 public:
  explicit Crc32cJoin(std::int64_t second_bytes) noexcept;
  [[nodiscard]] std::uint32_t operator()(std::uint32_t first, std::uint32_t second) const noexcept;

 private:
  std::uint32_t shift_;
};

}  // namespace askos::io
