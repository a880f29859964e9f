// SPDX-License-Identifier: Apache-2.0
#include "dataset_structure.hpp"

#include "chunk_offsets.hpp"
#include "hdf5_values.hpp"

#include <askos/io/file.hpp>

#include <array>
#include <functional>

namespace askos::io {
namespace {

/// Opens the file, or says in the user's words why HDF5 would not.
Hdf5Handle open_file(const std::filesystem::path& path, const FileIdentity& identity) {
  if (identity.size_bytes == 0) {
    throw Error(Errc::kCorruptData, "file is empty");
  }
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file >= 0) {
    return {file, "opening the file"};
  }
  const std::string reason = take_hdf5_error();
  const auto says = [&](const char* words) { return reason.find(words) != std::string::npos; };
  if (says("signature")) {
    throw Error(Errc::kCorruptData, "not an HDF5 file").with("file_bytes", identity.size_bytes);
  }
  if (says("truncated")) {
    throw Error(Errc::kCorruptData, "file is truncated").with("reason", reason);
  }
  if (says("unable to lock")) {
    throw Error(Errc::kEnvironment, "file is held by a writer; try again when it has finished");
  }
  if (says("already open for write")) {
    throw Error(Errc::kCorruptData, "file was not closed by its writer; import it again");
  }
  throw Error(Errc::kCorruptData, "file cannot be opened by HDF5").with("reason", reason);
}

class Loader {
 public:
  Loader(hid_t file, DatasetStructure& structure, std::vector<Error>& faults)
      : file_(file), structure_(structure), info_(structure.info), faults_(faults) {}

  void load() {
    if (!attempt([&] { check_format(); })) {
      return;
    }
    attempt([&] { load_attributes(); });
    // The axes give the lengths that everything else must have.
    bool axes = attempt([&] { load_times(); });
    axes &= attempt([&] { load_variables(); });
    axes &= attempt([&] { load_cells(); });
    if (!axes) {
      return;
    }
    if (attempt([&] { load_fields(); }) && load_tables()) {
      attempt([&] { check_tables(); });
    }
  }

 private:
  bool attempt(const std::function<void()>& part) {
    try {
      part();
      return true;
    } catch (const Error& fault) {
      faults_.push_back(fault);
      return false;
    }
  }

  std::int64_t integer(const char* name) {
    const auto values = read_integer_attribute(file_, name);
    if (!values || values->size() != 1) {
      throw Error(Errc::kNotFound, "file lacks an attribute").with("attribute", name);
    }
    return values->front();
  }

  void check_format() {
    if (!read_integer_attribute(file_, "askos_format")) {
      throw Error(Errc::kInvalidInput, "HDF5 file is no askos dataset; import it first")
          .with("found", has_array(file_, "fields") ? "fields" : dataset_names(file_));
    }
    const std::int64_t version = integer("askos_format");
    if (version < 1 || version > kFormatVersion) {
      throw Error(Errc::kInvalidInput, "dataset has a version that this askos does not know")
          .with("found", version)
          .with("expected", kFormatVersion);
    }
    if (integer("askos_complete") != 1) {
      throw Error(Errc::kCorruptData, "dataset is incomplete; its writer did not finish");
    }
  }

  void load_attributes() {
    const auto text = [&](const char* name) {
      return read_text_attribute(file_, name).value_or("");
    };
    info_.title = text("title");
    info_.source = text("source");
    info_.licence = text("licence");
    info_.cell_order = text("cell_order");
    info_.uuid = text("askos_uuid");
    info_.grid_shape =
        read_integer_attribute(file_, "grid_shape").value_or(std::vector<std::int64_t>{});
    const auto rows = read_integer_attribute(file_, "statistics_rows");
    if (info_.uuid.empty() || !rows || rows->size() != 2) {
      throw Error(Errc::kNotFound, "file lacks an attribute")
          .with("attribute", "askos_uuid or statistics_rows");
    }
    info_.statistics_rows = {rows->at(0), rows->at(1)};
    info_.metadata = parse_json(text("askos_metadata"));
    info_.step = parse_step(text("frequency"));
  }

  void load_times() {
    const auto times = read_array<std::int64_t>(file_, "time");
    if (times.empty()) {
      throw Error(Errc::kShapeMismatch, "time axis is empty");
    }
    info_.first_time = Time(std::chrono::seconds(times.front()));
    info_.num_rows = static_cast<std::int64_t>(times.size());
    for (std::int64_t row = 0; row < info_.num_rows; ++row) {
      const Time expected = info_.time_of(row);
      const std::int64_t found = times[static_cast<std::size_t>(row)];
      if (expected.time_since_epoch().count() != found) {
        throw Error(Errc::kInvalidInput, "time axis is not regular")
            .with("row", row)
            .with("expected", format_time(expected))
            .with("found_seconds", found);
      }
    }
  }

  void load_variables() {
    const auto text = read_text_attribute(file_, "askos_variables");
    if (!text) {
      throw Error(Errc::kNotFound, "file lacks an attribute").with("attribute", "askos_variables");
    }
    info_.variables = variables_from_json(parse_json(*text));
    load_statistics();
  }

  void load_statistics() {
    for (const auto& [name, member] : kStatistics) {
      const auto values = read_array<double>(file_, name);
      const std::string tendency = tendency_name(info_, name);
      const auto tendencies = read_array<double>(file_, tendency.c_str());
      expect_length(name, values.size(), info_.variables.size());
      expect_length(tendency.c_str(), tendencies.size(), info_.variables.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        info_.variables[i].statistics.*member = values[i];
        info_.variables[i].tendency.*member = tendencies[i];
      }
    }
  }

  void load_cells() {
    info_.latitudes = read_array<double>(file_, "latitude");
    info_.longitudes = read_array<double>(file_, "longitude");
    expect_length("longitude", info_.longitudes.size(), info_.latitudes.size());
    if (has_array(file_, "grid_cell")) {
      info_.grid_cells = read_array<std::int64_t>(file_, "grid_cell");
      expect_length("grid_cell", info_.grid_cells.size(), info_.latitudes.size());
    }
    info_.num_ensembles =
        static_cast<std::int64_t>(read_array<std::int64_t>(file_, "ensemble").size());
  }

  void load_fields() {
    if (!has_array(file_, "fields")) {
      throw Error(Errc::kNotFound, "dataset lacks an array")
          .with("array", "fields")
          .with("found", dataset_names(file_));
    }
    const Hdf5Handle fields(H5Dopen2(file_, "fields", H5P_DEFAULT), "opening the fields");
    const Hdf5Handle type(H5Dget_type(fields), "inspecting the fields");
    if (H5Tequal(type, H5T_IEEE_F32LE) <= 0) {
      throw Error(Errc::kTypeMismatch, "fields have another dtype than expected")
          .with("expected", "little-endian float32")
          .with("found_bytes", H5Tget_size(type))
          .with("found_class", H5Tget_class(type) == H5T_FLOAT ? "float" : "other");
    }
    const std::vector<std::int64_t> expected{info_.num_rows, info_.num_variables(),
                                             info_.num_ensembles, info_.num_cells()};
    if (const auto found = lengths_of(fields); found != expected) {
      throw Error(Errc::kShapeMismatch, "fields have another shape than their axes")
          .with("expected", list(expected))
          .with("found", list(found));
    }
    load_chunk_shape(fields, expected);
    structure_.layout = layout_of(info_);
    find_chunk_offsets(fields, structure_);
  }

  void load_chunk_shape(hid_t fields, const std::vector<std::int64_t>& lengths) {
    const Hdf5Handle properties(H5Dget_create_plist(fields), "inspecting the fields");
    std::array<hsize_t, 4> chunk{};
    if (H5Pget_layout(properties) != H5D_CHUNKED ||
        H5Pget_chunk(properties, 4, chunk.data()) != 4 || chunk[0] != 1 ||
        static_cast<std::int64_t>(chunk[1]) != lengths[1] ||
        static_cast<std::int64_t>(chunk[2]) != lengths[2]) {
      throw Error(Errc::kShapeMismatch, "chunks of the fields do not hold whole time steps")
          .with("expected", "(1, all variables, all members, some cells)");
    }
    if (H5Pget_nfilters(properties) > 0) {
      std::size_t count = 0;
      unsigned flags = 0;
      const H5Z_filter_t filter =
          H5Pget_filter2(properties, 0, &flags, &count, nullptr, 0, nullptr, nullptr);
      throw Error(Errc::kInvalidInput, "fields are compressed; askos reads them uncompressed only")
          .with("filter", filter);
    }
    info_.chunk_cells = static_cast<std::int64_t>(chunk[3]);
  }

  bool load_tables() {
    DatasetTables& tables = structure_.tables;
    const auto rows = static_cast<std::size_t>(info_.num_rows);
    return attempt([&] {
      tables.row_state = read_array<std::uint8_t>(file_, "row_state");
      tables.nan_count = read_array<std::uint32_t>(file_, "nan_count");
      tables.chunk_crc = read_array<std::uint32_t>(file_, "chunk_crc32c");
      expect_length("row_state", tables.row_state.size(), rows);
      expect_length("nan_count", tables.nan_count.size(), rows * info_.variables.size());
      expect_length("chunk_crc32c", tables.chunk_crc.size(),
                    rows * static_cast<std::size_t>(structure_.layout.chunks_per_row()));
    });
  }

  void check_tables() {
    const std::int64_t expected = integer("askos_tables_crc32c");
    const std::int64_t found = tables_crc(info_, structure_.tables);
    if (expected != found) {
      throw Error(Errc::kCorruptData, "coordinates, statistics or tables do not match their CRC")
          .with("expected_crc32c", expected)
          .with("found_crc32c", found);
    }
    check_info(info_);
  }

  static void expect_length(const char* array, std::size_t found, std::size_t expected) {
    if (found != expected) {
      throw Error(Errc::kShapeMismatch, "array has another length than its axis")
          .with("array", array)
          .with("expected", expected)
          .with("found", found);
    }
  }

  static std::string list(const std::vector<std::int64_t>& lengths) {
    std::string text;
    for (const std::int64_t length : lengths) {
      text.append(text.empty() ? "(" : ", ").append(std::to_string(length));
    }
    return text + ")";
  }

  hid_t file_;
  DatasetStructure& structure_;
  DatasetInfo& info_;
  std::vector<Error>& faults_;
};

}  // namespace

DatasetStructure load_structure(const std::filesystem::path& path,
                                FileOperations& operations,
                                std::vector<Error>& faults) {
  DatasetStructure structure;
  structure.path = path;
  std::vector<Error> found;
  try {
    const File file(operations, path, OpenMode::kRead);
    structure.identity = file.identity();
    const Hdf5Session session;
    const Hdf5Handle hdf5 = open_file(path, structure.identity);
    Loader(hdf5, structure, found).load();
    if (file.identity() != structure.identity) {
      throw Error(Errc::kCorruptData, "file changed while it was being read");
    }
  } catch (const Error& fault) {
    found.push_back(fault);
  }
  for (Error& fault : found) {
    const bool named = !fault.values().empty() && fault.values().front().first == "file";
    faults.push_back(named ? fault : fault.with("file", path.string()));
  }
  return structure;
}

}  // namespace askos::io
