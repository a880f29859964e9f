// SPDX-License-Identifier: Apache-2.0
#include <askos/base/clock.hpp>

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

}  // namespace
}  // namespace askos
