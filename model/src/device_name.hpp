// SPDX-License-Identifier: Apache-2.0
// What this build and this machine can do on a CUDA device; without CUDA: nothing.
#pragma once

#include <string>

namespace askos::model {

/// Returns why no CUDA device can be used, or nothing if one can.
[[nodiscard]] std::string missing_for_cuda();

/// Names device 0 and its memory. There must be one.
[[nodiscard]] std::string cuda_device_name();

}  // namespace askos::model
