// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/checkpoint_store.hpp>

#include <string>
#include <string_view>

namespace askos::io {

inline constexpr const char* kManifestName = "manifest.json";
/// Text of the error about a manifest that this version cannot read.
inline constexpr const char* kNewerManifest = "checkpoint was written by a newer askos";

/// Writes step, parts and metadata; the text carries a CRC of itself.
[[nodiscard]] std::string manifest_text(const CheckpointInfo& checkpoint);

/// Reads it back, without the folder. Throws `Errc::kCorruptData` if its CRC or its form is wrong,
/// `Errc::kInvalidInput` with `kNewerManifest` if it is of a later version.
[[nodiscard]] CheckpointInfo parse_manifest(std::string_view text);

}  // namespace askos::io
