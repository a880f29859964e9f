// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace askos::apps {

// Files that the build copies into the program (see report/CMakeLists.txt).
extern const std::string_view kReportPage;
extern const std::string_view kChartLibrary;

}  // namespace askos::apps
