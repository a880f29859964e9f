// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

namespace askos::apps {

// Files that the build copies into the program (see ui/CMakeLists.txt).
extern const std::string_view kPageHtml;
extern const std::string_view kPageCss;
extern const std::string_view kGraphicsLibrary;
extern const std::string_view kLayoutLibrary;
extern const std::array<std::string_view, 7> kPageScripts;  // in order of their use

}  // namespace askos::apps
