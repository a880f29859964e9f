// SPDX-License-Identifier: Apache-2.0
#include "traced_call.hpp"

#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <gtest/gtest.h>

namespace askos::comm {
namespace {

struct Calls {
  int waits = 0;
  int waits_on = 0;
};

class CountedWork final : public TimedWork {
 public:
  CountedWork(Calls& calls, std::uint64_t finished) : calls_(calls), finished_(finished) {}
  [[nodiscard]] bool done() const noexcept override { return false; }
  void wait() override { ++calls_.waits; }
  void wait_on(Stream /*stream*/) override { ++calls_.waits_on; }
  [[nodiscard]] std::uint64_t finished_at() const noexcept override { return finished_; }

 private:
  Calls& calls_;
  std::uint64_t finished_;
};

class TracedCalls : public ::testing::Test {
 protected:
  WorkPtr begin(std::uint64_t finished = 0) {
    return TracedCall(CallKind::kAllReduce, "g", 5)
        .follow(std::make_unique<CountedWork>(calls_, finished));
  }
  std::vector<telemetry::TraceEvent> events() { return log_.read().events; }

  Calls calls_;
  telemetry::TraceLog log_{16};
  telemetry::CurrentLedger current_{nullptr, &log_, 3};
};

TEST_F(TracedCalls, AreRecordedOnceHoweverOftenTheyAreWaitedFor) {
  {
    const auto work = begin();
    work->wait();
    work->wait();
  }
  EXPECT_EQ(calls_.waits, 2);
  ASSERT_EQ(events().size(), 1U);
  EXPECT_EQ(events()[0].kind, telemetry::TraceKind::kCollective);
  EXPECT_EQ(events()[0].track, 3);
  EXPECT_EQ(events()[0].detail, 5U);
}

TEST_F(TracedCalls, EndWhenTheyWereCompleteNotWhenTheyWereWaitedFor) {
  TracedCall call(CallKind::kAllReduce, "g", 5);
  const auto finished = telemetry::ticks();
  call.follow(std::make_unique<CountedWork>(calls_, finished))->wait();
  log_.ring().record({.end = finished, .stage = 3});
  const auto both = events();  // each reading has a length of tick of its own
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].end_ns(), both[1].end_ns());
}

TEST_F(TracedCalls, ThatNobodyWaitsForAreWaitedForWhenTheyDie) {
  (void)begin();
  EXPECT_EQ(calls_.waits, 1);
  EXPECT_EQ(events().size(), 1U);
}

TEST_F(TracedCalls, LeftToAStreamNeverHoldTheHost) {
  begin()->wait_on(Stream{});
  EXPECT_EQ(calls_.waits_on, 1);
  EXPECT_EQ(calls_.waits, 0);
  EXPECT_EQ(events().size(), 1U);
}

}  // namespace
}  // namespace askos::comm
