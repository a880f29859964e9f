// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/calendar.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

namespace askos::io {
namespace {

using std::chrono::seconds;

struct UnitName {
  std::string_view name;
  seconds length;
};

constexpr std::array kStepUnits{UnitName{"d", seconds(86400)}, UnitName{"h", seconds(3600)},
                                UnitName{"min", seconds(60)}, UnitName{"s", seconds(1)}};

[[noreturn]] void refuse_time(std::string_view text) {
  throw Error(Errc::kInvalidInput, "not a date and time (write for instance 1996-01-05T06:00:00)")
      .with("found", text);
}

/// Takes an unsigned number off the front of `text`.
int take_number(std::string_view& text, std::string_view whole) {
  int number = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || text.front() == '-') {
    refuse_time(whole);
  }
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return number;
}

bool take(std::string_view& text, char letter) {
  if (text.empty() || text.front() != letter) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

seconds take_time_of_day(std::string_view& text, std::string_view whole) {
  std::array<int, 3> parts{};  // hours, minutes, seconds
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i] = take_number(text, whole);
    if (parts[i] >= (i == 0 ? 24 : 60)) {
      refuse_time(whole);
    }
    if (!take(text, ':')) {
      break;
    }
  }
  if (take(text, '.')) {
    take_number(text, whole);  // fractions of a second are cut off
  }
  return std::chrono::hours(parts[0]) + std::chrono::minutes(parts[1]) + seconds(parts[2]);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

seconds cf_unit(std::string_view name) {
  constexpr std::array kNames{UnitName{"second", seconds(1)},  UnitName{"sec", seconds(1)},
                              UnitName{"s", seconds(1)},       UnitName{"minute", seconds(60)},
                              UnitName{"min", seconds(60)},    UnitName{"hour", seconds(3600)},
                              UnitName{"hr", seconds(3600)},   UnitName{"h", seconds(3600)},
                              UnitName{"day", seconds(86400)}, UnitName{"d", seconds(86400)}};
  for (const UnitName& unit : kNames) {
    if (name == unit.name || name == std::string(unit.name) + "s") {
      return unit.length;
    }
  }
  return seconds(0);
}

}  // namespace

Time parse_time(std::string_view text) {
  const std::string_view whole = text;
  text = trimmed(text);
  const int year = take_number(text, whole);
  const bool month_follows = take(text, '-');
  const int month = take_number(text, whole);
  const bool day_follows = take(text, '-');
  const int day = take_number(text, whole);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!month_follows || !day_follows || !date.ok()) {
    refuse_time(whole);
  }
  Time time = std::chrono::sys_days(date);
  if (take(text, 'T') || (take(text, ' ') && !text.empty() && text.front() != 'U')) {
    time += take_time_of_day(text, whole);
  }
  text = trimmed(text);
  if (!text.empty() && text != "Z" && text != "UTC") {
    refuse_time(whole);
  }
  return time;
}

std::string format_time(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

seconds parse_step(std::string_view text) {
  std::int64_t count = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view suffix(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  for (const UnitName& unit : kStepUnits) {
    if (fault == std::errc{} && count > 0 && count < 1'000'000'000 && suffix == unit.name) {
      return count * unit.length;
    }
  }
  throw Error(Errc::kInvalidInput, "not a time step (write for instance 6h, 30min, 1d, 90s)")
      .with("found", text);
}

std::string format_step(seconds step) {
  for (const UnitName& unit : kStepUnits) {
    if (step.count() != 0 && step % unit.length == seconds(0)) {
      return std::to_string(step / unit.length) + std::string(unit.name);
    }
  }
  return "0s";
}

std::vector<Time> decode_times(const std::vector<double>& values,
                               const std::string& units,
                               const std::string& calendar) {
  if (!calendar.empty() && calendar != "standard" && calendar != "gregorian" &&
      calendar != "proleptic_gregorian") {
    throw Error(Errc::kInvalidInput, "time axis has a calendar that askos does not know")
        .with("found", calendar)
        .with("expected", "standard, gregorian or proleptic_gregorian");
  }
  constexpr std::string_view kSince = " since ";
  const auto since = units.find(kSince);
  const seconds unit = cf_unit(trimmed(std::string_view(units).substr(0, since)));
  if (since == std::string::npos || unit == seconds(0)) {
    throw Error(Errc::kInvalidInput,
                "time axis has units that askos does not know; give origin and step in the recipe")
        .with("found", units)
        .with("expected", "seconds, minutes, hours or days since DATE");
  }
  const Time origin = parse_time(std::string_view(units).substr(since + kSince.size()));
  std::vector<Time> times;
  times.reserve(values.size());
  for (const double value : values) {
    const double offset = value * static_cast<double>(unit.count());
    if (!(std::abs(offset) < 1e12)) {
      throw Error(Errc::kInvalidInput, "time axis has a value that is no time")
          .with("found", value);
    }
    times.push_back(origin + seconds(std::llround(offset)));
  }
  return times;
}

}  // namespace askos::io
