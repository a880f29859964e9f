// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace askos::io {

/// Throws `Errc::kCorruptData` if a NetCDF-3 file ends before the last value that its header
/// promises: the netCDF library reads such values as zeros and says nothing. Leaves any other file,
/// also one that is not there, to the library.
void refuse_truncated_classic(const std::filesystem::path& path);

}  // namespace askos::io
