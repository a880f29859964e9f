// SPDX-License-Identifier: Apache-2.0
#include "dataset_structure.hpp"

#include <askos/base/error.hpp>
#include <askos/base/log.hpp>
#include <askos/io/dataset_index.hpp>

#include <utility>

namespace askos::io {

std::shared_ptr<const DatasetIndex> DatasetIndex::open(const std::filesystem::path& path,
                                                       FileOperations& operations) {
  std::vector<Error> faults;
  DatasetStructure structure = load_structure(path, operations, faults);
  if (!faults.empty()) {
    Error first = faults.front();
    throw faults.size() == 1 ? first : first.with("further_faults", faults.size() - 1);
  }
  // A chunk without an address was never written: HDF5 would read it as fill values.
  for (std::int64_t row = 0; row < structure.layout.num_rows; ++row) {
    auto& state = structure.tables.row_state[static_cast<std::size_t>(row)];
    for (std::int64_t chunk = 0; chunk < structure.layout.chunks_per_row(); ++chunk) {
      if (state == kRowPresent && structure.offset_of(row, chunk) < 0) {
        state = kRowMissing;
        logger("askos.io")
            ->warn("row counts as missing, a chunk was never written: file={}, row={}",
                   path.string(), row);
      }
    }
  }
  return std::make_shared<const DatasetIndex>(std::move(structure));
}

DatasetIndex::DatasetIndex(DatasetStructure structure)
    : structure_(std::make_unique<const DatasetStructure>(std::move(structure))) {}

DatasetIndex::~DatasetIndex() = default;

const std::filesystem::path& DatasetIndex::path() const noexcept {
  return structure_->path;
}

const FileIdentity& DatasetIndex::identity() const noexcept {
  return structure_->identity;
}

const DatasetInfo& DatasetIndex::info() const noexcept {
  return structure_->info;
}

const FieldLayout& DatasetIndex::layout() const noexcept {
  return structure_->layout;
}

bool DatasetIndex::row_present(std::int64_t row) const {
  return structure_->tables.row_state.at(static_cast<std::size_t>(row)) == kRowPresent;
}

const std::vector<std::uint8_t>& DatasetIndex::rows_present() const noexcept {
  return structure_->tables.row_state;
}

std::uint32_t DatasetIndex::nan_count(std::int64_t row, std::int64_t variable) const {
  const auto at = row * structure_->layout.num_variables + variable;
  return structure_->tables.nan_count.at(static_cast<std::size_t>(at));
}

std::uint32_t DatasetIndex::chunk_crc(std::int64_t row, std::int64_t chunk) const {
  const auto at = row * structure_->layout.chunks_per_row() + chunk;
  return structure_->tables.chunk_crc.at(static_cast<std::size_t>(at));
}

std::int64_t DatasetIndex::chunk_offset(std::int64_t row, std::int64_t chunk) const {
  return structure_->offset_of(row, chunk);
}

bool DatasetIndex::has_implicit_offsets() const noexcept {
  return structure_->implicit_offsets;
}

}  // namespace askos::io
