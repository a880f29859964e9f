// SPDX-License-Identifier: Apache-2.0
//
// Attributes and small arrays of an HDF5 file as plain C++ values.
#pragma once

#include "hdf5_handles.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace askos::io {

template <typename T>
[[nodiscard]] hid_t native_type() {
  if constexpr (std::is_same_v<T, float>) {
    return H5T_NATIVE_FLOAT;
  } else if constexpr (std::is_same_v<T, double>) {
    return H5T_NATIVE_DOUBLE;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return H5T_NATIVE_INT64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return H5T_NATIVE_INT32;
  } else if constexpr (std::is_same_v<T, std::uint32_t>) {
    return H5T_NATIVE_UINT32;
  } else {
    static_assert(std::is_same_v<T, std::uint8_t>);
    return H5T_NATIVE_UINT8;
  }
}

/// Writes a fixed-length UTF-8 string as a new attribute.
void write_attribute(hid_t object, const char* name, const std::string& text);

/// Writes a new one-dimensional attribute.
template <typename T>
void write_attribute(hid_t object, const char* name, std::span<const T> values) {
  const hsize_t length = values.size();
  const Hdf5Handle space(H5Screate_simple(1, &length, nullptr), "making a space");
  const Hdf5Handle attribute(
      H5Acreate2(object, name, native_type<T>(), space, H5P_DEFAULT, H5P_DEFAULT),
      "making an attribute");
  check_hdf5(H5Awrite(attribute, native_type<T>(), values.data()), "writing an attribute");
}

/// Writes one integer; in place if the attribute is there.
void write_integer_attribute(hid_t object, const char* name, std::int64_t value);

/// Returns the text of a string attribute of fixed or variable length; nothing if there is none or
/// it is something else.
[[nodiscard]] std::optional<std::string> read_text_attribute(hid_t object, const char* name);

/// Returns the entries of an integer attribute; nothing if there is none or it is something else.
[[nodiscard]] std::optional<std::vector<std::int64_t>> read_integer_attribute(hid_t object,
                                                                              const char* name);

/// Returns the lengths of a dataset's axes.
[[nodiscard]] std::vector<std::int64_t> lengths_of(hid_t dataset);

/// Reads a whole dataset of numbers, converted to T. Throws `Errc::kNotFound` or `kTypeMismatch`.
template <typename T>
[[nodiscard]] std::vector<T> read_array(hid_t file, const char* name);
extern template std::vector<double> read_array(hid_t, const char*);
extern template std::vector<std::int64_t> read_array(hid_t, const char*);
extern template std::vector<std::uint32_t> read_array(hid_t, const char*);
extern template std::vector<std::uint8_t> read_array(hid_t, const char*);

/// Tells whether `file` holds `name`; throws `Errc::kCorruptData` if HDF5 cannot tell.
[[nodiscard]] bool has_array(hid_t file, const char* name);

/// Returns the names of a file's arrays, for messages. Not for damaged files: HDF5 1.10 crashes if
/// the list of names is broken, so ask `has_array` first.
[[nodiscard]] std::string dataset_names(hid_t file);

}  // namespace askos::io
