// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace askos::apps {

inline constexpr const char* kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Prints an inspector's `status` as OpenMetrics text (version 1.0.0): counters of seconds by
/// state, runs, packets; gauges of packets in flight, credit and bytes.
[[nodiscard]] std::string to_open_metrics(const nlohmann::ordered_json& status);

}  // namespace askos::apps
