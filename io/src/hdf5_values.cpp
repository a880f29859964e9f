// SPDX-License-Identifier: Apache-2.0
#include "hdf5_values.hpp"

#include <algorithm>
#include <numeric>

namespace askos::io {
namespace {

Hdf5Handle string_type(std::size_t size) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), "making a string type");
  check_hdf5(H5Tset_size(type, size), "making a string type");
  check_hdf5(H5Tset_cset(type, H5T_CSET_UTF8), "making a string type");
  return type;
}

bool has_attribute(hid_t object, const char* name) {
  return check_hdf5(H5Aexists(object, name), "looking for an attribute") > 0;
}

Hdf5Handle open_numbers(hid_t file, const char* name) {
  if (!has_array(file, name)) {
    throw Error(Errc::kNotFound, "dataset lacks an array")
        .with("array", name)
        .with("found", dataset_names(file));
  }
  Hdf5Handle dataset(H5Dopen2(file, name, H5P_DEFAULT), "opening an array");
  const Hdf5Handle type(H5Dget_type(dataset), "inspecting an array");
  if (H5Tget_class(type) != H5T_INTEGER && H5Tget_class(type) != H5T_FLOAT) {
    throw Error(Errc::kTypeMismatch, "array does not hold numbers").with("array", name);
  }
  return dataset;
}

herr_t collect_name(hid_t /*group*/, const char* name, const H5L_info_t* /*link*/, void* names) {
  auto& text = *static_cast<std::string*>(names);
  text.append(text.empty() ? "" : " ").append(name);
  return text.size() < 400 ? 0 : 1;  // enough for a message
}

}  // namespace

void write_attribute(hid_t object, const char* name, const std::string& text) {
  const Hdf5Handle type = string_type(text.size() + 1);
  const Hdf5Handle space(H5Screate(H5S_SCALAR), "making a space");
  const Hdf5Handle attribute(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT),
                             "making an attribute");
  check_hdf5(H5Awrite(attribute, type, text.c_str()), "writing an attribute");
}

void write_integer_attribute(hid_t object, const char* name, std::int64_t value) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), "making a space");
  const Hdf5Handle attribute(
      has_attribute(object, name)
          ? H5Aopen(object, name, H5P_DEFAULT)
          : H5Acreate2(object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
      "making an attribute");
  check_hdf5(H5Awrite(attribute, H5T_NATIVE_INT64, &value), "writing an attribute");
}

std::optional<std::string> read_text_attribute(hid_t object, const char* name) {
  if (!has_attribute(object, name)) {
    return std::nullopt;
  }
  const Hdf5Handle attribute(H5Aopen(object, name, H5P_DEFAULT), "opening an attribute");
  const Hdf5Handle type(H5Aget_type(attribute), "inspecting an attribute");
  const Hdf5Handle space(H5Aget_space(attribute), "inspecting an attribute");
  if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) {
    return std::nullopt;
  }
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    const Hdf5Handle memory = string_type(H5T_VARIABLE);
    check_hdf5(H5Aread(attribute, memory, static_cast<void*>(&text)), "reading an attribute");
    std::string result = text == nullptr ? "" : text;
    H5free_memory(text);
    return result;
  }
  std::string text(H5Tget_size(type), '\0');
  check_hdf5(H5Aread(attribute, type, text.data()), "reading an attribute");
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

std::optional<std::vector<std::int64_t>> read_integer_attribute(hid_t object, const char* name) {
  if (!has_attribute(object, name)) {
    return std::nullopt;
  }
  const Hdf5Handle attribute(H5Aopen(object, name, H5P_DEFAULT), "opening an attribute");
  const Hdf5Handle type(H5Aget_type(attribute), "inspecting an attribute");
  const Hdf5Handle space(H5Aget_space(attribute), "inspecting an attribute");
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Tget_class(type) != H5T_INTEGER || count < 0 || count > 1'000'000) {
    return std::nullopt;
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  check_hdf5(H5Aread(attribute, H5T_NATIVE_INT64, values.data()), "reading an attribute");
  return values;
}

std::vector<std::int64_t> lengths_of(hid_t dataset) {
  const Hdf5Handle space(H5Dget_space(dataset), "inspecting an array");
  const int rank = check_hdf5(H5Sget_simple_extent_ndims(space), "inspecting an array");
  std::vector<hsize_t> lengths(static_cast<std::size_t>(rank));
  check_hdf5(H5Sget_simple_extent_dims(space, lengths.data(), nullptr), "inspecting an array");
  return {lengths.begin(), lengths.end()};
}

template <typename T>
std::vector<T> read_array(hid_t file, const char* name) {
  const Hdf5Handle dataset = open_numbers(file, name);
  const std::vector<std::int64_t> lengths = lengths_of(dataset);
  std::int64_t count = 1;
  for (const std::int64_t length : lengths) {
    if (__builtin_mul_overflow(count, length, &count) || count > (std::int64_t{1} << 32)) {
      throw Error(Errc::kShapeMismatch, "array is too large to be a table").with("array", name);
    }
  }
  std::vector<T> values(static_cast<std::size_t>(count));
  if (H5Dread(dataset, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    throw Error(Errc::kCorruptData, "array cannot be read")
        .with("array", name)
        .with("reason", take_hdf5_error());
  }
  return values;
}

template std::vector<double> read_array(hid_t, const char*);
template std::vector<std::int64_t> read_array(hid_t, const char*);
template std::vector<std::uint32_t> read_array(hid_t, const char*);
template std::vector<std::uint8_t> read_array(hid_t, const char*);

bool has_array(hid_t file, const char* name) {
  return check_hdf5(H5Lexists(file, name, H5P_DEFAULT), "looking for an array") > 0;
}

std::string dataset_names(hid_t file) {
  std::string names;
  H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, &collect_name, &names);
  return names;
}

}  // namespace askos::io
