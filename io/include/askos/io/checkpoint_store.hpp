// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/byte_sink.hpp>
#include <askos/io/file_operations.hpp>
#include <askos/io/metadata.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace askos::io {

/// One file of a checkpoint, written when the checkpoint is.
struct CheckpointPart {
  std::string name;  ///< a file name, for instance `model.safetensors`
  std::function<void(ByteSink&)> write;
};

/// A checkpoint that is complete on the disk.
struct CheckpointInfo {
  std::int64_t step = 0;
  std::filesystem::path folder;
  Metadata metadata;  ///< what `write` was given

  struct PartInfo {
    std::string name;
    std::int64_t size_bytes = 0;
    std::uint32_t crc32c = 0;
    bool operator==(const PartInfo&) const = default;
  };
  std::vector<PartInfo> parts;
};

/// Keeps checkpoints as sub-folders `step-000000000017` of one folder.
///
/// A checkpoint becomes visible by one rename, after all its files and its manifest (names, sizes,
/// CRCs, metadata; plain JSON) are on stable storage. Whatever stops the process, and whenever, the
/// newest complete checkpoint can be found and loads. One writer at a time; any number of readers.
///
///   step-N.tmp (being written) -> step-N (complete) -> step-N.old (being removed) -> gone
class CheckpointStore {
 public:
  /// Makes the folder if it is absent; its parent must exist.
  explicit CheckpointStore(std::filesystem::path folder,
                           FileOperations& operations = system_file_operations());

  /// Writes the checkpoint of `step`, in place of a damaged one; a valid one must not exist yet
  /// (`Errc::kInvalidInput`). On any failure nothing of it is left; a full disk is
  /// `Errc::kEnvironment`.
  CheckpointInfo write(std::int64_t step,
                       const std::vector<CheckpointPart>& parts,
                       const Metadata& metadata) const;

  /// Lists complete checkpoints, oldest first; one with a faulty manifest or a part of another size
  /// is left out. Contents are not read.
  [[nodiscard]] std::vector<CheckpointInfo> list() const;

  /// Returns the newest checkpoint whose parts all match their CRCs; logs those that it passes
  /// over.
  [[nodiscard]] std::optional<CheckpointInfo> find_newest_valid() const;

  /// Reads one part and checks its size and CRC. Throws `Errc::kNotFound` with the parts there are,
  /// `Errc::kCorruptData` if it is not what was written.
  [[nodiscard]] std::vector<std::byte> read(const CheckpointInfo& checkpoint,
                                            const std::string& part) const;

  /// Removes all but the `count` newest checkpoints.
  void keep_newest(std::size_t count) const;
  void remove(const CheckpointInfo& checkpoint) const;
  /// Removes what an interrupted `write` or `remove` left. Call it when no other writer runs.
  void remove_leftovers() const;

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  [[nodiscard]] std::optional<CheckpointInfo> find_complete(const std::string& name) const;
  [[nodiscard]] bool is_valid(const CheckpointInfo& checkpoint) const;
  int take_away(const std::filesystem::path& folder) const;
  void remove_tree(const std::filesystem::path& folder) const;

  std::filesystem::path folder_;
  FileOperations* operations_;
};

}  // namespace askos::io
