// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/recording.hpp>

#include <filesystem>
#include <string>

namespace askos::apps {

/// Writes a recording as an HDF5 file (docs/reference/recordings.md), or nothing at all.
void write_recording(const std::filesystem::path& path, const dataflow::Recording& recording);

/// Reads one. Throws, naming the file, `Errc::kInvalidInput` if it is no recording, or one of
/// another version of the format or of askos, whose stages may give other bits.
[[nodiscard]] dataflow::Recording read_recording(const std::filesystem::path& path);

/// Throws `Errc::kNotFound`, naming file and stage, unless the recording is of `stage`.
void check_stage(const std::filesystem::path& path,
                 const dataflow::Recording& recording,
                 const std::string& stage);

}  // namespace askos::apps
