// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/io/calendar.hpp>

namespace askos::io {
namespace {

using std::chrono::seconds;

TEST(Calendar, ReadsAndWritesDates) {
  EXPECT_EQ(parse_time("1970-01-01"), Time(seconds(0)));
  EXPECT_EQ(parse_time("1996-01-05T06:00").time_since_epoch(), seconds(820'821'600));
  for (const char* text : {"1996-01-05T06:00:00", "1996-01-05 06:00:00", "1996-01-05T06:00Z",
                           "1996-1-5 6:00", "1996-01-05 06:00:00.0 UTC", "1996-01-05 06"}) {
    EXPECT_EQ(format_time(parse_time(text)), "1996-01-05T06:00:00") << text;
  }
  EXPECT_EQ(format_time(parse_time("2000-02-29T23:59:59")), "2000-02-29T23:59:59");
  EXPECT_EQ(format_time(Time(seconds(-1))), "1969-12-31T23:59:59");
}

TEST(Calendar, RefusesWhatIsNoDate) {
  for (const char* text : {"", "1996", "1996-13-01", "1900-02-29", "1996-01-05T24:00", "tomorrow",
                           "1996-01-05T06:60", "1996-01-05 +01:00", "-1996-01-05", "1996-01-05x"}) {
    EXPECT_EQ(error_of([&] { static_cast<void>(parse_time(text)); }).code(), Errc::kInvalidInput)
        << text;
  }
}

TEST(Calendar, ReadsAndWritesSteps) {
  for (const char* text : {"6h", "1d", "30min", "90s"}) {
    EXPECT_EQ(format_step(parse_step(text)), text);
  }
  EXPECT_EQ(parse_step("24h"), std::chrono::days(1));
  for (const char* text : {"", "h", "6", "6 h", "-6h", "0h", "6m", "99999999999999999999h"}) {
    EXPECT_EQ(error_of([&] { static_cast<void>(parse_step(text)); }).code(), Errc::kInvalidInput)
        << text;
  }
}

TEST(Calendar, DecodesCfTimes) {
  const Time origin = parse_time("1996-01-05");
  EXPECT_EQ(decode_times({0, 6}, "hours since 1996-01-05 00:00", "")[1], origin + seconds(21'600));
  EXPECT_EQ(decode_times({0.25}, "days since 1996-1-5", "standard")[0], origin + seconds(21'600));
  EXPECT_EQ(decode_times({90}, "minutes since 1996-01-05", "gregorian")[0],
            origin + seconds(5'400));
  EXPECT_EQ(decode_times({-1}, "seconds since 1996-01-05T00:00:00Z", "")[0], origin - seconds(1));
  // A third of a day in double precision is not whole: the nearest second is meant.
  EXPECT_EQ(decode_times({1.0 / 3}, "days since 1996-01-05", "")[0], origin + seconds(28'800));
}

TEST(Calendar, RefusesTimesThatItCannotDecode) {
  const auto code = [](double value, const char* units, const char* calendar) {
    return error_of([&] { static_cast<void>(decode_times({value}, units, calendar)); }).code();
  };
  EXPECT_EQ(code(0, "months since 1996-01-05", ""), Errc::kInvalidInput);
  EXPECT_EQ(code(0, "hours", ""), Errc::kInvalidInput);
  EXPECT_EQ(code(0, "", ""), Errc::kInvalidInput);
  EXPECT_EQ(code(0, "hours since 1996-01-05", "noleap"), Errc::kInvalidInput);
  EXPECT_EQ(code(1e30, "hours since 1996-01-05", ""), Errc::kInvalidInput);
}

TEST(DatasetInfo, FindsRowsAndVariablesByName) {
  const DatasetInfo info = describe({.rows = 4, .variables = 3});
  EXPECT_EQ(info.row_at(parse_time("1996-01-05T12:00")), 2);
  for (const char* text : {"1996-01-05T13:00", "1996-01-04T18:00", "1996-01-06T00:00"}) {
    EXPECT_EQ(error_of([&] { static_cast<void>(info.row_at(parse_time(text))); }).code(),
              Errc::kNotFound);
  }
  EXPECT_EQ(info.variable_at("v2"), 2);
  EXPECT_EQ(std::string(error_of([&] { static_cast<void>(info.variable_at("w2")); }).what()),
            "dataset has no such variable: variable=w2, nearest=v2");
  EXPECT_EQ(parse_role("forcing"), VariableRole::kForcing);
  EXPECT_EQ(error_of([] { static_cast<void>(parse_role("input")); }).code(), Errc::kInvalidInput);
}

TEST(DatasetInfo, FindsCellsWhoseNeighbourhoodIsWhole) {
  // 4 x 5 grid without its cell (1, 1).
  DatasetInfo info = describe({.cells = 19});
  info.grid_shape = {4, 5};
  for (std::int64_t cell = 0; cell < 20; ++cell) {
    if (cell != 6) {
      info.grid_cells.push_back(cell);
    }
  }
  const auto whole = cells_with_full_neighbourhood(info, 1);
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i]) {
      found.push_back(info.grid_cells[i]);
    }
  }
  EXPECT_EQ(found, (std::vector<std::int64_t>{8, 13}));
  info.grid_shape = {20};
  EXPECT_EQ(error_of([&] { static_cast<void>(cells_with_full_neighbourhood(info, 1)); }).code(),
            Errc::kInvalidInput);
}

}  // namespace
}  // namespace askos::io
