// SPDX-License-Identifier: Apache-2.0
// How a training's state lies in a checkpoint: tensors in one part, or in shards of several ranks.
#pragma once

#include <askos/io/checkpoint_store.hpp>
#include <askos/io/safetensors.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace askos::io {

/// Of the metadata's entry `format`.
inline constexpr std::int64_t kCheckpointFormat = 1;

/// The part that holds all tensors, if one rank wrote them.
inline constexpr const char* kWholeState = "state.safetensors";
/// Returns `state-00001-of-00004.safetensors`, or `kWholeState` for the only shard.
[[nodiscard]] std::string state_part_name(int shard, int num_shards);
/// Tells whether a part holds tensors of the state.
[[nodiscard]] bool is_state_part(const std::string& part);

/// Throws `Errc::kInvalidInput` if a checkpoint's metadata are of a later format.
void check_format(const CheckpointInfo& checkpoint);

/// Reads the tensors of all shards, sorted by name. Throws what `read_part` does, and
/// `Errc::kCorruptData` if a name is in two shards.
[[nodiscard]] std::vector<NamedArray> read_state(
    const CheckpointInfo& checkpoint, FileOperations& operations = system_file_operations());

}  // namespace askos::io
