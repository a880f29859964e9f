// SPDX-License-Identifier: Apache-2.0
#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace askos {
namespace {

using namespace std::chrono_literals;

TEST(SteadyClock, NeverGoesBack) {
  const auto before = steady_clock().now();
  steady_clock().sleep_until(before);
  EXPECT_GE(steady_clock().now(), before);
}

TEST(ManualClock, ReleasesASleeperOnlyWhenItsTimeHasCome) {
  ManualClock clock;
  std::atomic<bool> awake = false;
  std::jthread sleeper([&] {
    clock.sleep_until(10ms);
    awake = true;
  });
  clock.advance(9ms);
  EXPECT_FALSE(awake);
  clock.advance(1ms);
  sleeper.join();
  EXPECT_TRUE(awake);
}

TEST(Duration, ParsesEveryUnit) {
  EXPECT_EQ(parse_duration("5 ms"), 5ms);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("7ns"), 7ns);
  EXPECT_EQ(parse_duration("2 h"), 2h);
}

TEST(Duration, RefusesEverythingElse) {
  for (const char* text : {"", "5", "ms", "-1 s", "nan s", "5 msec", "1e99 h"}) {
    EXPECT_THROW((void)parse_duration(text), Error) << text;
  }
}

TEST(Duration, PrintsWithoutLoss) {
  for (const auto duration :
       {Nanoseconds(0), Nanoseconds(1500us), Nanoseconds(90min), Nanoseconds(3ns)}) {
    EXPECT_EQ(parse_duration(format_duration(duration)), duration);
  }
  EXPECT_EQ(format_duration(1500us), "1500 us");
}

}  // namespace
}  // namespace askos
