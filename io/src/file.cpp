// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/file.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace askos::io {
namespace {

constexpr std::size_t kMaxPieces = 1024;  // Linux's IOV_MAX

bool is_transient(std::int64_t error) {
  return error == -EIO || error == -EAGAIN || error == -ESTALE;
}

/// Calls `read_some(done)` until `size_bytes` have arrived.
template <typename ReadSome>
void read_all(std::int64_t offset,
              std::int64_t size_bytes,
              const RetryPolicy& retry,
              Clock& clock,
              const File& file,
              ReadSome read_some) {
  int failures = 0;
  Nanoseconds delay = retry.first_delay;
  for (std::int64_t done = 0; done < size_bytes;) {
    const std::int64_t got = read_some(done);
    if (got > 0) {
      done += got;
    } else if (got == 0) {
      throw Error(Errc::kCorruptData, "file is shorter than its index says; was it truncated?")
          .with("file", file.path().string())
          .with("needed_bytes", offset + size_bytes)
          .with("found_bytes", file.identity().size_bytes);
    } else if (is_transient(got) && ++failures < retry.max_attempts) {
      clock.sleep_until(clock.now() + delay);
      delay *= 2;
    } else if (got != -EINTR) {
      throw Error(Errc::kEnvironment, "cannot read from file")
          .with("file", file.path().string())
          .with("offset", offset + done)
          .with("reason", std::strerror(static_cast<int>(-got)))
          .with("tries", is_transient(got) ? failures : 1);
    }
  }
}

/// Drops the first `skip` bytes from `pieces` and keeps at most `kMaxPieces` of the rest.
std::vector<iovec> remaining(std::span<const iovec> pieces, std::size_t skip) {
  std::vector<iovec> rest;
  for (const iovec& piece : pieces) {
    if (skip >= piece.iov_len) {
      skip -= piece.iov_len;
      continue;
    }
    rest.push_back({static_cast<std::byte*>(piece.iov_base) + skip, piece.iov_len - skip});
    skip = 0;
    if (rest.size() == kMaxPieces) {
      break;
    }
  }
  return rest;
}

}  // namespace

void throw_file_error(int negative_errno, const char* doing, const std::filesystem::path& path) {
  const int error = -negative_errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  const bool absent = error == ENOENT;
  throw Error(absent ? Errc::kNotFound : Errc::kEnvironment, full     ? "disk full"
                                                             : absent ? "no such file"
                                                                      : "file operation failed")
      .with("file", path.string())
      .with("while", doing)
      .with("reason", std::strerror(error));
}

void check_file_result(int result, const char* doing, const std::filesystem::path& path) {
  if (result < 0) {
    throw_file_error(result, doing, path);
  }
}

File::File(FileOperations& operations, std::filesystem::path path, OpenMode mode)
    : operations_(&operations), path_(std::move(path)) {
  descriptor_ = operations.open(path_, mode);
  check_file_result(descriptor_, mode == OpenMode::kCreate ? "creating" : "opening", path_);
}

File::~File() {
  if (descriptor_ >= 0) {
    operations_->close(descriptor_);
  }
}

File::File(File&& other) noexcept
    : operations_(other.operations_),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

void File::read(std::int64_t offset,
                std::span<std::byte> into,
                const RetryPolicy& retry,
                Clock& clock) const {
  read_all(offset, static_cast<std::int64_t>(into.size()), retry, clock, *this,
           [&](std::int64_t done) {
             return operations_->pread(descriptor_, into.subspan(static_cast<std::size_t>(done)),
                                       offset + done);
           });
}

void File::read(std::int64_t offset,
                std::span<const iovec> into,
                const RetryPolicy& retry,
                Clock& clock) const {
  std::int64_t size_bytes = 0;
  for (const iovec& piece : into) {
    size_bytes += static_cast<std::int64_t>(piece.iov_len);
  }
  read_all(offset, size_bytes, retry, clock, *this, [&](std::int64_t done) {
    if (done == 0 && into.size() <= kMaxPieces) {
      return operations_->preadv(descriptor_, into, offset);
    }
    const std::vector<iovec> rest = remaining(into, static_cast<std::size_t>(done));
    return operations_->preadv(descriptor_, rest, offset + done);
  });
}

void File::write(std::int64_t offset, std::span<const std::byte> from) const {
  while (!from.empty()) {
    const std::int64_t put = operations_->pwrite(descriptor_, from, offset);
    if (put == -EINTR) {
      continue;
    }
    check_file_result(put == 0 ? -EIO : static_cast<int>(std::min<std::int64_t>(put, 0)), "writing",
                      path_);
    from = from.subspan(static_cast<std::size_t>(put));
    offset += put;
  }
}

void File::allocate(std::int64_t size_bytes) const {
  int result = -EINTR;
  while (result == -EINTR) {
    result = operations_->allocate(descriptor_, size_bytes);
  }
  check_file_result(result, "reserving space", path_);
}

void File::sync() const {
  check_file_result(operations_->sync(descriptor_), "syncing", path_);
}

void File::will_need(std::int64_t offset, std::int64_t size_bytes) const noexcept {
  operations_->will_need(descriptor_, offset, size_bytes);
}

FileIdentity File::identity() const {
  FileIdentity identity;
  check_file_result(operations_->identify(descriptor_, identity), "inspecting", path_);
  return identity;
}

void File::close() {
  check_file_result(operations_->close(std::exchange(descriptor_, -1)), "closing", path_);
}

}  // namespace askos::io
