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
#include <limits>
#include <utility>

namespace askos::io {
namespace {

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kBeingWritten = ".tmp";
constexpr std::string_view kBeingRemoved = ".old";
constexpr const char* kNoCheckpoint = "not a checkpoint";

std::string folder_name(std::int64_t step) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "step-%012lld", static_cast<long long>(step));
  return text.data();
}

bool is_complete_name(const std::string& name) {
  return name.starts_with(kPrefix) && !name.ends_with(kBeingWritten) &&
         !name.ends_with(kBeingRemoved);
}

std::vector<std::byte> read_file(const File& file) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.identity().size_bytes));
  file.read(0, std::span(bytes));
  return bytes;
}

void check_part(std::span<const std::byte> bytes,
                const CheckpointInfo::PartInfo& info,
                const std::filesystem::path& path) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  const auto crc = crc32c(bytes);
  if (size != info.size_bytes || crc != info.crc32c) {
    throw Error(Errc::kCorruptData, "checkpoint part is not what was written")
        .with("file", path.string())
        .with("expected_bytes", info.size_bytes)
        .with("found_bytes", size)
        .with("expected_crc32c", info.crc32c)
        .with("found_crc32c", crc);
  }
}

/// Checks that a part of the manifest is there, as long as it was.
void check_presence(FileOperations& operations,
                    const CheckpointInfo& checkpoint,
                    const CheckpointInfo::PartInfo& part) {
  const std::filesystem::path path = checkpoint.folder / part.name;
  const int descriptor = operations.open(path, OpenMode::kRead);
  if (descriptor == -ENOENT) {
    throw Error(Errc::kNotFound, "checkpoint is incomplete: a shard is missing")
        .with("file", path.string())
        .with("expected", std::to_string(checkpoint.parts.size()) + " parts, " +
                              std::to_string(part.size_bytes) + " bytes in this one");
  }
  check_file_result(descriptor, "opening", path);
  FileIdentity identity;
  const int identified = operations.identify(descriptor, identity);
  operations.close(descriptor);
  check_file_result(identified, "inspecting", path);
  if (identity.size_bytes != part.size_bytes) {
    throw Error(Errc::kCorruptData, "checkpoint part has another size than was written")
        .with("file", path.string())
        .with("expected_bytes", part.size_bytes)
        .with("found_bytes", identity.size_bytes);
  }
}

}  // namespace

CheckpointStore::CheckpointStore(std::filesystem::path folder, FileOperations& operations)
    : folder_(std::move(folder)), operations_(&operations) {
  const int made = operations_->make_folder(folder_);
  if (made != -EEXIST) {
    check_file_result(made, "making the checkpoint folder", folder_);
  }
}

std::filesystem::path CheckpointStore::unfinished(std::int64_t step) const {
  return folder_ / (folder_name(step) + std::string(kBeingWritten));
}

CheckpointInfo CheckpointStore::write(std::int64_t step,
                                      const std::vector<CheckpointPart>& parts,
                                      const Metadata& metadata) const {
  begin(step);
  try {
    std::vector<CheckpointInfo::PartInfo> written;
    for (const CheckpointPart& part : parts) {
      written.push_back(write_part(step, part));
    }
    return commit(step, std::move(written), metadata);
  } catch (...) {
    abandon(step);
    throw;
  }
}

void CheckpointStore::begin(std::int64_t step) const {
  const std::string name = folder_name(step);
  const auto existing = find_complete(name);
  if (step < 0 || (existing && is_valid(*existing))) {
    throw Error(Errc::kInvalidInput, "checkpoint exists already or its step is negative")
        .with("folder", (folder_ / name).string());
  }
  remove_tree(unfinished(step));
  check_file_result(operations_->make_folder(unfinished(step)), "making a checkpoint",
                    unfinished(step));
}

CheckpointInfo::PartInfo CheckpointStore::write_part(std::int64_t step,
                                                     const CheckpointPart& part) const {
  File file(*operations_, unfinished(step) / part.name, OpenMode::kCreate);
  FileSink sink(file);
  part.write(sink);
  file.sync();
  CheckpointInfo::PartInfo info{part.name, sink.size_bytes(), sink.crc()};
  check_part(read_file(file), info, file.path());
  file.close();
  return info;
}

CheckpointInfo CheckpointStore::commit(std::int64_t step,
                                       std::vector<CheckpointInfo::PartInfo> parts,
                                       const Metadata& metadata) const {
  CheckpointInfo checkpoint{step, folder_ / folder_name(step), metadata, std::move(parts)};
  const std::filesystem::path temporary = unfinished(step);
  {
    File file(*operations_, temporary / kManifestName, OpenMode::kCreate);
    FileSink(file).append(manifest_text(checkpoint));
    file.sync();
    file.close();
  }
  check_file_result(operations_->sync_folder(temporary), "syncing a checkpoint", temporary);
  take_away(checkpoint.folder);  // there only if it is damaged
  check_file_result(operations_->rename(temporary, checkpoint.folder), "renaming a checkpoint",
                    checkpoint.folder);
  check_file_result(operations_->sync_folder(folder_), "syncing the checkpoint folder", folder_);
  return checkpoint;
}

void CheckpointStore::abandon(std::int64_t step) const noexcept {
  remove_tree(unfinished(step));
}

CheckpointInfo open_checkpoint(const std::filesystem::path& folder, FileOperations& operations) {
  const std::filesystem::path manifest = folder / kManifestName;
  CheckpointInfo checkpoint;
  try {
    const auto bytes = read_file(File(operations, manifest, OpenMode::kRead));
    checkpoint = parse_manifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } catch (Error& fault) {
    if (fault.code() == Errc::kNotFound && !fault.values().empty() &&
        fault.values().front().first == "file") {
      throw Error(Errc::kNotFound, kNoCheckpoint)
          .with("folder", folder.string())
          .with("expected", kManifestName);
    }
    throw fault.with("manifest", manifest.string());
  }
  checkpoint.folder = folder;
  for (const auto& part : checkpoint.parts) {
    check_presence(operations, checkpoint, part);
  }
  return checkpoint;
}

std::vector<std::byte> read_part(const CheckpointInfo& checkpoint,
                                 const std::string& part,
                                 FileOperations& operations) {
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
  check_presence(operations, checkpoint, *info);
  const File file(operations, checkpoint.folder / part, OpenMode::kRead);
  std::vector<std::byte> bytes = read_file(file);
  check_part(bytes, *info, file.path());
  return bytes;
}

std::optional<CheckpointInfo> CheckpointStore::find_complete(const std::string& name) const {
  if (!is_complete_name(name)) {
    return std::nullopt;
  }
  try {
    return open_checkpoint(folder_ / name, *operations_);
  } catch (const Error& fault) {
    if (fault.text() != kNoCheckpoint) {
      logger("askos.io")->warn("passing over a checkpoint: {}", fault.what());
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
  std::vector<std::string> names;
  check_file_result(operations_->list_folder(folder_, names), "listing checkpoints", folder_);
  std::optional<Error> first_fault;
  for (; !names.empty(); names.pop_back()) {  // the last name is the newest checkpoint's
    if (!is_complete_name(names.back())) continue;
    try {
      auto checkpoint = open_checkpoint(folder_ / names.back(), *operations_);
      for (const auto& part : checkpoint.parts) {
        static_cast<void>(read(checkpoint, part.name));
      }
      return checkpoint;
    } catch (const Error& fault) {
      if (fault.text() == kNoCheckpoint) continue;
      if (fault.text() == kNewerManifest) throw;
      logger("askos.io")->warn("passing over a checkpoint: {}", fault.what());
      if (!first_fault) first_fault = fault;
    }
  }
  if (first_fault) {
    throw Error(*first_fault);
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
  return read_part(checkpoint, part, *operations_);
}

void CheckpointStore::keep(const KeepPolicy& policy) const {
  const std::vector<CheckpointInfo> found = list();
  const auto measure = [&](const CheckpointInfo& checkpoint) {
    return checkpoint.metadata.has(policy.best_by)
               ? checkpoint.metadata.at(policy.best_by).as_double()
               : std::numeric_limits<double>::infinity();
  };
  const auto best = std::ranges::min_element(found, {}, measure);
  const std::size_t num_newest = std::max<std::size_t>(policy.num_newest, 1);
  for (std::size_t i = 0; i + num_newest < found.size(); ++i) {
    const bool is_best = !policy.best_by.empty() && &found[i] == &*best;
    const bool is_milestone = policy.every_steps > 0 && found[i].step % policy.every_steps == 0;
    if (!is_best && !is_milestone) {
      remove(found[i]);
    }
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
