// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace askos::io {

/// Hears how far a long piece of work is, on the thread that does it: `done` of `total` of a
/// `phase`. What it throws gives the work up.
using Progress = std::function<void(std::string_view phase, std::int64_t done, std::int64_t total)>;

}  // namespace askos::io
