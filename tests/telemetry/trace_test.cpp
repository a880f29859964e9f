// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>
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

TEST(TraceLog, SortsTheRecordsOfAllThreads) {
  TraceLog log(16);
  log.ring().record(numbered(3));
  std::thread([&] { log.ring().record(numbered(2)); }).join();
  log.ring().record(numbered(4));
  std::vector<std::uint64_t> ids;
  for (const auto& record : log.snapshot()) ids.push_back(record.id);
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{2, 3, 4}));
}

TEST(ChromeTrace, NamesTracksAndEvents) {
  TraceLog log(16);
  const auto end = ticks();
  log.ring().record({.end = end, .stage = 1, .id = 42, .duration = end - log.origin()});
  log.ring().record({.end = end,
                     .stage = 0,
                     .kind = TraceKind::kWait,
                     .flags = static_cast<std::uint8_t>(State::kWaitCredit),
                     .detail = 3,
                     .duration = 0});
  std::ostringstream out;
  write_chrome_trace(log, {{0, "read \"x\""}, {2, "part"}}, out);
  const auto trace = nlohmann::json::parse(out.str());
  const auto& events = trace.at("traceEvents");
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0]["args"]["name"], "read \"x\"");
  EXPECT_EQ(events[1]["pid"], 2);
  const auto& run = events[2];
  EXPECT_EQ(run["name"], "part");
  EXPECT_EQ(run["args"]["sample"], 42);
  EXPECT_DOUBLE_EQ(run["ts"].get<double>(), 0.0);  // it began with the log
  const auto& wait = events[3];
  EXPECT_EQ(wait["name"], "wait.credit");
  EXPECT_EQ(wait["args"]["at"], 3);
}

TEST(ChromeTrace, ReportsAFileThatCannotBeWritten) {
  const TraceLog log(2);
  try {
    write_chrome_trace(log, {}, std::filesystem::path("/nowhere/trace.json"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
  }
}

}  // namespace
}  // namespace askos::telemetry
