// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/io/file_operations.hpp>

#include <filesystem>
#include <span>

namespace askos::io {

/// How often and how patiently a read is tried again on EIO, EAGAIN or ESTALE. EINTR costs no try.
struct RetryPolicy {
  int max_attempts = 4;                                     ///< all tries, the first included
  Nanoseconds first_delay = std::chrono::milliseconds(10);  ///< doubled after each failure
};

/// Owns one open file. One thread at a time; every failure is an `Error` that names the path:
/// `Errc::kNotFound` (absent), `kEnvironment` (disk full, permission, I/O error after all tries),
/// `kCorruptData` (shorter than the extent that was asked for).
class File {
 public:
  File(FileOperations& operations, std::filesystem::path path, OpenMode mode);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  /// Fills `into` from `offset`. Waits between tries on `clock`.
  void read(std::int64_t offset,
            std::span<std::byte> into,
            const RetryPolicy& retry = {},
            Clock& clock = steady_clock()) const;

  /// Like `read`, scattered over several pieces of memory in the order of the file.
  void read(std::int64_t offset,
            std::span<const iovec> into,
            const RetryPolicy& retry = {},
            Clock& clock = steady_clock()) const;

  void write(std::int64_t offset, std::span<const std::byte> from) const;
  void allocate(std::int64_t size_bytes) const;
  void sync() const;
  void will_need(std::int64_t offset, std::int64_t size_bytes) const noexcept;
  [[nodiscard]] FileIdentity identity() const;
  /// Closes the file; late write errors are thrown here. The destructor closes silently.
  void close();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  FileOperations* operations_;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Throws what the failed call `negative_errno` on `path` means. `doing` completes "cannot ...".
[[noreturn]] void throw_file_error(int negative_errno,
                                   const char* doing,
                                   const std::filesystem::path& path);

/// Throws like `throw_file_error` if `result` is negative.
void check_file_result(int result, const char* doing, const std::filesystem::path& path);

}  // namespace askos::io
