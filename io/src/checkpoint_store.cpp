// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_manifest.hpp"

#include <askos/base/error.hpp>
#include <askos/base/log.hpp>
#include <askos/io/atomic_file.hpp>
#include <askos/io/checkpoint_store.hpp>
#include <askos/io/crc32c.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

namespace askos::io {
namespace {

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kBeingWritten = ".tmp";
constexpr std::string_view kBeingRemoved = ".old";

std::string folder_name(std::int64_t step) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "step-%012lld", static_cast<long long>(step));
  return text.data();
}

std::vector<std::byte> read_file(FileOperations& operations, const std::filesystem::path& path) {
  const File file(operations, path, OpenMode::kRead);
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.identity().size_bytes));
  file.read(0, std::span(bytes));
  return bytes;
}

}  // namespace

CheckpointStore::CheckpointStore(std::filesystem::path folder, FileOperations& operations)
    : folder_(std::move(folder)), operations_(&operations) {
  const int made = operations_->make_folder(folder_);
  if (made != -EEXIST) {
    check_file_result(made, "making the checkpoint folder", folder_);
  }
}

CheckpointInfo CheckpointStore::write(std::int64_t step,
                                      const std::vector<CheckpointPart>& parts,
                                      const Metadata& metadata) const {
  const std::string name = folder_name(step);
  CheckpointInfo checkpoint{step, folder_ / name, metadata, {}};
  const auto existing = find_complete(name);
  if (step < 0 || (existing && is_valid(*existing))) {
    throw Error(Errc::kInvalidInput, "checkpoint exists already or its step is negative")
        .with("folder", checkpoint.folder.string());
  }
  const std::filesystem::path temporary = checkpoint.folder.string() + std::string(kBeingWritten);
  remove_tree(temporary);
  try {
    check_file_result(operations_->make_folder(temporary), "making a checkpoint", temporary);
    const auto write_part = [&](const std::string& part, const auto& fill) {
      File file(*operations_, temporary / part, OpenMode::kCreate);
      FileSink sink(file);
      fill(sink);
      file.sync();
      file.close();
      return CheckpointInfo::PartInfo{part, sink.size_bytes(), sink.crc()};
    };
    for (const CheckpointPart& part : parts) {
      checkpoint.parts.push_back(write_part(part.name, part.write));
    }
    write_part(kManifestName, [&](FileSink& sink) { sink.append(manifest_text(checkpoint)); });
    check_file_result(operations_->sync_folder(temporary), "syncing a checkpoint", temporary);
    take_away(checkpoint.folder);  // there only if it is damaged
    check_file_result(operations_->rename(temporary, checkpoint.folder), "renaming a checkpoint",
                      checkpoint.folder);
  } catch (...) {
    remove_tree(temporary);
    throw;
  }
  check_file_result(operations_->sync_folder(folder_), "syncing the checkpoint folder", folder_);
  return checkpoint;
}

std::optional<CheckpointInfo> CheckpointStore::find_complete(const std::string& name) const {
  if (!name.starts_with(kPrefix) || name.ends_with(kBeingWritten) ||
      name.ends_with(kBeingRemoved)) {
    return std::nullopt;
  }
  try {
    const auto bytes = read_file(*operations_, folder_ / name / kManifestName);
    CheckpointInfo checkpoint =
        parse_manifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    checkpoint.folder = folder_ / name;
    for (const auto& part : checkpoint.parts) {
      const File file(*operations_, checkpoint.folder / part.name, OpenMode::kRead);
      if (file.identity().size_bytes != part.size_bytes) {
        return std::nullopt;
      }
    }
    return checkpoint;
  } catch (const Error& fault) {
    if (fault.code() != Errc::kNotFound) {
      logger("askos.io")
          ->warn("passing over a checkpoint: folder={}, reason={}", name, fault.what());
    }
    return std::nullopt;
  }
}

std::vector<CheckpointInfo> CheckpointStore::list() const {
  std::vector<std::string> names;
  check_file_result(operations_->list_folder(folder_, names), "listing checkpoints", folder_);
  std::vector<CheckpointInfo> found;
  for (const std::string& name : names) {
    if (auto checkpoint = find_complete(name)) {
      found.push_back(std::move(*checkpoint));
    }
  }
  std::ranges::sort(found, {}, &CheckpointInfo::step);
  return found;
}

std::optional<CheckpointInfo> CheckpointStore::find_newest_valid() const {
  std::vector<CheckpointInfo> found = list();
  for (; !found.empty(); found.pop_back()) {
    if (is_valid(found.back())) {
      return std::move(found.back());
    }
  }
  return std::nullopt;
}

bool CheckpointStore::is_valid(const CheckpointInfo& checkpoint) const {
  try {
    for (const auto& part : checkpoint.parts) {
      static_cast<void>(read(checkpoint, part.name));
    }
    return true;
  } catch (const Error& fault) {
    logger("askos.io")->warn("passing over a checkpoint: {}", fault.what());
    return false;
  }
}

std::vector<std::byte> CheckpointStore::read(const CheckpointInfo& checkpoint,
                                             const std::string& part) const {
  const auto info = std::ranges::find(checkpoint.parts, part, &CheckpointInfo::PartInfo::name);
  if (info == checkpoint.parts.end()) {
    std::string names;
    for (const auto& known : checkpoint.parts) {
      names.append(names.empty() ? "" : " ").append(known.name);
    }
    throw Error(Errc::kNotFound, "checkpoint lacks a part")
        .with("folder", checkpoint.folder.string())
        .with("part", part)
        .with("found", names);
  }
  std::vector<std::byte> bytes = read_file(*operations_, checkpoint.folder / part);
  if (static_cast<std::int64_t>(bytes.size()) != info->size_bytes ||
      crc32c(bytes) != info->crc32c) {
    throw Error(Errc::kCorruptData, "checkpoint part is not what was written")
        .with("file", (checkpoint.folder / part).string())
        .with("expected_bytes", info->size_bytes)
        .with("found_bytes", bytes.size())
        .with("expected_crc32c", info->crc32c)
        .with("found_crc32c", crc32c(bytes));
  }
  return bytes;
}

void CheckpointStore::keep_newest(std::size_t count) const {
  const std::vector<CheckpointInfo> found = list();
  for (std::size_t i = 0; i + count < found.size(); ++i) {
    remove(found[i]);
  }
}

void CheckpointStore::remove(const CheckpointInfo& checkpoint) const {
  check_file_result(take_away(checkpoint.folder), "removing a checkpoint", checkpoint.folder);
}

int CheckpointStore::take_away(const std::filesystem::path& folder) const {
  const std::filesystem::path doomed = folder.string() + std::string(kBeingRemoved);
  remove_tree(doomed);
  const int renamed = operations_->rename(folder, doomed);
  remove_tree(doomed);
  return renamed;
}

void CheckpointStore::remove_leftovers() const {
  std::vector<std::string> names;
  check_file_result(operations_->list_folder(folder_, names), "listing checkpoints", folder_);
  for (const std::string& name : names) {
    if (name.starts_with(kPrefix) &&
        (name.ends_with(kBeingWritten) || name.ends_with(kBeingRemoved))) {
      remove_tree(folder_ / name);
    }
  }
}

void CheckpointStore::remove_tree(const std::filesystem::path& folder) const {
  std::vector<std::string> names;
  if (operations_->list_folder(folder, names) < 0) {
    return;
  }
  for (const std::string& name : names) {
    operations_->remove_file(folder / name);
  }
  operations_->remove_folder(folder);
}

}  // namespace askos::io
