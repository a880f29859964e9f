// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/file_operations.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace askos::io {

/// Passes every call on to the system, unless a hook answers in its place: how tests and drills
/// inject faults between a stage and its disk. The hook is called on the thread of the call.
class HookedFileOperations final : public FileOperations {
 public:
  struct Call {
    std::string name;
    std::filesystem::path path;  ///< of calls that take one
    std::int64_t size_bytes = 0;
    std::int64_t offset = 0;
  };
  /// Returns 0 to let the call happen, a negative errno to fail it, a positive number to pretend
  /// that it succeeded. It may throw.
  using Hook = std::function<int(const Call&)>;

  /// Sees, and may change, the bytes that a read has brought.
  using AfterRead = std::function<void(std::span<std::byte>)>;

  explicit HookedFileOperations(Hook hook, AfterRead after_read = {})
      : hook_(std::move(hook)), after_read_(std::move(after_read)) {}

  /// Reads and writes move at most this many bytes, as they may when a signal comes.
  std::size_t max_bytes_per_call = std::numeric_limits<std::size_t>::max();

  int open(const std::filesystem::path& path, OpenMode mode) override {
    return hooked<int>({mode == OpenMode::kCreate ? "create" : "open", path},
                       [&] { return system_.open(path, mode); });
  }
  int close(int descriptor) override {
    // Descriptors are always given back, as the system does when a process ends.
    const int result = system_.close(descriptor);
    const int fault = hook_({"close", {}});
    return fault < 0 ? fault : result;
  }
  std::int64_t pread(int descriptor, std::span<std::byte> into, std::int64_t offset) override {
    into = into.first(std::min(into.size(), max_bytes_per_call));
    const auto got =
        hooked<std::int64_t>({"pread", {}, static_cast<std::int64_t>(into.size()), offset},
                             [&] { return system_.pread(descriptor, into, offset); });
    if (after_read_ && got > 0) after_read_(into.first(static_cast<std::size_t>(got)));
    return got;
  }
  std::int64_t preadv(int descriptor, std::span<const iovec> into, std::int64_t offset) override {
    std::vector<iovec> pieces;
    std::size_t size_bytes = 0;
    for (const iovec& piece : into) {
      pieces.push_back({piece.iov_base, std::min(piece.iov_len, max_bytes_per_call - size_bytes)});
      size_bytes += pieces.back().iov_len;
    }
    const auto got =
        hooked<std::int64_t>({"preadv", {}, static_cast<std::int64_t>(size_bytes), offset},
                             [&] { return system_.preadv(descriptor, pieces, offset); });
    if (after_read_ && got > 0 && !pieces.empty()) {
      const iovec& first = pieces.front();
      after_read_(std::span(static_cast<std::byte*>(first.iov_base),
                            std::min(first.iov_len, static_cast<std::size_t>(got))));
    }
    return got;
  }
  std::int64_t pwrite(int descriptor,
                      std::span<const std::byte> from,
                      std::int64_t offset) override {
    from = from.first(std::min(from.size(), max_bytes_per_call));
    return hooked<std::int64_t>({"pwrite", {}, static_cast<std::int64_t>(from.size()), offset},
                                [&] { return system_.pwrite(descriptor, from, offset); });
  }
  int allocate(int descriptor, std::int64_t size_bytes) override {
    return hooked<int>({"allocate", {}, size_bytes},
                       [&] { return system_.allocate(descriptor, size_bytes); });
  }
  int sync(int descriptor) override {
    return hooked<int>({"sync", {}}, [&] { return system_.sync(descriptor); });
  }
  int identify(int descriptor, FileIdentity& identity) override {
    return hooked<int>({"identify", {}}, [&] { return system_.identify(descriptor, identity); });
  }
  int will_need(int descriptor, std::int64_t offset, std::int64_t size_bytes) override {
    return hooked<int>({"will_need", {}, size_bytes, offset},
                       [&] { return system_.will_need(descriptor, offset, size_bytes); });
  }
  int rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return hooked<int>({"rename", to}, [&] { return system_.rename(from, to); });
  }
  int remove_file(const std::filesystem::path& path) override {
    return hooked<int>({"remove_file", path}, [&] { return system_.remove_file(path); });
  }
  int make_folder(const std::filesystem::path& path) override {
    return hooked<int>({"make_folder", path}, [&] { return system_.make_folder(path); });
  }
  int remove_folder(const std::filesystem::path& path) override {
    return hooked<int>({"remove_folder", path}, [&] { return system_.remove_folder(path); });
  }
  int sync_folder(const std::filesystem::path& path) override {
    return hooked<int>({"sync_folder", path}, [&] { return system_.sync_folder(path); });
  }
  int list_folder(const std::filesystem::path& path, std::vector<std::string>& names) override {
    return hooked<int>({"list_folder", path}, [&] { return system_.list_folder(path, names); });
  }

 private:
  template <typename Result, typename Action>
  Result hooked(const Call& call, Action action) {
    const int answer = hook_(call);
    return answer == 0 ? action() : std::min(answer, 0);
  }

  Hook hook_;
  AfterRead after_read_;
  FileOperations& system_ = system_file_operations();
};

}  // namespace askos::io
