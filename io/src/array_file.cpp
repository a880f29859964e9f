// SPDX-License-Identifier: Apache-2.0
#include "hdf5_values.hpp"

#include <askos/base/error.hpp>
#include <askos/io/array_file.hpp>
#include <askos/io/atomic_file.hpp>
#include <askos/io/crc32c.hpp>
#include <askos/io/file.hpp>

#include <functional>
#include <utility>

namespace askos::io {
namespace {

constexpr const char* kKind = "askos_kind";
constexpr const char* kFormat = "askos_format";
constexpr const char* kHeader = "header";
constexpr const char* kCrc = "crc32c";
constexpr std::size_t kMostHeaderBytes = std::size_t{1} << 30;

hid_t type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return H5T_NATIVE_FLOAT;
    case DType::kFloat64: return H5T_NATIVE_DOUBLE;
    case DType::kFloat16:
    case DType::kBFloat16: return H5T_NATIVE_UINT16;
    case DType::kInt32: return H5T_NATIVE_INT32;
    case DType::kInt64: return H5T_NATIVE_INT64;
    case DType::kUInt8: return H5T_NATIVE_UINT8;
  }
  return H5T_NATIVE_UINT8;
}

Hdf5Handle file_access() {
  Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), "preparing a file");
  // Version 1.10 objects carry checksums; older ones let flipped bits pass as data.
  check_hdf5(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST), "preparing a file");
  return access;
}

Hdf5Handle header_type(std::size_t size) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), "making a string type");
  check_hdf5(H5Tset_size(type, size), "making a string type");
  check_hdf5(H5Tset_cset(type, H5T_CSET_UTF8), "making a string type");
  return type;
}

Hdf5Handle space_of(const std::vector<std::int64_t>& shape) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), "making a space"};
  const std::vector<hsize_t> lengths(shape.begin(), shape.end());
  return {H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr),
          "making a space"};
}

void write_header(hid_t file, const std::string& header) {
  const auto type = header_type(header.size() + 1);
  const Hdf5Handle space(H5Screate(H5S_SCALAR), "making a space");
  const Hdf5Handle array(
      H5Dcreate2(file, kHeader, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      "making the header");
  check_hdf5(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, header.c_str()),
             "writing the header", Errc::kEnvironment);
  write_integer_attribute(array, kCrc, crc32c(std::as_bytes(std::span(header))));
}

void write_one(hid_t file, hid_t links, const ArrayToWrite& array) {
  const auto space = space_of(array.shape);
  const Hdf5Handle dataset(H5Dcreate2(file, array.path.c_str(), type_of(array.dtype), space, links,
                                      H5P_DEFAULT, H5P_DEFAULT),
                           "making an array");
  if (!array.bytes.empty()) {
    check_hdf5(
        H5Dwrite(dataset, type_of(array.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, array.bytes.data()),
        "writing an array", Errc::kEnvironment);
  }
  write_integer_attribute(dataset, kCrc, crc32c(array.bytes));
  write_attribute(dataset, "dtype", std::string(to_string(array.dtype)));
}

void check_crc(hid_t array, std::span<const std::byte> bytes, const std::string& name) {
  const auto recorded = read_integer_attribute(array, kCrc);
  const std::int64_t found = crc32c(bytes);
  if (recorded && recorded->size() == 1 && recorded->front() == found) return;
  throw Error(Errc::kCorruptData, "array is not what was written")
      .with("array", name)
      .with("expected_crc32c", recorded && !recorded->empty() ? recorded->front() : 0)
      .with("found_crc32c", found);
}

std::string read_header(hid_t file) {
  const Hdf5Handle array(H5Dopen2(file, kHeader, H5P_DEFAULT), "opening the header");
  const Hdf5Handle type(H5Dget_type(array), "inspecting the header");
  const Hdf5Handle space(H5Dget_space(array), "inspecting the header");
  const auto size = H5Tget_size(type);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0 ||
      H5Sget_simple_extent_npoints(space) != 1 || size == 0 || size > kMostHeaderBytes) {
    throw Error(Errc::kCorruptData, "header is not a text");
  }
  std::string text(size, '\0');
  check_hdf5(H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()),
             "reading the header");
  text.resize(text.find('\0') == std::string::npos ? size : text.find('\0'));
  check_crc(array, std::as_bytes(std::span(text)), kHeader);
  return text;
}

/// Runs `part` and adds the file to what it throws.
void naming(const std::filesystem::path& path, const std::function<void()>& part) {
  try {
    part();
  } catch (Error& error) {
    throw error.with("file", path.string());
  }
}

}  // namespace

struct ArrayFile::Handle {
  Hdf5Handle file;
};

void write_array_file(const std::filesystem::path& path,
                      const ArrayFileKind& kind,
                      const std::string& header,
                      std::span<const ArrayToWrite> arrays) {
  auto& operations = system_file_operations();
  const std::filesystem::path temporary = path.string() + ".tmp";
  File(operations, temporary, OpenMode::kCreate).close();  // says in plain words why not
  try {
    naming(path, [&] {
      const Hdf5Session session;
      const auto access = file_access();
      const Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), "preparing a file");
      check_hdf5(H5Pset_create_intermediate_group(links, 1), "preparing a file");
      Hdf5Handle file(check_hdf5(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access),
                                 "creating the file", Errc::kEnvironment),
                      "creating the file");
      write_attribute(file, kKind, kind.kind);
      write_integer_attribute(file, kFormat, kind.format);
      write_header(file, header);
      for (const auto& array : arrays) write_one(file, links, array);
      close_hdf5_file(file);
    });
    File written(operations, temporary, OpenMode::kReadWrite);
    written.sync();
    written.close();
    check_file_result(operations.rename(temporary, path), "renaming", path);
  } catch (...) {
    operations.remove_file(temporary);
    throw;
  }
  check_file_result(operations.sync_folder(parent_folder(path)), "syncing the folder", path);
}

ArrayFile::ArrayFile(const std::filesystem::path& path, const ArrayFileKind& kind) : path_(path) {
  if (std::filesystem::is_directory(path)) {
    throw Error(Errc::kUsage, "a folder is no file of arrays").with("file", path.string());
  }
  File(system_file_operations(), path, OpenMode::kRead).close();  // says in plain words why not
  naming(path, [&] {
    const Hdf5Session session;
    auto opened = std::make_unique<Handle>(
        Handle{{H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), "opening the file"}});
    const hid_t file = opened->file;
    const auto found = read_text_attribute(file, kKind);
    if (found != kind.kind) {
      throw Error(Errc::kInvalidInput, "file holds something else")
          .with("expected", kind.kind)
          .with("found", found.value_or("no file of arrays"));
    }
    const auto format = read_integer_attribute(file, kFormat);
    if (!format || *format != std::vector{kind.format}) {
      throw Error(Errc::kInvalidInput, "file is of another format")
          .with("expected", kind.format)
          .with("found", format && !format->empty() ? format->front() : 0);
    }
    header_ = read_header(file);
    file_ = std::move(opened);
  });
}

ArrayFile::~ArrayFile() {
  const Hdf5Session session;
  file_.reset();
}

std::vector<std::byte> ArrayFile::read(const std::string& array,
                                       DType dtype,
                                       const std::vector<std::int64_t>& shape) const {
  std::vector<std::byte> bytes;
  naming(path_, [&] {
    const Hdf5Session session;
    const Hdf5Handle dataset(H5Dopen2(file_->file, array.c_str(), H5P_DEFAULT), "opening an array");
    if (lengths_of(dataset) != shape || read_text_attribute(dataset, "dtype") != to_string(dtype)) {
      throw Error(Errc::kCorruptData, "array is of another shape or dtype than the header says")
          .with("array", array);
    }
    std::size_t size = static_cast<std::size_t>(size_of(dtype));
    for (const auto length : shape) size *= static_cast<std::size_t>(length);
    bytes.resize(size);
    if (size > 0) {
      check_hdf5(H5Dread(dataset, type_of(dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
                 "reading an array");
    }
    check_crc(dataset, bytes, array);
  });
  return bytes;
}

}  // namespace askos::io
