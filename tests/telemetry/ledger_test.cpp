// SPDX-License-Identifier: Apache-2.0
#include <askos/telemetry/ledger.hpp>

#include <gtest/gtest.h>

#include <barrier>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

namespace askos::telemetry {
namespace {

std::int64_t sum(const StateTimes& times) {
  return std::accumulate(times.begin(), times.end(), std::int64_t{0});
}

State state_of(int number) {
  return static_cast<State>(number % static_cast<int>(kNumStates));
}

TEST(Ledger, StartsOff) {
  ManualClock clock;
  const Ledger ledger(clock);
  clock.advance(Nanoseconds(7));
  EXPECT_EQ(ledger.read().state, State::kOff);
  EXPECT_EQ(ledger.read().in(State::kOff), Nanoseconds(7));
}

TEST(Ledger, BooksEachIntervalOnItsState) {
  ManualClock clock;
  Ledger ledger(clock);
  ledger.enter(State::kWaitSched);
  clock.advance(Nanoseconds(3));
  EXPECT_EQ(ledger.enter(State::kBusyCpu), State::kWaitSched);
  clock.advance(Nanoseconds(50));
  ledger.enter(State::kWaitCredit);
  clock.advance(Nanoseconds(20));
  const auto reading = ledger.read();
  EXPECT_EQ(reading.in(State::kWaitSched), Nanoseconds(3));
  EXPECT_EQ(reading.in(State::kBusyCpu), Nanoseconds(50));
  EXPECT_EQ(reading.in(State::kWaitCredit), Nanoseconds(20));
  EXPECT_EQ(ledger.closed(State::kBusyCpu), Nanoseconds(50));
  EXPECT_EQ(ledger.closed(State::kWaitCredit), Nanoseconds(0));  // still open
}

TEST(Ledger, AddsUpToWallTimeExactly) {
  ManualClock clock;
  clock.advance(Nanoseconds(123));
  Ledger ledger(clock);
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    clock.advance(Nanoseconds(random() % 1000));
    if (random() % 2 == 0) ledger.enter(state_of(static_cast<int>(random() % kNumStates)));
    const auto reading = ledger.read();
    ASSERT_EQ(sum(reading.times), (reading.at - reading.opened).count());
  }
}

TEST(Ledger, ReadersSeeClosedAccountsWhileItIsWritten) {
  Ledger ledger;
  constexpr int kReaders = 3;
  std::barrier start(kReaders + 1);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  std::atomic<int> num_wrong{0};
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&] {
      start.arrive_and_wait();
      Nanoseconds last{};
      while (!done) {
        const auto reading = ledger.read();
        const bool closed = sum(reading.times) == (reading.at - reading.opened).count();
        const bool forward = reading.at >= last;
        last = reading.at;
        if (!closed || !forward) ++num_wrong;
      }
    });
  }
  start.arrive_and_wait();
  for (int i = 0; i < 20000; ++i) ledger.enter(state_of(i));
  done = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(num_wrong, 0);
}

TEST(ScopedState, ReturnsToTheFormerState) {
  ManualClock clock;
  Ledger ledger(clock);
  ledger.enter(State::kBusyCpu);
  const CurrentLedger current(&ledger);
  {
    const ScopedState wait(State::kWaitIo);
    clock.advance(Nanoseconds(5));
  }
  EXPECT_EQ(ledger.state(), State::kBusyCpu);
  EXPECT_EQ(ledger.read().in(State::kWaitIo), Nanoseconds(5));
}

TEST(ScopedState, DoesNothingOnAThreadWithoutLedger) {
  const ScopedState wait(State::kWaitIo);
  const CurrentLedger none(nullptr);
  const ScopedState inner(State::kWaitComm);
}

TEST(State, HasTheDocumentedNames) {
  std::vector<std::string_view> names;
  for (int i = 0; i < static_cast<int>(kNumStates); ++i) names.push_back(to_string(state_of(i)));
  EXPECT_EQ(names, (std::vector<std::string_view>{"busy.cpu", "busy.gpu", "wait.input",
                                                  "wait.credit", "wait.comm", "wait.io", "wait.mem",
                                                  "wait.sched", "paused", "off"}));
}

}  // namespace
}  // namespace askos::telemetry
