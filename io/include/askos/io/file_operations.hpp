// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace askos::io {

/// Identifies one state of one file: another inode, size or time means other content.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  ///< since 1970-01-01 UTC

  bool operator==(const FileIdentity&) const = default;
};

enum class OpenMode {
  kRead,       ///< an existing file
  kReadWrite,  ///< an existing file
  kCreate,     ///< read and write; made if absent, emptied if present
};

/// The calls to the operating system that `io` makes for bulk data and for every atomic write.
///
/// All return 0, a descriptor or a number of bytes, and `-errno` on failure; none throws. Any
/// thread. Tests put their own in place to inject faults and to stop between any two calls. HDF5
/// and netCDF open files by themselves: only their metadata passes by this interface.
class FileOperations {
 public:
  virtual ~FileOperations() = default;

  [[nodiscard]] virtual int open(const std::filesystem::path& path, OpenMode mode) = 0;
  virtual int close(int descriptor) = 0;
  [[nodiscard]] virtual std::int64_t pread(int descriptor,
                                           std::span<std::byte> into,
                                           std::int64_t offset) = 0;
  /// Reads one extent into several pieces of memory, in order; at most 1024 pieces.
  [[nodiscard]] virtual std::int64_t preadv(int descriptor,
                                            std::span<const iovec> into,
                                            std::int64_t offset) = 0;
  [[nodiscard]] virtual std::int64_t pwrite(int descriptor,
                                            std::span<const std::byte> from,
                                            std::int64_t offset) = 0;
  /// Reserves the first `size_bytes` of the file on the disk, growing it if need be.
  [[nodiscard]] virtual int allocate(int descriptor, std::int64_t size_bytes) = 0;
  /// Returns when data and size are on stable storage.
  [[nodiscard]] virtual int sync(int descriptor) = 0;
  [[nodiscard]] virtual int identify(int descriptor, FileIdentity& identity) = 0;
  /// Asks for an extent to be read ahead; returns at once.
  virtual int will_need(int descriptor, std::int64_t offset, std::int64_t size_bytes) = 0;

  /// Replaces `to`, if it exists, at once.
  [[nodiscard]] virtual int rename(const std::filesystem::path& from,
                                   const std::filesystem::path& to) = 0;
  virtual int remove_file(const std::filesystem::path& path) = 0;
  [[nodiscard]] virtual int make_folder(const std::filesystem::path& path) = 0;
  virtual int remove_folder(const std::filesystem::path& path) = 0;  ///< an empty one
  /// Returns when the names in the folder are on stable storage.
  [[nodiscard]] virtual int sync_folder(const std::filesystem::path& path) = 0;
  /// Lists the names in a folder, sorted, without `.` and `..`.
  [[nodiscard]] virtual int list_folder(const std::filesystem::path& path,
                                        std::vector<std::string>& names) = 0;
};

/// Returns the machine's own calls; they live as long as the process.
[[nodiscard]] FileOperations& system_file_operations() noexcept;

}  // namespace askos::io
