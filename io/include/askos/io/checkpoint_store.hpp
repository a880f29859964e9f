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

/// Which checkpoints stay when a newer one is complete; the newest always does.
struct KeepPolicy {
  std::size_t num_newest = 3;
  /// An entry of the metadata, a number: the checkpoint with the least of it stays too. Empty:
  /// none.
  std::string best_by = {};
  std::int64_t every_steps = 0;  ///< those of its multiples stay for good; 0: none
};

/// Keeps checkpoints as sub-folders `step-000000000017` of one folder.
///
/// A checkpoint becomes visible by one rename, after all its files and its manifest (names, sizes,
/// CRCs, metadata; plain JSON) are on stable storage. Whatever stops the process, and whenever, the
/// newest complete checkpoint can be found and loads. Any number of readers; one writer at a time,
/// which may be many ranks that each write parts between `begin` and `commit`.
///
///   step-N.tmp (being written) -> step-N (complete) -> step-N.old (being removed) -> gone
class CheckpointStore {
 public:
  /// Makes the folder if it is absent; its parent must exist.
  explicit CheckpointStore(std::filesystem::path folder,
                           FileOperations& operations = system_file_operations());

  /// Writes the checkpoint of `step` alone: `begin`, all parts, `commit`. On any failure nothing of
  /// it is left; a full disk is `Errc::kEnvironment`.
  CheckpointInfo write(std::int64_t step,
                       const std::vector<CheckpointPart>& parts,
                       const Metadata& metadata) const;

  /// Opens the checkpoint of `step`, in place of a damaged one; a valid one must not exist yet
  /// (`Errc::kInvalidInput`). One rank, before any writes a part.
  void begin(std::int64_t step) const;
  /// Writes one part to stable storage, reads it back and compares; any rank, any order. Throws
  /// `Errc::kCorruptData` if the disk gave back something else.
  [[nodiscard]] CheckpointInfo::PartInfo write_part(std::int64_t step,
                                                    const CheckpointPart& part) const;
  /// Makes the checkpoint visible; one rank, once all `parts` of all ranks are written.
  CheckpointInfo commit(std::int64_t step,
                        std::vector<CheckpointInfo::PartInfo> parts,
                        const Metadata& metadata) const;
  /// Removes what was written of `step` since `begin`.
  void abandon(std::int64_t step) const noexcept;

  /// Lists complete checkpoints, oldest first; one with a faulty manifest or a part of another size
  /// is left out. Contents are not read.
  [[nodiscard]] std::vector<CheckpointInfo> list() const;

  /// Returns the newest checkpoint whose parts all match their CRCs; logs those that it passes
  /// over. Throws what is wrong with the newest one if there are some but none is valid, and
  /// `Errc::kInvalidInput` if the newest was written by a newer askos.
  [[nodiscard]] std::optional<CheckpointInfo> find_newest_valid() const;

  /// Reads one part and checks its size and CRC. Throws `Errc::kNotFound` with the parts there are,
  /// `Errc::kCorruptData` if it is not what was written.
  [[nodiscard]] std::vector<std::byte> read(const CheckpointInfo& checkpoint,
                                            const std::string& part) const;

  /// Removes what `policy` does not keep.
  void keep(const KeepPolicy& policy) const;
  /// Removes all but the `count` newest checkpoints.
  void keep_newest(std::size_t count) const { keep({.num_newest = count}); }
  void remove(const CheckpointInfo& checkpoint) const;
  /// Removes what an interrupted `write` or `remove` left. Call it when no other writer runs.
  void remove_leftovers() const;

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  [[nodiscard]] std::optional<CheckpointInfo> find_complete(const std::string& name) const;
  [[nodiscard]] bool is_valid(const CheckpointInfo& checkpoint) const;
  int take_away(const std::filesystem::path& folder) const;
  void remove_tree(const std::filesystem::path& folder) const;
  [[nodiscard]] std::filesystem::path unfinished(std::int64_t step) const;

  std::filesystem::path folder_;
  FileOperations* operations_;
};

/// Opens one checkpoint by its folder; contents are not read. Throws `Errc::kNotFound` if it is no
/// checkpoint or a part of its manifest is missing, `kCorruptData` if the manifest is damaged or a
/// part has another size, `kInvalidInput` if a newer askos wrote it.
[[nodiscard]] CheckpointInfo open_checkpoint(const std::filesystem::path& folder,
                                             FileOperations& operations = system_file_operations());

/// Reads one part of an opened checkpoint, as `CheckpointStore::read`.
[[nodiscard]] std::vector<std::byte> read_part(
    const CheckpointInfo& checkpoint,
    const std::string& part,
    FileOperations& operations = system_file_operations());

}  // namespace askos::io
