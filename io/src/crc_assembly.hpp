// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/dataset_writer.hpp>

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace askos::io {

/// Returns, per row, whether the shards wrote it. Throws `Errc::kInvalidInput` if shards overlap or
/// a row is there in part only.
[[nodiscard]] std::vector<std::uint8_t> assemble_rows(std::span<const ShardResult> shards,
                                                      const FieldLayout& layout);

/// Returns the CRC of each chunk [time, chunk] from what the shards say, without reading a byte.
[[nodiscard]] std::vector<std::uint32_t> assemble_crcs(std::span<const ShardResult> shards,
                                                       const FieldLayout& layout);

/// Throws `Errc::kCorruptData`, naming the first chunk whose CRC differs.
void check_crcs(const std::vector<std::uint32_t>& expected,
                const std::vector<std::uint32_t>& found,
                const FieldLayout& layout,
                const std::filesystem::path& file);

/// Throws `Errc::kInvalidInput`, naming variable and time, if a value is NaN where that is not
/// allowed, or infinite.
void check_values(const DatasetInfo& info,
                  const std::vector<std::uint32_t>& nan_count,
                  const std::vector<std::int64_t>& infinite);

}  // namespace askos::io
