// SPDX-License-Identifier: Apache-2.0
#include <askos/io/atomic_file.hpp>
#include <askos/io/crc32c.hpp>

namespace askos::io {

void FileSink::append(std::span<const std::byte> bytes) {
  file_->write(size_bytes_, bytes);
  size_bytes_ += static_cast<std::int64_t>(bytes.size());
  crc_ = crc32c(bytes, crc_);
}

std::filesystem::path parent_folder(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  return parent.empty() ? "." : parent;
}

void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(ByteSink&)>& write,
                           FileOperations& operations) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  File file(operations, temporary, OpenMode::kCreate);
  try {
    FileSink sink(file);
    write(sink);
    file.sync();
    file.close();
    check_file_result(operations.rename(temporary, path), "renaming", path);
  } catch (...) {
    operations.remove_file(temporary);
    throw;
  }
  check_file_result(operations.sync_folder(parent_folder(path)), "syncing the folder", path);
}

}  // namespace askos::io
