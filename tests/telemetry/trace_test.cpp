// SPDX-License-Identifier: Apache-2.0
#include <askos/base/clock.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace askos::telemetry {
namespace {

TraceRecord numbered(std::uint64_t number) {
  return {.end = number, .stage = 1, .detail = 7, .id = number, .duration = number};
}

TEST(TraceRing, KeepsTheNewestRecordsInOrder) {
  TraceRing ring(8);
  for (std::uint64_t i = 0; i < 20; ++i) ring.record(numbered(i));
  const auto records = ring.snapshot();
  ASSERT_EQ(records.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(records[i], numbered(12 + i));
  EXPECT_EQ(ring.num_recorded(), 20U);
}

TEST(TraceRing, IsEmptyAtFirst) {
  EXPECT_TRUE(TraceRing(4).snapshot().empty());
}

TEST(TraceRing, NeverShowsAHalfWrittenRecord) {
  TraceRing ring(16);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < 200000; ++i) ring.record(numbered(i));
    done = true;
  });
  int num_wrong = 0;
  do {
    std::uint64_t last = 0;
    for (const auto& record : ring.snapshot()) {
      const bool whole = record == numbered(record.id);
      if (!whole || (last != 0 && record.id != last + 1)) ++num_wrong;
      last = record.id;
    }
  } while (!done);
  writer.join();
  EXPECT_EQ(num_wrong, 0);
  EXPECT_EQ(ring.snapshot().size(), 16U);
}

TEST(TraceLog, GivesEachThreadARingOfItsOwn) {
  TraceLog log(16);
  TraceLog other(16);
  auto* const mine = &log.ring();
  EXPECT_NE(mine, &other.ring());
  EXPECT_EQ(mine, &log.ring());
  std::thread([&] { EXPECT_NE(mine, &log.ring()); }).join();
}

TEST(TraceRing, ReturnsWhatEndedAfterATickThoughSomeEndedLateInOrder) {
  TraceRing ring(256);
  for (const std::uint64_t end : {10, 20, 30, 15, 40}) ring.record(numbered(end));
  std::vector<std::uint64_t> ends;
  for (const auto& record : ring.snapshot(18)) ends.push_back(record.end);
  EXPECT_EQ(ends, (std::vector<std::uint64_t>{20, 30, 40}));
}

TEST(TraceLog, SortsTheRecordsOfAllThreads) {
  TraceLog log(16);
  const auto now = ticks();
  const auto record = [&](std::uint64_t id) { log.ring().record({.end = now + id, .id = id}); };
  record(3);
  std::thread([&] { record(2); }).join();
  record(4);
  std::vector<std::uint64_t> ids;
  for (const auto& event : log.read().events) ids.push_back(event.id);
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{2, 3, 4}));
}

/// Records `count` operators of a nanosecond or so each, called `name`.
void record_operators(const char* name, int count) {
  for (int i = 0; i < count; ++i) {
    const auto began = ticks();
    record_operator(name, began, ticks());
  }
}

TEST(TraceLog, KeepsOperatorsFromPushingOutAnythingElse) {
  TraceLog log(16, 16);
  const CurrentLedger current(nullptr, &log, 5);
  log.ring().record({.end = ticks(), .stage = 5, .detail = 1});
  record_operators("aten::mul", 10);
  log.begin_operators();  // what was recorded before is not counted as lost
  record_operators("aten::add", 20);
  const auto contents = log.read();
  EXPECT_EQ(contents.events.size(), 1U + 16U);
  EXPECT_EQ(contents.events.front().kind, TraceKind::kRun);
  EXPECT_EQ(contents.num_lost_operators, 4);
  const auto& last = contents.events.back();
  EXPECT_EQ(last.kind, TraceKind::kOperator);
  EXPECT_EQ(last.track, 5);
  EXPECT_EQ(contents.operators.at(last.detail), "aten::add");
}

TEST(TraceLog, NamesOperatorsOfAllThreadsOnce) {
  TraceLog log(16);
  const auto work = [&] {
    const CurrentLedger current(nullptr, &log);
    record_operators("aten::mul", 2);
  };
  work();
  std::thread(work).join();
  record_operators("aten::add", 1);  // of no stage
  const auto contents = log.read();
  EXPECT_EQ(contents.operators, std::vector<std::string>{"aten::mul"});
  EXPECT_EQ(contents.events.size(), 4U);
  EXPECT_TRUE(std::ranges::is_sorted(contents.events, {}, &TraceEvent::end_ns));
}

TEST(TraceLog, LetsNestWhatNested) {
  TraceLog log(16);
  const CurrentLedger current(nullptr, &log);
  const auto began = ticks();
  record_operators("aten::add", 3);
  const auto ended = ticks();
  log.ring().record({.end = ended, .duration = ended - began});
  const auto events = log.read().events;
  ASSERT_EQ(events.size(), 4U);
  for (const auto& event : events) {
    EXPECT_GE(event.start_ns, events.back().start_ns);
    EXPECT_LE(event.end_ns(), events.back().end_ns());
  }
}

TEST(TraceLog, TellsTimesOfTheSteadyClock) {
  const auto before = steady_clock().now();
  TraceLog log(16);
  const auto begin = ticks();
  for (int i = 0; i < 1000; ++i) (void)ticks();
  const auto end = ticks();
  log.ring().record({.end = end, .duration = end - begin});
  const auto events = log.read(before).events;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_GE(events[0].start_ns, before.count());
  EXPECT_GT(events[0].duration_ns, 0);
  // Ticks are told from the steady clock by what passed since the log was made: a microsecond of
  // error in either reading.
  EXPECT_LE(events[0].end_ns(), steady_clock().now().count() + 1000);
  EXPECT_TRUE(log.read(steady_clock().now() + std::chrono::hours(1)).events.empty());
}

TEST(ScopedState, RecordsItsTimeAsAWaitOfTheStage) {
  TraceLog log(16);
  {
    const CurrentLedger current(nullptr, &log, 7);
    const ScopedState wait(State::kWaitIo);
  }
  const ScopedState nowhere(State::kWaitIo);
  const auto events = log.read().events;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].track, 7);
  EXPECT_EQ(events[0].kind, TraceKind::kWait);
  EXPECT_EQ(events[0].flags, static_cast<std::uint8_t>(State::kWaitIo));
}

}  // namespace
}  // namespace askos::telemetry
