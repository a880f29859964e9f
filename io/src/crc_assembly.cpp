// SPDX-License-Identifier: Apache-2.0
//
// A chunk is strip after strip (variable, ensemble member); a shard edge cuts every strip of its
// chunk in two. The CRC of such a chunk is that of all pieces in file order, put together with
// `Crc32cJoin`. In the last chunk of a row, each strip is padded with zeros.
#include "crc_assembly.hpp"

#include "dataset_tables.hpp"

#include <askos/base/error.hpp>
#include <askos/io/crc32c.hpp>

#include <algorithm>
#include <unordered_map>

namespace askos::io {
namespace {

constexpr std::int64_t kValueBytes = sizeof(float);

std::vector<const ShardResult*> sorted_by_cell(std::span<const ShardResult> shards) {
  std::vector<const ShardResult*> sorted;
  for (const ShardResult& shard : shards) {
    if (shard.cells.size() > 0) {
      sorted.push_back(&shard);
    }
  }
  std::ranges::sort(sorted, {}, [](const ShardResult* shard) { return shard->cells.begin; });
  return sorted;
}

std::uint32_t crc_of_zeros(std::int64_t size_bytes) {
  const std::vector<std::byte> zeros(static_cast<std::size_t>(size_bytes));
  return crc32c(zeros);
}

}  // namespace

std::vector<std::uint8_t> assemble_rows(std::span<const ShardResult> shards,
                                        const FieldLayout& layout) {
  std::vector<std::int64_t> written_to(static_cast<std::size_t>(layout.num_rows), 0);
  for (const ShardResult* shard : sorted_by_cell(shards)) {
    for (const std::int64_t row : shard->rows) {
      std::int64_t& end = written_to.at(static_cast<std::size_t>(row));
      if (end != shard->cells.begin) {
        throw Error(Errc::kInvalidInput, "shards of a row leave a gap or overlap")
            .with("row", row)
            .with("expected_cell", end)
            .with("found_cell", shard->cells.begin);
      }
      end = shard->cells.end;
    }
  }
  std::vector<std::uint8_t> present;
  for (const std::int64_t end : written_to) {
    if (end != 0 && end != layout.num_cells) {
      throw Error(Errc::kInvalidInput, "row was written in part only")
          .with("row", present.size())
          .with("cells", end)
          .with("expected", layout.num_cells);
    }
    present.push_back(end == 0 ? kRowMissing : kRowPresent);
  }
  return present;
}

std::vector<std::uint32_t> assemble_crcs(std::span<const ShardResult> shards,
                                         const FieldLayout& layout) {
  const std::int64_t num_chunks = layout.chunks_per_row();
  std::vector<std::uint32_t> chunk_crc(static_cast<std::size_t>(layout.num_rows * num_chunks), 0);
  // Chunks that several shards share, by position in `chunk_crc`: the CRC of each strip so far.
  std::unordered_map<std::size_t, std::vector<std::uint32_t>> shared;
  for (const ShardResult* shard : sorted_by_cell(shards)) {
    const comm::Range cells = shard->cells;
    const std::uint32_t* whole_crc = shard->chunk_crc.data();
    const std::uint32_t* strip_crc = shard->strip_crc.data();
    for (const std::int64_t row : shard->rows) {
      for (std::int64_t chunk = cells.begin / layout.chunk_cells;
           chunk * layout.chunk_cells < cells.end; ++chunk) {
        const auto at = static_cast<std::size_t>(row * num_chunks + chunk);
        const comm::Range whole = layout.chunk_range(chunk);
        if (cells.begin <= whole.begin && whole.end <= cells.end) {
          chunk_crc[at] = *whole_crc++;
          continue;
        }
        auto& strips = shared[at];
        strips.resize(static_cast<std::size_t>(layout.num_strips()), 0);
        const Crc32cJoin join(
            (std::min(whole.end, cells.end) - std::max(whole.begin, cells.begin)) * kValueBytes);
        for (std::uint32_t& strip : strips) {
          strip = join(strip, *strip_crc++);
        }
      }
    }
  }
  const std::int64_t padding = (num_chunks * layout.chunk_cells - layout.num_cells) * kValueBytes;
  const std::uint32_t padding_crc = crc_of_zeros(padding);
  const Crc32cJoin join_padding(padding);
  for (const auto& [at, strips] : shared) {
    const auto chunk = static_cast<std::int64_t>(at) % num_chunks;
    const Crc32cJoin join(layout.chunk_range(chunk).size() * kValueBytes);
    for (const std::uint32_t strip : strips) {
      chunk_crc[at] = join(chunk_crc[at], strip);
      if (chunk == num_chunks - 1) {
        chunk_crc[at] = join_padding(chunk_crc[at], padding_crc);
      }
    }
  }
  return chunk_crc;
}

void check_crcs(const std::vector<std::uint32_t>& expected,
                const std::vector<std::uint32_t>& found,
                const FieldLayout& layout,
                const std::filesystem::path& file) {
  const auto [at, other] = std::ranges::mismatch(expected, found);
  if (at != expected.end()) {
    const std::int64_t index = at - expected.begin();
    throw Error(Errc::kCorruptData, "chunk does not read back as it was written")
        .with("file", file.string())
        .with("row", index / layout.chunks_per_row())
        .with("chunk", index % layout.chunks_per_row())
        .with("expected_crc32c", *at)
        .with("found_crc32c", *other);
  }
}

void check_values(const DatasetInfo& info,
                  const std::vector<std::uint32_t>& nan_count,
                  const std::vector<std::int64_t>& infinite) {
  const std::size_t num_variables = info.variables.size();
  for (std::size_t i = 0; i < nan_count.size(); ++i) {
    const VariableInfo& variable = info.variables[i % num_variables];
    if (nan_count[i] > 0 && !variable.allow_nans) {
      throw Error(Errc::kInvalidInput, "NaN where it is not allowed")
          .with("variable", variable.name)
          .with("time", format_time(info.time_of(static_cast<std::int64_t>(i / num_variables))))
          .with("values", nan_count[i]);
    }
  }
  for (std::size_t i = 0; i < num_variables; ++i) {
    if (infinite[i] > 0) {
      throw Error(Errc::kInvalidInput, "infinite value where it is not allowed")
          .with("variable", info.variables[i].name)
          .with("values", infinite[i]);
    }
  }
}

}  // namespace askos::io
