// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/byte_sink.hpp>
#include <askos/io/file.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>

namespace askos::io {

/// Appends to a file and keeps the count and the CRC-32C of what went in.
class FileSink final : public ByteSink {
 public:
  explicit FileSink(const File& file) : file_(&file) {}

  void append(std::span<const std::byte> bytes) override;
  using ByteSink::append;

  [[nodiscard]] std::int64_t size_bytes() const noexcept { return size_bytes_; }
  [[nodiscard]] std::uint32_t crc() const noexcept { return crc_; }

 private:
  const File* file_;
  std::int64_t size_bytes_ = 0;
  std::uint32_t crc_ = 0;
};

/// Writes a file so that `path` holds, at any moment and after any crash, either what it held
/// before or all of the new content: temporary name `path.tmp`, sync, rename, sync of the folder.
/// If `write` or the disk fails, nothing is left behind and the error is passed on.
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(ByteSink&)>& write,
                           FileOperations& operations = system_file_operations());

/// Returns the folder that holds `path`; `.` for a bare name.
[[nodiscard]] std::filesystem::path parent_folder(const std::filesystem::path& path);

}  // namespace askos::io
