// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace askos::model {

/// Returns the device that `name` asks for: "cpu", "cuda" or "auto" (CUDA where it can be had).
/// Throws `Errc::kEnvironment` with what is missing if there is no such device here.
[[nodiscard]] c10::Device find_device(const std::string& name);

/// Describes a device for a line of output: "cpu", or "cuda (NVIDIA H200, 139 GiB)".
[[nodiscard]] std::string describe(c10::Device device);

}  // namespace askos::model
