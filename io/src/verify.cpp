// SPDX-License-Identifier: Apache-2.0
#include "dataset_structure.hpp"
#include "field_scan.hpp"

#include <askos/io/file.hpp>
#include <askos/io/verify.hpp>

#include <array>
#include <bit>
#include <utility>

namespace askos::io {
namespace {

/// Compares bit by bit, so that NaN equals NaN: the scan that wrote them repeats itself exactly.
bool same(const Statistics& a, const Statistics& b) {
  const auto bits = [](const Statistics& value) {
    return std::bit_cast<std::array<std::uint64_t, 4>>(value);
  };
  return bits(a) == bits(b);
}

class Verifier {
 public:
  Verifier(const DatasetStructure& structure, VerifyReport& report)
      : structure_(structure), report_(report) {}

  void check(const FieldScan& scan) {
    check_chunks(scan);
    if (!report_.ok()) {
      return;  // counts and statistics of damaged values say nothing more
    }
    const auto& variables = structure_.info.variables;
    for (std::size_t i = 0; i < scan.nan_count.size(); ++i) {
      const auto& variable = variables[i % variables.size()];
      if (scan.nan_count[i] != structure_.tables.nan_count[i]) {
        report(Error(Errc::kCorruptData, "number of NaNs is not what the table says")
                   .with("variable", variable.name)
                   .with("row", i / variables.size())
                   .with("expected", structure_.tables.nan_count[i])
                   .with("found", scan.nan_count[i]));
      }
      if (scan.nan_count[i] > 0 && !variable.allow_nans) {
        report(Error(Errc::kInvalidInput, "NaN where it is not allowed")
                   .with("variable", variable.name)
                   .with("row", i / variables.size())
                   .with("values", scan.nan_count[i]));
      }
    }
    for (std::size_t i = 0; i < variables.size(); ++i) {
      if (!same(scan.statistics[i], variables[i].statistics) ||
          !same(scan.tendencies[i], variables[i].tendency)) {
        report(Error(Errc::kCorruptData, "statistics do not follow from the values")
                   .with("variable", variables[i].name));
      }
      if (scan.infinite[i] > 0) {
        report(Error(Errc::kInvalidInput, "infinite value where it is not allowed")
                   .with("variable", variables[i].name)
                   .with("values", scan.infinite[i]));
      }
    }
  }

 private:
  void report(Error fault) {
    report_.faults.push_back(fault.with("file", structure_.path.string()));
  }

  void check_chunks(const FieldScan& scan) {
    const FieldLayout& layout = structure_.layout;
    for (std::int64_t row = 0; row < layout.num_rows; ++row) {
      if (structure_.tables.row_state[static_cast<std::size_t>(row)] != kRowPresent) {
        ++report_.num_missing_rows;
        continue;
      }
      for (std::int64_t chunk = 0; chunk < layout.chunks_per_row(); ++chunk) {
        check_chunk(scan, row, chunk);
      }
    }
  }

  void check_chunk(const FieldScan& scan, std::int64_t row, std::int64_t chunk) {
    const FieldLayout& layout = structure_.layout;
    const auto at = static_cast<std::size_t>(row * layout.chunks_per_row() + chunk);
    const std::int64_t offset = structure_.offset_of(row, chunk);
    const auto place = [&](Error fault) {
      report(fault.with("row", row)
                 .with("time", format_time(structure_.info.time_of(row)))
                 .with("chunk", chunk)
                 .with("offset", offset));
    };
    if (offset < 0) {
      place(Error(Errc::kCorruptData, "chunk was never written"));
      return;
    }
    ++report_.num_chunks;
    report_.num_bytes += layout.chunk_bytes();
    if (scan.chunk_crc[at] != structure_.tables.chunk_crc[at]) {
      place(Error(Errc::kCorruptData, "chunk does not match its CRC")
                .with("expected_crc32c", structure_.tables.chunk_crc[at])
                .with("found_crc32c", scan.chunk_crc[at]));
    }
  }

  const DatasetStructure& structure_;
  VerifyReport& report_;
};

}  // namespace

VerifyReport verify_dataset(const std::filesystem::path& path, FileOperations& operations) {
  VerifyReport report;
  const DatasetStructure structure = load_structure(path, operations, report.faults);
  report.num_rows = structure.layout.num_rows;
  if (!report.ok()) {
    return report;
  }
  try {
    const File file(operations, path, OpenMode::kRead);
    const FieldScan scan = scan_fields(
        file, structure.layout,
        [&](std::int64_t row, std::int64_t chunk) { return structure.offset_of(row, chunk); },
        structure.tables.row_state, structure.info.statistics_rows);
    Verifier(structure, report).check(scan);
  } catch (const Error& fault) {
    report.faults.push_back(fault);
  }
  return report;
}

}  // namespace askos::io
