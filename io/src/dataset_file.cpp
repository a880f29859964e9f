// SPDX-License-Identifier: Apache-2.0
//
// The file is a netCDF-4 file as well: every axis is a dimension scale (HDF5 "Dimension Scale
// Specification"), objects track their order, and axes without values carry the marker that
// libnetcdf writes for "a dimension but not a variable".
#include "dataset_file.hpp"

#include "hdf5_values.hpp"

#include <askos/base/error.hpp>

#include <hdf5_hl.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

namespace askos::io {
namespace {

Hdf5Handle file_access() {
  Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), "preparing a file");
  // Version 1.10 objects carry checksums; older ones let flipped bits pass as data.
  check_hdf5(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST), "preparing a file");
  check_hdf5(H5Pset_alignment(access, hsize_t{64} * 1024, 4096), "preparing a file");
  return access;
}

Hdf5Handle array_properties() {
  Hdf5Handle properties(H5Pcreate(H5P_DATASET_CREATE), "preparing an array");
  check_hdf5(H5Pset_attr_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
             "preparing an array");
  check_hdf5(H5Pset_obj_track_times(properties, false), "preparing an array");
  return properties;
}

/// The axes of the file, to attach to arrays.
struct Scales {
  Hdf5Handle time, variable, ensemble, cell, chunk;
};

class Skeleton {
 public:
  Skeleton(hid_t file, const DatasetInfo& info)
      : file_(file), info_(info), layout_(layout_of(info)) {}

  std::int64_t write() {
    write_attributes();
    write_axes();
    write_coordinates();
    write_tables();
    return write_fields();
  }

 private:
  Hdf5Handle make(const char* name, hid_t type, std::vector<hsize_t> lengths, hid_t properties) {
    const Hdf5Handle space(
        H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr),
        "making a space");
    return {H5Dcreate2(file_, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT), name};
  }

  /// One chunk with a Fletcher checksum, allocated now, so that filling it in needs no more space.
  Hdf5Handle make_table(const char* name,
                        hid_t type,
                        const std::vector<std::pair<hsize_t, hid_t>>& axes) {
    std::vector<hsize_t> lengths;
    for (const auto& [length, scale] : axes) {
      lengths.push_back(length);
    }
    const Hdf5Handle properties = array_properties();
    check_hdf5(H5Pset_chunk(properties, static_cast<int>(lengths.size()), lengths.data()), name);
    check_hdf5(H5Pset_fletcher32(properties), name);
    check_hdf5(H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY), name);
    Hdf5Handle table = make(name, type, lengths, properties);
    for (unsigned axis = 0; axis < axes.size(); ++axis) {
      check_hdf5(H5DSattach_scale(table, axes[axis].second, axis), name);
    }
    return table;
  }

  template <typename T>
  Hdf5Handle make_filled(const char* name,
                         hid_t type,
                         const std::vector<std::pair<hsize_t, hid_t>>& axes,
                         const std::vector<T>& values) {
    Hdf5Handle table = make_table(name, type, axes);
    check_hdf5(H5Dwrite(table, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
               name);
    return table;
  }

  void make_strings(const char* name, const std::vector<std::string>& texts, bool is_axis) {
    const Hdf5Handle type(H5Tcopy(H5T_C_S1), name);
    check_hdf5(H5Tset_size(type, H5T_VARIABLE), name);
    check_hdf5(H5Tset_cset(type, H5T_CSET_UTF8), name);
    Hdf5Handle array = make(name, type, {texts.size()}, array_properties());
    std::vector<const char*> pointers;
    for (const std::string& text : texts) {
      pointers.push_back(text.c_str());
    }
    check_hdf5(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                        static_cast<const void*>(pointers.data())),
               name);
    if (is_axis) {
      check_hdf5(H5DSset_scale(array, name), name);
      scales_.variable = std::move(array);
    } else {
      check_hdf5(H5DSattach_scale(array, scales_.variable, 0), name);
    }
  }

  Hdf5Handle make_bare_axis(const char* name, std::int64_t length) {
    Hdf5Handle axis =
        make(name, H5T_IEEE_F32BE, {static_cast<hsize_t>(length)}, array_properties());
    std::array<char, 80> marker{};
    std::snprintf(marker.data(), marker.size(),
                  "This is a netCDF dimension but not a netCDF variable.%10lld",
                  static_cast<long long>(length));
    check_hdf5(H5DSset_scale(axis, marker.data()), name);
    return axis;
  }

  void write_attributes() {
    write_attribute(file_, "Conventions", std::string("CF-1.10"));
    write_attribute(file_, "title", info_.title);
    write_attribute(file_, "source", info_.source);
    write_attribute(file_, "licence", info_.licence);
    write_attribute(file_, "frequency", format_step(info_.step));
    write_attribute(file_, "cell_order", info_.cell_order);
    write_attribute(file_, "askos_uuid", info_.uuid);
    write_integer_attribute(file_, "askos_format", kFormatVersion);
    write_integer_attribute(file_, "askos_complete", 0);
    write_integer_attribute(file_, "askos_tables_crc32c", 0);
    const std::array rows{info_.statistics_rows.begin, info_.statistics_rows.end};
    write_attribute(file_, "statistics_rows", std::span<const std::int64_t>(rows));
    if (!info_.grid_shape.empty()) {
      write_attribute(file_, "grid_shape", std::span<const std::int64_t>(info_.grid_shape));
    }
    write_attribute(file_, "askos_variables", to_json(variables_to_json(info_)));
    write_attribute(file_, "askos_metadata", to_json(info_.metadata));
  }

  void write_axes() {
    std::vector<std::int64_t> times;
    for (std::int64_t row = 0; row < info_.num_rows; ++row) {
      times.push_back(info_.time_of(row).time_since_epoch().count());
    }
    scales_.time = make("time", H5T_STD_I64LE, {times.size()}, array_properties());
    check_hdf5(
        H5Dwrite(scales_.time, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, times.data()),
        "writing the time axis");
    check_hdf5(H5DSset_scale(scales_.time, "time"), "making an axis");
    write_attribute(scales_.time, "units", std::string("seconds since 1970-01-01 00:00:00"));
    write_attribute(scales_.time, "calendar", std::string("standard"));
    write_attribute(scales_.time, "standard_name", std::string("time"));

    std::vector<std::string> names;
    std::vector<std::string> units;
    std::vector<std::string> roles;
    for (const VariableInfo& variable : info_.variables) {
      names.push_back(variable.name);
      units.push_back(variable.unit);
      roles.emplace_back(to_string(variable.role));
    }
    make_strings("variable", names, true);

    std::vector<std::int32_t> members;
    for (std::int64_t member = 0; member < info_.num_ensembles; ++member) {
      members.push_back(static_cast<std::int32_t>(member));
    }
    scales_.ensemble = make("ensemble", H5T_STD_I32LE, {members.size()}, array_properties());
    check_hdf5(
        H5Dwrite(scales_.ensemble, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, members.data()),
        "writing the ensemble axis");
    check_hdf5(H5DSset_scale(scales_.ensemble, "ensemble"), "making an axis");
    write_attribute(scales_.ensemble, "standard_name", std::string("realization"));

    scales_.cell = make_bare_axis("cell", layout_.num_cells);
    scales_.chunk = make_bare_axis("chunk", layout_.chunks_per_row());
    make_strings("variable_units", units, false);
    make_strings("variable_role", roles, false);
  }

  void write_coordinates() {
    const hsize_t cells = info_.latitudes.size();
    const Hdf5Handle latitude =
        make_filled("latitude", H5T_IEEE_F64LE, {{cells, scales_.cell}}, info_.latitudes);
    write_attribute(latitude, "units", std::string("degrees_north"));
    write_attribute(latitude, "standard_name", std::string("latitude"));
    const Hdf5Handle longitude =
        make_filled("longitude", H5T_IEEE_F64LE, {{cells, scales_.cell}}, info_.longitudes);
    write_attribute(longitude, "units", std::string("degrees_east"));
    write_attribute(longitude, "standard_name", std::string("longitude"));
    if (!info_.grid_cells.empty()) {
      make_filled("grid_cell", H5T_STD_I64LE, {{cells, scales_.cell}}, info_.grid_cells);
    }
  }

  void write_tables() {
    const std::pair<hsize_t, hid_t> time{info_.num_rows, scales_.time};
    const std::pair<hsize_t, hid_t> variable{info_.variables.size(), scales_.variable};
    const std::pair<hsize_t, hid_t> chunk{layout_.chunks_per_row(), scales_.chunk};
    for (const auto& [name, unused] : kStatistics) {
      make_table(name, H5T_IEEE_F64LE, {variable});
      make_table(tendency_name(info_, name).c_str(), H5T_IEEE_F64LE, {variable});
    }
    make_table("row_state", H5T_STD_U8LE, {time});
    make_table("nan_count", H5T_STD_U32LE, {time, variable});
    make_table("chunk_crc32c", H5T_STD_U32LE, {time, chunk});
  }

  std::int64_t write_fields() {
    const Hdf5Handle properties = array_properties();
    const std::array<hsize_t, 4> chunk{1, static_cast<hsize_t>(layout_.num_variables),
                                       static_cast<hsize_t>(layout_.num_ensembles),
                                       static_cast<hsize_t>(layout_.chunk_cells)};
    check_hdf5(H5Pset_chunk(properties, 4, chunk.data()), "laying out the fields");
    check_hdf5(H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY), "laying out the fields");
    const float fill = std::numeric_limits<float>::quiet_NaN();
    check_hdf5(H5Pset_fill_value(properties, H5T_NATIVE_FLOAT, &fill), "laying out the fields");
    check_hdf5(H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER), "laying out the fields");
    const Hdf5Handle fields =
        make("fields", H5T_IEEE_F32LE,
             {static_cast<hsize_t>(layout_.num_rows), static_cast<hsize_t>(layout_.num_variables),
              static_cast<hsize_t>(layout_.num_ensembles), static_cast<hsize_t>(layout_.num_cells)},
             properties);
    unsigned axis = 0;
    for (const hid_t scale : {hid_t{scales_.time}, hid_t{scales_.variable}, hid_t{scales_.ensemble},
                              hid_t{scales_.cell}}) {
      check_hdf5(H5DSattach_scale(fields, scale, axis++), "attaching an axis");
    }
    write_attribute(fields, "coordinates", std::string("latitude longitude"));
    write_attribute(fields, "_FillValue", std::span<const float>(&fill, 1));
    return first_chunk_offset(fields);
  }

  std::int64_t first_chunk_offset(hid_t fields) const {
    const auto offset_of = [&](std::int64_t row, std::int64_t chunk) {
      const std::array<hsize_t, 4> at{static_cast<hsize_t>(row), 0, 0,
                                      static_cast<hsize_t>(chunk * layout_.chunk_cells)};
      haddr_t offset = HADDR_UNDEF;
      hsize_t size = 0;
      check_hdf5(H5Dget_chunk_info_by_coord(fields, at.data(), nullptr, &offset, &size),
                 "locating the fields");
      ASKOS_CHECK(offset != HADDR_UNDEF &&
                  static_cast<std::int64_t>(size) == layout_.chunk_bytes());
      return static_cast<std::int64_t>(offset);
    };
    const std::int64_t first = offset_of(0, 0);
    const std::int64_t chunks = layout_.num_rows * layout_.chunks_per_row();
    ASKOS_CHECK(offset_of(layout_.num_rows - 1, layout_.chunks_per_row() - 1) ==
                first + (chunks - 1) * layout_.chunk_bytes());
    return first;
  }

  hid_t file_;
  const DatasetInfo& info_;
  FieldLayout layout_;
  Scales scales_;
};

template <typename T>
void fill_table(hid_t file, const char* name, const std::vector<T>& values) {
  const Hdf5Handle table(H5Dopen2(file, name, H5P_DEFAULT), name);
  check_hdf5(H5Dwrite(table, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), name);
}

}  // namespace

std::int64_t create_dataset_file(const std::filesystem::path& path, const DatasetInfo& info) {
  const Hdf5Session session;
  const Hdf5Handle creation(H5Pcreate(H5P_FILE_CREATE), "preparing a file");
  const unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
  check_hdf5(H5Pset_link_creation_order(creation, order), "preparing a file");
  check_hdf5(H5Pset_attr_creation_order(creation, order), "preparing a file");
  check_hdf5(H5Pset_obj_track_times(creation, false), "preparing a file");
  const Hdf5Handle access = file_access();
  Hdf5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access), "creating the file");
  const std::int64_t offset = Skeleton(file, info).write();
  close_hdf5_file(file);
  return offset;
}

void complete_dataset_file(const std::filesystem::path& path,
                           const DatasetInfo& info,
                           const DatasetTables& tables) {
  const Hdf5Session session;
  const Hdf5Handle access = file_access();
  Hdf5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, access), "opening the file again");
  for (const auto& [name, member] : kStatistics) {
    std::vector<double> values;
    std::vector<double> tendencies;
    for (const VariableInfo& variable : info.variables) {
      values.push_back(variable.statistics.*member);
      tendencies.push_back(variable.tendency.*member);
    }
    fill_table(file, name, values);
    fill_table(file, tendency_name(info, name).c_str(), tendencies);
  }
  fill_table(file, "row_state", tables.row_state);
  fill_table(file, "nan_count", tables.nan_count);
  fill_table(file, "chunk_crc32c", tables.chunk_crc);
  write_integer_attribute(file, "askos_tables_crc32c", tables_crc(info, tables));
  write_integer_attribute(file, "askos_complete", 1);
  close_hdf5_file(file);
}

}  // namespace askos::io
