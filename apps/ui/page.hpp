// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace askos::apps {

/// Puts the page together: one file with all that it needs. `snapshot` is what it shows without a
/// server (an object by event: `hello`, `trace`, `hold`, `top`), or `null`: then it asks its
/// server.
[[nodiscard]] std::string make_page(const std::string& snapshot = "null");

}  // namespace askos::apps
