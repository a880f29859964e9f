// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace askos::io {

/// An array to be written: `shape` entries in row order.
struct ArrayToWrite {
  std::string path;  ///< in the file: `state/weight`; folders become groups
  DType dtype = DType::kUInt8;
  std::vector<std::int64_t> shape{};
  std::span<const std::byte> bytes{};
};

/// What an array file is about.
struct ArrayFileKind {
  std::string kind;         ///< of the file: `recording`
  std::int64_t format = 1;  ///< version of what its header and paths mean
};

/// Writes arrays, and a text that describes them, as an HDF5 file: attributes `askos_kind` and
/// `askos_format`, a string `header`, and the arrays, each with its CRC-32C. 16-bit floating-point
/// numbers lie in it as unsigned integers with an attribute `dtype`. Under a temporary name until
/// it is complete and synced; nothing is left behind if that fails.
void write_array_file(const std::filesystem::path& path,
                      const ArrayFileKind& kind,
                      const std::string& header,
                      std::span<const ArrayToWrite> arrays);

/// Reads such a file. Every fault names the file: `Errc::kNotFound` if there is none,
/// `kInvalidInput` if it is of another kind or format, `kCorruptData` if it is damaged.
class ArrayFile {
 public:
  ArrayFile(const std::filesystem::path& path, const ArrayFileKind& kind);
  ~ArrayFile();
  ArrayFile(const ArrayFile&) = delete;
  ArrayFile& operator=(const ArrayFile&) = delete;

  [[nodiscard]] const std::string& header() const noexcept { return header_; }
  /// Returns an array's bytes. Throws if it is not of this dtype and shape, or if its CRC-32C is
  /// another one.
  [[nodiscard]] std::vector<std::byte> read(const std::string& array,
                                            DType dtype,
                                            const std::vector<std::int64_t>& shape) const;

 private:
  struct Handle;
  std::filesystem::path path_;
  std::unique_ptr<Handle> file_;
  std::string header_;
};

}  // namespace askos::io
