// SPDX-License-Identifier: Apache-2.0
#include "row_transform.hpp"

#include <askos/base/error.hpp>
#include <askos/io/crc32c.hpp>
#include <askos/io/shard_reader.hpp>
#include <askos/telemetry/ledger.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace askos::io {
namespace {

constexpr std::int64_t kValueBytes = sizeof(float);
constexpr std::int64_t kScratchBytes = 512L * 1024;  // within the second-level cache

}  // namespace

ShardReader::ShardReader(std::shared_ptr<const DatasetIndex> index,
                         comm::Range cells,
                         const ShardReaderOptions& options,
                         FileOperations& operations,
                         Clock& clock)
    : index_(std::move(index)),
      cells_(cells),
      options_(options),
      operations_(&operations),
      clock_(&clock),
      file_(operations, index_->path(), OpenMode::kRead),
      layout_(index_->layout()) {
  if (cells.begin < 0 || cells.size() < 1 || cells.end > layout_.num_cells) {
    throw Error(Errc::kInvalidInput, "shard is empty or does not lie within the dataset")
        .with("begin", cells.begin)
        .with("end", cells.end)
        .with("cells", layout_.num_cells);
  }
  check_unchanged();
  for (std::int64_t cell = cells.begin; cell < cells.end;) {
    const std::int64_t chunk = cell / layout_.chunk_cells;
    const std::int64_t origin = chunk * layout_.chunk_cells;
    const std::int64_t end = std::min(layout_.chunk_range(chunk).end, cells.end);
    Part part{chunk, {cell - origin, end - origin}, cell - cells.begin, options.check_crc};
    part.is_whole = part.is_whole || part.cells.size() == layout_.chunk_cells;
    parts_.push_back(part);
    cell = end;
  }
  const std::int64_t chunks = std::max<std::int64_t>(kScratchBytes / layout_.chunk_bytes(), 1);
  scratch_.resize(static_cast<std::size_t>(
      std::min<std::int64_t>(chunks, static_cast<std::int64_t>(parts_.size())) *
      layout_.chunk_bytes() / kValueBytes));
}

std::int64_t ShardReader::row_bytes(DType dtype) const {
  return layout_.num_strips() * cells_.size() * size_of(dtype);
}

void ShardReader::check_unchanged() const {
  const FileIdentity& expected = index_->identity();
  const File at_path(*operations_, index_->path(), OpenMode::kRead);
  for (const FileIdentity& found : {file_.identity(), at_path.identity()}) {
    if (found != expected) {
      throw Error(Errc::kCorruptData, "dataset is no longer the file that was indexed")
          .with("file", index_->path().string())
          .with("expected_bytes", expected.size_bytes)
          .with("found_bytes", found.size_bytes)
          .with("same_inode", found.inode == expected.inode)
          .with("same_time", found.modified_ns == expected.modified_ns);
    }
  }
}

/// Returns where the part's cells of one strip begin in the file.
std::int64_t ShardReader::strip_offset(std::int64_t row,
                                       const Part& part,
                                       std::int64_t strip) const {
  return index_->chunk_offset(row, part.chunk) +
         (strip * layout_.chunk_cells + part.cells.begin) * kValueBytes;
}

/// Counts the parts from `first` on, at most `limit`, that are whole chunks one behind the other on
/// the disk; 1 for a part that is not whole.
std::size_t ShardReader::run_length(std::int64_t row, std::size_t first, std::size_t limit) const {
  const std::int64_t begin = index_->chunk_offset(row, parts_[first].chunk);
  std::size_t length = 1;
  while (parts_[first].is_whole && length < limit && first + length < parts_.size() &&
         parts_[first + length].is_whole &&
         index_->chunk_offset(row, parts_[first + length].chunk) ==
             begin + static_cast<std::int64_t>(length) * layout_.chunk_bytes()) {
    ++length;
  }
  return length;
}

void ShardReader::prefetch(std::int64_t row) {
  if (row < 0 || row >= layout_.num_rows || !index_->row_present(row)) {
    return;
  }
  for (std::size_t first = 0; first < parts_.size();) {
    const Part& part = parts_[first];
    const std::size_t length = run_length(row, first, parts_.size());
    if (part.is_whole) {
      file_.will_need(index_->chunk_offset(row, part.chunk),
                      static_cast<std::int64_t>(length) * layout_.chunk_bytes());
    } else {
      for (std::int64_t strip = 0; strip < layout_.num_strips(); ++strip) {
        file_.will_need(strip_offset(row, part, strip), part.cells.size() * kValueBytes);
      }
    }
    first += length;
  }
}

void ShardReader::check_request(std::int64_t row,
                                const RowTarget& target,
                                std::span<const Affine> normaliser) const {
  if (row < 0 || row >= layout_.num_rows || !index_->row_present(row)) {
    throw Error(Errc::kNotFound, "dataset has no such row, or it is missing")
        .with("file", index_->path().string())
        .with("row", row)
        .with("rows", layout_.num_rows);
  }
  if (!can_transform(target.dtype)) {
    throw Error(Errc::kTypeMismatch, "rows cannot be read as this dtype")
        .with("found", target.dtype)
        .with("expected", "float32, float64 or bfloat16");
  }
  if (static_cast<std::int64_t>(target.bytes.size()) < row_bytes(target.dtype)) {
    throw Error(Errc::kShapeMismatch, "memory is too small for a row of the shard")
        .with("expected_bytes", row_bytes(target.dtype))
        .with("found_bytes", target.bytes.size());
  }
  if (!normaliser.empty() &&
      static_cast<std::int64_t>(normaliser.size()) != layout_.num_variables) {
    throw Error(Errc::kShapeMismatch, "normaliser has another number of variables")
        .with("expected", layout_.num_variables)
        .with("found", normaliser.size());
  }
}

void ShardReader::read(std::int64_t row,
                       const RowTarget& target,
                       std::span<const Affine> normaliser) {
  check_request(row, target, normaliser);
  ++counters_.rows;
  counters_.useful_bytes += row_bytes(DType::kFloat32);
  const bool as_it_is = !options_.check_crc && normaliser.empty() &&
                        target.dtype == DType::kFloat32 &&
                        (target.layout == RowLayout::kVariableCell || layout_.num_variables == 1);
  if (as_it_is) {
    read_untouched(row, target.bytes);
    return;
  }
  const auto chunk_values = static_cast<std::size_t>(layout_.chunk_bytes() / kValueBytes);
  for (std::size_t first = 0; first < parts_.size();) {
    const std::size_t length = run_length(row, first, scratch_.size() / chunk_values);
    const std::span<const Part> run(&parts_[first], length);
    read_run(row, run);
    for (std::size_t i = 0; i < length; ++i) {
      const float* chunk = scratch_.data() + i * chunk_values;
      if (options_.check_crc) {
        check_chunk(row, run[i].chunk, {chunk, chunk_values});
      }
      transform(row, run[i], chunk, target, normaliser);
    }
    first += length;
  }
}

/// Reads straight into `target`, [var, ens, cell] as float32: whole chunks that follow each other
/// by one scattered read, other parts strip by strip.
void ShardReader::read_untouched(std::int64_t row, std::span<std::byte> target) {
  const telemetry::ScopedState waiting(telemetry::State::kWaitIo);
  std::vector<iovec> pieces;
  pieces.reserve(parts_.size() * static_cast<std::size_t>(layout_.num_strips()));
  for (std::size_t first = 0; first < parts_.size();) {
    const std::size_t length = run_length(row, first, parts_.size());
    pieces.clear();
    for (std::size_t i = first; i < first + length; ++i) {
      const Part& part = parts_[i];
      for (std::int64_t strip = 0; strip < layout_.num_strips(); ++strip) {
        const auto at = (strip * cells_.size() + part.target_cell) * kValueBytes;
        const auto bytes = static_cast<std::size_t>(part.cells.size() * kValueBytes);
        const auto piece = target.subspan(static_cast<std::size_t>(at), bytes);
        if (part.is_whole) {
          pieces.push_back({piece.data(), bytes});
        } else {
          file_.read(strip_offset(row, part, strip), piece, options_.retry, *clock_);
        }
      }
    }
    if (!pieces.empty()) {
      file_.read(index_->chunk_offset(row, parts_[first].chunk), pieces, options_.retry, *clock_);
    }
    first += length;
  }
}

/// Reads one run into the scratch memory, each chunk at its place.
void ShardReader::read_run(std::int64_t row, std::span<const Part> run) {
  const telemetry::ScopedState waiting(telemetry::State::kWaitIo);
  const Part& part = run.front();
  const auto bytes = std::as_writable_bytes(std::span(scratch_));
  if (part.is_whole) {
    const auto length = static_cast<std::int64_t>(run.size()) * layout_.chunk_bytes();
    file_.read(index_->chunk_offset(row, part.chunk), bytes.first(static_cast<std::size_t>(length)),
               options_.retry, *clock_);
    for (const Part& each : run) {
      counters_.extra_bytes +=
          (layout_.chunk_cells - each.cells.size()) * layout_.num_strips() * kValueBytes;
    }
    return;
  }
  for (std::int64_t strip = 0; strip < layout_.num_strips(); ++strip) {
    const auto at = (strip * layout_.chunk_cells + part.cells.begin) * kValueBytes;
    const auto length = static_cast<std::size_t>(part.cells.size() * kValueBytes);
    file_.read(strip_offset(row, part, strip), bytes.subspan(static_cast<std::size_t>(at), length),
               options_.retry, *clock_);
  }
}

void ShardReader::check_chunk(std::int64_t row,
                              std::int64_t chunk,
                              std::span<const float> values) const {
  const std::uint32_t found = crc32c(std::as_bytes(values));
  const std::uint32_t expected = index_->chunk_crc(row, chunk);
  if (found != expected) {
    throw Error(Errc::kCorruptData, "chunk does not match its CRC")
        .with("file", index_->path().string())
        .with("time", format_time(index_->info().time_of(row)))
        .with("row", row)
        .with("chunk", chunk)
        .with("expected_crc32c", expected)
        .with("found_crc32c", found);
  }
}

void ShardReader::transform(std::int64_t row,
                            const Part& part,
                            const float* chunk,
                            const RowTarget& target,
                            std::span<const Affine> normaliser) {
  // While the target is transposed, a block of cells stays in the cache for all variables.
  constexpr std::int64_t kBlockCells = 128;
  constexpr std::int64_t kSideBySide = 8;
  const bool transposed = target.layout == RowLayout::kCellVariable;
  const std::int64_t block = transposed ? kBlockCells : part.cells.size();
  const bool side_by_side =
      transposed && target.dtype == DType::kFloat32 && layout_.num_ensembles == 1;
  const std::int64_t entry_bytes = size_of(target.dtype);
  for (std::int64_t begin = 0; begin < part.cells.size(); begin += block) {
    const std::int64_t count = std::min(block, part.cells.size() - begin);
    const auto source = [&](std::int64_t strip) {
      const std::int64_t variable = strip / layout_.num_ensembles;
      const Affine line =
          normaliser.empty() ? Affine{1, -0.0} : normaliser[static_cast<std::size_t>(variable)];
      return Strip{chunk + strip * layout_.chunk_cells + part.cells.begin + begin,
                   count,
                   static_cast<float>(line.scale),
                   static_cast<float>(line.offset),
                   line.scale,
                   line.offset};
    };
    for (std::int64_t strip = 0; strip < layout_.num_strips();) {
      const std::int64_t variable = strip / layout_.num_ensembles;
      const std::int64_t member = strip % layout_.num_ensembles;
      const std::int64_t cell = part.target_cell + begin;
      const std::int64_t at =
          transposed ? (member * cells_.size() + cell) * layout_.num_variables + variable
                     : strip * cells_.size() + cell;
      std::byte* const to = target.bytes.data() + at * entry_bytes;
      const std::int64_t stride = transposed ? layout_.num_variables : 1;
      const std::int64_t end = side_by_side && strip + kSideBySide <= layout_.num_strips()
                                   ? strip + kSideBySide
                                   : strip + 1;
      std::int64_t strange = 0;
      if (end == strip + kSideBySide) {
        std::array<Strip, kSideBySide> strips;
        std::ranges::generate(strips, [&, next = strip]() mutable { return source(next++); });
        strange = transform_eight_strips(strips, reinterpret_cast<float*>(to), stride);
      } else {
        strange = transform_strip(source(strip), target.dtype, to, stride);
      }
      for (; strip < end; ++strip) {
        if (strange > 0) {
          count_strange(row, strip / layout_.num_ensembles,
                        {source(strip).from, static_cast<std::size_t>(count)});
        }
      }
    }
  }
}

void ShardReader::count_strange(std::int64_t row,
                                std::int64_t variable,
                                std::span<const float> values) {
  const auto nans = std::ranges::count_if(values, [](float value) { return std::isnan(value); });
  const auto infinities =
      std::ranges::count_if(values, [](float value) { return std::isinf(value); });
  counters_.nans += nans;
  counters_.infinities += infinities;
  const VariableInfo& info = index_->info().variables[static_cast<std::size_t>(variable)];
  if (infinities > 0 || (nans > 0 && !info.allow_nans)) {
    throw Error(Errc::kInvalidInput, "NaN or infinity where it is not allowed")
        .with("file", index_->path().string())
        .with("variable", info.name)
        .with("time", format_time(index_->info().time_of(row)))
        .with("nans", nans)
        .with("infinities", infinities);
  }
}

}  // namespace askos::io
