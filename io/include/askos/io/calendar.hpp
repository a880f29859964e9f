// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace askos::io {

/// A date and time of day in UTC, in the proleptic Gregorian calendar.
using Time = std::chrono::sys_seconds;

/// Reads `1996-01-05`, `1996-01-05T06:00`, `1996-01-05 06:00:00`, with or without a `Z` at the end.
/// Throws `Errc::kInvalidInput` on anything else and on dates that do not exist.
[[nodiscard]] Time parse_time(std::string_view text);

/// Writes `1996-01-05T06:00:00`.
[[nodiscard]] std::string format_time(Time time);

/// Reads `6h`, `30min`, `1d`, `90s`. Throws `Errc::kInvalidInput` on anything else.
[[nodiscard]] std::chrono::seconds parse_step(std::string_view text);

/// Writes the longest whole unit: `6h`, `1d`, `90s`.
[[nodiscard]] std::string format_step(std::chrono::seconds step);

/// Decodes CF time values in `units` such as `hours since 1996-01-05 00:00` (CF conventions 1.10,
/// section 4.4), to the nearest second. Throws `Errc::kInvalidInput` on other units, and on a
/// `calendar` other than standard, gregorian or proleptic_gregorian (empty: standard).
[[nodiscard]] std::vector<Time> decode_times(const std::vector<double>& values,
                                             const std::string& units,
                                             const std::string& calendar);

}  // namespace askos::io
