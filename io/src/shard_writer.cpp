// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/crc32c.hpp>
#include <askos/io/dataset_writer.hpp>

#include <algorithm>
#include <utility>

namespace askos::io {

ShardWriter::ShardWriter(WritePlan plan, comm::Range cells, FileOperations& operations)
    : plan_(std::move(plan)), file_(operations, plan_.file, OpenMode::kReadWrite) {
  if (cells.begin < 0 || cells.size() < 0 || cells.end > plan_.layout.num_cells) {
    throw Error(Errc::kInvalidInput, "shard does not lie within the dataset")
        .with("begin", cells.begin)
        .with("end", cells.end)
        .with("cells", plan_.layout.num_cells);
  }
  result_.cells = cells;
  chunk_.resize(static_cast<std::size_t>(plan_.layout.chunk_bytes()) / sizeof(float));
  written_.resize(static_cast<std::size_t>(plan_.layout.num_rows));
}

void ShardWriter::write_row(std::int64_t row, std::span<const float> values, RowLayout layout) {
  const std::int64_t expected = plan_.layout.num_strips() * result_.cells.size();
  if (static_cast<std::int64_t>(values.size()) != expected || row < 0 ||
      row >= plan_.layout.num_rows) {
    throw Error(Errc::kShapeMismatch, "row of a shard has another size, or there is no such row")
        .with("row", row)
        .with("rows", plan_.layout.num_rows)
        .with("found", values.size())
        .with("expected", expected);
  }
  if (written_[static_cast<std::size_t>(row)]) {
    throw Error(Errc::kInvalidInput, "row of a shard is written twice").with("row", row);
  }
  const comm::Range cells = result_.cells;
  for (std::int64_t cell = cells.begin; cell < cells.end;) {
    const std::int64_t chunk = cell / plan_.layout.chunk_cells;
    write_chunk(row, chunk, values, layout);
    cell = plan_.layout.chunk_range(chunk).end;
  }
  written_[static_cast<std::size_t>(row)] = true;
  result_.rows.push_back(row);
}

/// Writes the shard's part of one chunk: at once if it is the whole chunk, else strip by strip.
void ShardWriter::write_chunk(std::int64_t row,
                              std::int64_t chunk,
                              std::span<const float> values,
                              RowLayout layout) {
  const comm::Range whole = plan_.layout.chunk_range(chunk);
  const comm::Range part{std::max(whole.begin, result_.cells.begin),
                         std::min(whole.end, result_.cells.end)};
  const bool is_whole = part == whole;
  const std::int64_t shard_cells = result_.cells.size();
  const std::int64_t num_variables = plan_.layout.num_variables;
  const std::int64_t num_ensembles = plan_.layout.num_ensembles;
  const std::int64_t offset = plan_.offset_of(row, chunk);
  std::ranges::fill(chunk_, 0.0F);
  for (std::int64_t strip = 0; strip < plan_.layout.num_strips(); ++strip) {
    const std::int64_t variable = strip / num_ensembles;
    const std::int64_t member = strip % num_ensembles;
    const std::int64_t at = strip * plan_.layout.chunk_cells + part.begin - whole.begin;
    const std::span<float> piece(chunk_.data() + at, static_cast<std::size_t>(part.size()));
    for (std::int64_t i = 0; i < part.size(); ++i) {
      const std::int64_t cell = part.begin - result_.cells.begin + i;
      const std::int64_t from = layout == RowLayout::kVariableCell
                                    ? strip * shard_cells + cell
                                    : (member * shard_cells + cell) * num_variables + variable;
      piece[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(from)];
    }
    if (!is_whole) {
      result_.strip_crc.push_back(crc32c(std::as_bytes(piece)));
      file_.write(offset + at * static_cast<std::int64_t>(sizeof(float)), std::as_bytes(piece));
    }
  }
  if (is_whole) {
    result_.chunk_crc.push_back(crc32c(std::as_bytes(std::span(chunk_))));
    file_.write(offset, std::as_bytes(std::span(chunk_)));
  }
}

ShardResult ShardWriter::finish() {
  file_.sync();
  file_.close();
  return std::move(result_);
}

}  // namespace askos::io
