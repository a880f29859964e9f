// SPDX-License-Identifier: Apache-2.0
#include "crc_assembly.hpp"
#include "dataset_file.hpp"
#include "field_scan.hpp"
#include "uuid.hpp"

#include <askos/base/error.hpp>
#include <askos/io/atomic_file.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/io/dataset_writer.hpp>

#include <limits>
#include <utility>

namespace askos::io {
namespace {

/// Upper bound of what the file needs besides its fields.
std::int64_t table_bytes(const DatasetInfo& info, const FieldLayout& layout) {
  const std::int64_t per_row = 16 + 4 * info.num_variables() + 4 * layout.chunks_per_row();
  const std::int64_t names = 256 * info.num_variables();
  return info.num_rows * per_row + 24 * info.num_cells() + names + (std::int64_t{1} << 18) +
         static_cast<std::int64_t>(to_json(info.metadata).size());
}

}  // namespace

DatasetWriter::DatasetWriter(std::filesystem::path path,
                             DatasetInfo info,
                             FileOperations& operations)
    : path_(std::move(path)), info_(std::move(info)), operations_(&operations) {
  if (info_.uuid.empty()) {
    info_.uuid = make_uuid();
  }
  if (info_.statistics_rows == comm::Range{}) {
    info_.statistics_rows = {0, info_.num_rows};
  }
  check_info(info_);
  plan_.layout = layout_of(info_);
  info_.chunk_cells = plan_.layout.chunk_cells;
  plan_.file = path_.string() + ".tmp";
  const std::int64_t field_bytes =
      plan_.layout.num_rows * plan_.layout.chunks_per_row() * plan_.layout.chunk_bytes();
  File file(*operations_, plan_.file, OpenMode::kCreate);
  try {
    // HDF5 does not survive a full disk well: make sure of the space before it writes.
    file.allocate(field_bytes + table_bytes(info_, plan_.layout));
    plan_.first_chunk_offset = create_dataset_file(plan_.file, info_);
    file.allocate(file.identity().size_bytes);
  } catch (...) {
    operations_->remove_file(plan_.file);
    throw;
  }
}

DatasetWriter::~DatasetWriter() {
  if (!finished_) {
    operations_->remove_file(plan_.file);
  }
}

void DatasetWriter::finish(std::span<const ShardResult> shards, const Progress& progress) {
  const FieldLayout& layout = plan_.layout;
  DatasetTables tables;
  tables.row_state = assemble_rows(shards, layout);
  tables.chunk_crc = assemble_crcs(shards, layout);
  File file(*operations_, plan_.file, OpenMode::kReadWrite);
  fill_missing_rows(file, tables.row_state);
  file.sync();
  const FieldScan scan = scan_fields(
      file, layout,
      [this](std::int64_t row, std::int64_t chunk) { return plan_.offset_of(row, chunk); },
      tables.row_state, info_.statistics_rows, progress);
  check_crcs(tables.chunk_crc, scan.chunk_crc, layout, plan_.file);
  for (std::size_t i = 0; i < info_.variables.size(); ++i) {
    info_.variables[i].statistics = scan.statistics[i];
    info_.variables[i].tendency = scan.tendencies[i];
  }
  check_values(info_, scan.nan_count, scan.infinite);
  tables.nan_count = scan.nan_count;
  complete_dataset_file(plan_.file, info_, tables);
  file.sync();
  file.close();
  static_cast<void>(DatasetIndex::open(plan_.file, *operations_));
  check_file_result(operations_->rename(plan_.file, path_), "renaming a dataset", path_);
  finished_ = true;
  check_file_result(operations_->sync_folder(parent_folder(path_)), "syncing the folder", path_);
}

void DatasetWriter::fill_missing_rows(const File& file,
                                      const std::vector<std::uint8_t>& row_present) const {
  const auto values = static_cast<std::size_t>(plan_.layout.chunk_bytes()) / sizeof(float);
  const std::vector<float> nans(values, std::numeric_limits<float>::quiet_NaN());
  for (std::int64_t row = 0; row < plan_.layout.num_rows; ++row) {
    if (row_present[static_cast<std::size_t>(row)] != kRowPresent) {
      for (std::int64_t chunk = 0; chunk < plan_.layout.chunks_per_row(); ++chunk) {
        file.write(plan_.offset_of(row, chunk), std::as_bytes(std::span(nans)));
      }
    }
  }
}

}  // namespace askos::io
