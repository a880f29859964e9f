// SPDX-License-Identifier: Apache-2.0
#include "peer_watch.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

namespace askos::comm {
namespace {

using std::chrono::milliseconds;

constexpr Nanoseconds kHeartbeat = milliseconds(2000);

PeerPlace elsewhere() {
  PeerPlace place = own_place();
  place.host = {"far"};
  place.kernel = {"another"};
  return place;
}

TEST(PeerWatch, NamesAProcessOfTheOwnHostThatHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    std::_Exit(0);
  }
  PeerPlace place = own_place();
  place.pid = child;
  PeerWatch watch({own_place(), place}, 0, Nanoseconds(0));
  EXPECT_FALSE(watch.find_lost(milliseconds(1), kHeartbeat));
  ::kill(child, SIGKILL);
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  const auto lost = watch.find_lost(milliseconds(2), kHeartbeat);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->rank, 1);
  EXPECT_EQ(lost->reason, "its process ended");
}

TEST(PeerWatch, NamesAProcessThatHasBeenSilentForAHeartbeat) {
  PeerWatch watch({own_place(), elsewhere(), elsewhere()}, 0, Nanoseconds(0));
  EXPECT_EQ(watch.peer(2).host, "far");
  for (auto now = milliseconds(0); now <= milliseconds(2000); now += milliseconds(100)) {
    watch.heard_from(2, now);
    EXPECT_FALSE(watch.find_lost(now, kHeartbeat));
  }
  const auto lost = watch.find_lost(milliseconds(2001), kHeartbeat);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->rank, 1);
  EXPECT_EQ(lost->reason, "no heartbeat for 2.0 s");
}

TEST(PeerWatch, DoesNotBlameOthersForItsOwnAbsence) {
  PeerWatch watch({own_place(), elsewhere()}, 0, Nanoseconds(0));
  EXPECT_FALSE(watch.find_lost(milliseconds(1), kHeartbeat));
  EXPECT_FALSE(watch.find_lost(milliseconds(10'000), kHeartbeat));  // suspended in between
  EXPECT_FALSE(watch.find_lost(milliseconds(10'400), kHeartbeat));
}

TEST(PeerWatch, AsksForNoHeartbeatsUntilToldTo) {
  PeerWatch watch({own_place(), elsewhere()}, 0, Nanoseconds(0));
  for (auto now = milliseconds(0); now <= milliseconds(60'000); now += milliseconds(100)) {
    EXPECT_FALSE(watch.find_lost(now, Nanoseconds(0)));
  }
}

}  // namespace
}  // namespace askos::comm
