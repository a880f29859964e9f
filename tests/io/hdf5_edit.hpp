// SPDX-License-Identifier: Apache-2.0
//
// Damages datasets in ways that only HDF5 itself can.
#pragma once

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace askos::io {

class Hdf5Edit {
 public:
  explicit Hdf5Edit(const std::filesystem::path& path) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST);
    file_ = H5Fopen(path.c_str(), H5F_ACC_RDWR, access);
    H5Pclose(access);
    EXPECT_GE(file_, 0);
  }
  ~Hdf5Edit() { EXPECT_GE(H5Fclose(file_), 0); }
  Hdf5Edit(const Hdf5Edit&) = delete;
  Hdf5Edit& operator=(const Hdf5Edit&) = delete;

  void set_attribute(const char* name, std::int64_t value) {
    const hid_t attribute = H5Aopen(file_, name, H5P_DEFAULT);
    EXPECT_GE(H5Awrite(attribute, H5T_NATIVE_INT64, &value), 0);
    H5Aclose(attribute);
  }
  void remove(const char* name) { EXPECT_GE(H5Ldelete(file_, name, H5P_DEFAULT), 0); }
  void flush() { EXPECT_GE(H5Fflush(file_, H5F_SCOPE_GLOBAL), 0); }

  struct Fields {
    hid_t type = H5T_IEEE_F32LE;
    std::array<hsize_t, 4> lengths{};
    std::array<hsize_t, 4> chunk{};
    bool deflate = false;
  };
  /// Makes `fields` anew; chunks are allocated when they are written.
  void make_fields(const Fields& fields) {
    remove("fields");
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 4, fields.chunk.data());
    if (fields.deflate) {
      H5Pset_deflate(properties, 1);
    }
    const hid_t space = H5Screate_simple(4, fields.lengths.data(), nullptr);
    const hid_t made =
        H5Dcreate2(file_, "fields", fields.type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    EXPECT_GE(made, 0);
    H5Dclose(made);
    H5Sclose(space);
    H5Pclose(properties);
  }
  void write_chunk(const std::array<hsize_t, 4>& place, const std::vector<std::byte>& bytes) {
    const hid_t fields = H5Dopen2(file_, "fields", H5P_DEFAULT);
    EXPECT_GE(H5Dwrite_chunk(fields, H5P_DEFAULT, 0, place.data(), bytes.size(), bytes.data()), 0);
    H5Dclose(fields);
  }

 private:
  hid_t file_ = -1;
};

}  // namespace askos::io
