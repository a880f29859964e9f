// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/dataset_info.hpp>
#include <askos/io/file.hpp>
#include <askos/io/progress.hpp>

#include <cstdint>
#include <functional>
#include <vector>

namespace askos::io {

/// What one pass over all stored values finds.
struct FieldScan {
  std::vector<std::uint32_t> chunk_crc;  ///< [time, chunk]; of rows that are not present 0
  std::vector<std::uint32_t> nan_count;  ///< [time, variable]
  std::vector<std::int64_t> infinite;    ///< [variable] number of values that are +-Inf
  std::vector<Statistics> statistics;    ///< [variable]
  std::vector<Statistics> tendencies;    ///< [variable]
};

/// Returns the file offset of a chunk, or a negative number if it was never written.
using ChunkOffset = std::function<std::int64_t(std::int64_t row, std::int64_t chunk)>;

/// Reads every chunk of the rows whose `row_present` is set, chunk column by chunk column, so that
/// two chunks fit all the memory it needs. Statistics come from `statistics_rows`; a tendency needs
/// both of its rows there. The result does not depend on who wrote the chunks. `progress` hears of
/// each chunk.
[[nodiscard]] FieldScan scan_fields(const File& file,
                                    const FieldLayout& layout,
                                    const ChunkOffset& offset_of,
                                    const std::vector<std::uint8_t>& row_present,
                                    comm::Range statistics_rows,
                                    const Progress& progress = {});

}  // namespace askos::io
