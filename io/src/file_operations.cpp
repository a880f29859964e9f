// SPDX-License-Identifier: Apache-2.0
#include <askos/io/file_operations.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace askos::io {
namespace {

int result_of(int returned) {
  return returned < 0 ? -errno : returned;
}
std::int64_t result_of(ssize_t returned) {
  return returned < 0 ? -errno : returned;
}

class SystemFileOperations final : public FileOperations {
 public:
  int open(const std::filesystem::path& path, OpenMode mode) override {
    const int flags = mode == OpenMode::kRead        ? O_RDONLY
                      : mode == OpenMode::kReadWrite ? O_RDWR
                                                     : O_RDWR | O_CREAT | O_TRUNC;
    return result_of(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  }
  int close(int descriptor) override { return result_of(::close(descriptor)); }
  std::int64_t pread(int descriptor, std::span<std::byte> into, std::int64_t offset) override {
    return result_of(::pread(descriptor, into.data(), into.size(), offset));
  }
  std::int64_t preadv(int descriptor, std::span<const iovec> into, std::int64_t offset) override {
    return result_of(::preadv(descriptor, into.data(), static_cast<int>(into.size()), offset));
  }
  std::int64_t pwrite(int descriptor,
                      std::span<const std::byte> from,
                      std::int64_t offset) override {
    return result_of(::pwrite(descriptor, from.data(), from.size(), offset));
  }
  int allocate(int descriptor, std::int64_t size_bytes) override {
    return -::posix_fallocate(descriptor, 0, size_bytes);
  }
  int sync(int descriptor) override { return result_of(::fsync(descriptor)); }
  int identify(int descriptor, FileIdentity& identity) override {
    struct stat found{};
    if (::fstat(descriptor, &found) < 0) {
      return -errno;
    }
    identity = {found.st_dev, found.st_ino, found.st_size,
                found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec};
    return 0;
  }
  int will_need(int descriptor, std::int64_t offset, std::int64_t size_bytes) override {
    return -::posix_fadvise(descriptor, offset, size_bytes, POSIX_FADV_WILLNEED);
  }
  int rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return result_of(::rename(from.c_str(), to.c_str()));
  }
  int remove_file(const std::filesystem::path& path) override {
    return result_of(::unlink(path.c_str()));
  }
  int make_folder(const std::filesystem::path& path) override {
    return result_of(::mkdir(path.c_str(), 0755));
  }
  int remove_folder(const std::filesystem::path& path) override {
    return result_of(::rmdir(path.c_str()));
  }
  int sync_folder(const std::filesystem::path& path) override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
      return -errno;
    }
    const int result = result_of(::fsync(descriptor));
    ::close(descriptor);
    return result;
  }
  int list_folder(const std::filesystem::path& path, std::vector<std::string>& names) override {
    names.clear();
    DIR* const folder = ::opendir(path.c_str());
    if (folder == nullptr) {
      return -errno;
    }
    errno = 0;
    while (const dirent* entry = ::readdir(folder)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") {
        names.push_back(name);
      }
      errno = 0;
    }
    const int result = -errno;
    ::closedir(folder);
    std::ranges::sort(names);
    return result;
  }
};

}  // namespace

FileOperations& system_file_operations() noexcept {
  static SystemFileOperations operations;
  return operations;
}

}  // namespace askos::io
