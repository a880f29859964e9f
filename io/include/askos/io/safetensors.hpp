// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/shape.hpp>
#include <askos/io/byte_sink.hpp>
#include <askos/io/file_operations.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace askos::io {

/// One array with a name; `bytes` are its entries, row-major, little-endian.
struct NamedArray {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;  ///< empty: a scalar
  std::vector<std::byte> bytes;

  bool operator==(const NamedArray&) const = default;
};

/// Like `NamedArray`, in memory that stays the caller's.
struct NamedArrayView {
  NamedArrayView(std::string its_name,
                 DType its_dtype,
                 std::vector<std::int64_t> its_shape,
                 std::span<const std::byte> its_bytes);
  NamedArrayView(const NamedArray& array)  // NOLINT(google-explicit-constructor)
      : NamedArrayView(array.name, array.dtype, array.shape, array.bytes) {}

  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// What a safetensors file holds.
struct Safetensors {
  std::vector<NamedArray> arrays;               ///< in the order of their bytes
  std::map<std::string, std::string> metadata;  ///< the header's `__metadata__`

  /// Throws `Errc::kNotFound` with the nearest name there is.
  [[nodiscard]] const NamedArray& at(const std::string& name) const;
  bool operator==(const Safetensors&) const = default;
};

/// Writes the safetensors format (huggingface/safetensors, README "Format"): 8 bytes with the
/// header's length, a JSON header padded to 8 bytes, then the arrays in the order given.
/// Throws `Errc::kInvalidInput` on a name given twice or bytes that do not fit the shape.
void write_safetensors(ByteSink& sink,
                       std::span<const NamedArrayView> arrays,
                       const std::map<std::string, std::string>& metadata = {});

/// Writes a file of it under a temporary name and renames it when it is complete.
void write_safetensors(const std::filesystem::path& path,
                       std::span<const NamedArrayView> arrays,
                       const std::map<std::string, std::string>& metadata = {},
                       FileOperations& operations = system_file_operations());

/// Reads the format from memory. Trusts nothing: lengths, offsets, overlaps, gaps and overflows are
/// checked before a byte is taken. Throws `Errc::kCorruptData` on a faulty file and
/// `Errc::kTypeMismatch` on a dtype that askos does not have; both name the array.
[[nodiscard]] Safetensors parse_safetensors(std::span<const std::byte> bytes);

/// Reads a whole file; errors also name it.
[[nodiscard]] Safetensors read_safetensors(const std::filesystem::path& path,
                                           FileOperations& operations = system_file_operations());

}  // namespace askos::io
