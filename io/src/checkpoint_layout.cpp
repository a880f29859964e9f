// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/checkpoint_layout.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

namespace askos::io {

std::string state_part_name(int shard, int num_shards) {
  if (num_shards == 1) return kWholeState;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "state-%05d-of-%05d.safetensors", shard, num_shards);
  return text.data();
}

bool is_state_part(const std::string& part) {
  return part == kWholeState || (part.starts_with("state-") && part.ends_with(".safetensors"));
}

void check_format(const CheckpointInfo& checkpoint) {
  const auto format = checkpoint.metadata.at("format").as_integer();
  if (format > kCheckpointFormat) {
    throw Error(Errc::kInvalidInput, "checkpoint was written by a newer askos")
        .with("checkpoint", checkpoint.folder.string())
        .with("expected", "format " + std::to_string(kCheckpointFormat) + " or older")
        .with("found", format);
  }
}

std::vector<NamedArray> read_state(const CheckpointInfo& checkpoint, FileOperations& operations) {
  std::vector<NamedArray> arrays;
  for (const auto& part : checkpoint.parts) {
    if (is_state_part(part.name)) {
      std::ranges::move(parse_safetensors(read_part(checkpoint, part.name, operations)).arrays,
                        std::back_inserter(arrays));
    }
  }
  std::ranges::sort(arrays, {}, &NamedArray::name);
  const auto twice = std::ranges::adjacent_find(arrays, {}, &NamedArray::name);
  if (twice != arrays.end()) {
    throw Error(Errc::kCorruptData, "checkpoint holds a tensor twice")
        .with("checkpoint", checkpoint.folder.string())
        .with("tensor", twice->name);
  }
  return arrays;
}

}  // namespace askos::io
