// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace askos::io {

/// Returns a random UUID (RFC 4122, version 4).
[[nodiscard]] std::string make_uuid();

}  // namespace askos::io
