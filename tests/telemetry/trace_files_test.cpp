// SPDX-License-Identifier: Apache-2.0
// The files are read back with other people's parsers: protozero and zlib here, Perfetto's schema
// and HolisticTraceAnalysis in trace_readers_test.py.
#include <askos/base/error.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/overlap.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <zlib.h>

#include <fstream>
#include <sstream>

namespace askos::telemetry {
namespace {

namespace fs = std::filesystem;

TraceEvent run(int track, std::int64_t start, std::int64_t end, std::uint64_t sample) {
  return {.start_ns = start,
          .duration_ns = end - start,
          .track = static_cast<std::uint16_t>(track),
          .detail = 1,
          .id = sample};
}

TraceEvent wait(int track, std::int64_t start, std::int64_t end, State state) {
  return {.start_ns = start,
          .duration_ns = end - start,
          .track = static_cast<std::uint16_t>(track),
          .kind = TraceKind::kWait,
          .flags = static_cast<std::uint8_t>(state)};
}

TraceEvent collective(int track, std::int64_t start, std::int64_t end, std::uint32_t sequence) {
  return {.start_ns = start,
          .duration_ns = end - start,
          .track = static_cast<std::uint16_t>(track),
          .kind = TraceKind::kCollective,
          .detail = sequence,
          .id = 99};
}

TraceEvent operation(int track, std::int64_t start, std::int64_t end, std::uint32_t name) {
  return {.start_ns = start,
          .duration_ns = end - start,
          .track = static_cast<std::uint16_t>(track),
          .kind = TraceKind::kOperator,
          .detail = name};
}

/// Two ranks of read > compute. On rank 0 a collective of 100 ns is waited for in its last 60.
Trace two_ranks() {
  return {.graph = "pair",
          .unix_offset_ns = 5000,
          .tracks = {{0, "read"}, {0, "compute"}, {1, "read"}, {1, "compute"}},
          .edges = {{"read.out>compute.in", 0, 1}, {"read.out>compute.in", 2, 3}},
          .events = {run(0, 1000, 1100, 1), run(2, 1000, 1100, 1),
                     wait(1, 900, 1100, State::kWaitInput), wait(1, 1240, 1300, State::kWaitComm),
                     collective(1, 1200, 1300, 0), collective(3, 1250, 1300, 0),
                     run(1, 1100, 1400, 1), run(3, 1100, 1400, 1)}};
}

/// With operators in the run of compute on rank 0, one of them within another.
Trace with_operators() {
  Trace trace = two_ranks();
  trace.operators = {"aten::addmm", "aten::linear"};
  const std::vector<TraceEvent> more{operation(1, 1120, 1180, 0), operation(1, 1110, 1200, 1)};
  trace.events.insert(trace.events.end() - 2, more.begin(), more.end());
  trace.num_lost_operators = 7;
  return trace;
}

/// Inflates the packets of a Perfetto file into one message.
std::string inflate_packets(const std::string& file) {
  std::string packets;
  protozero::pbf_reader trace(file);
  while (trace.next(1)) {
    auto packet = trace.get_message();
    while (packet.next(50)) {
      const auto deflated = packet.get_view();
      std::string block(1 << 20, '\0');
      uLongf size = block.size();
      EXPECT_EQ(::uncompress(reinterpret_cast<Bytef*>(block.data()), &size,
                             reinterpret_cast<const Bytef*>(deflated.data()), deflated.size()),
                Z_OK);
      packets.append(block, 0, size);
    }
  }
  return packets;
}

TEST(Overlap, IsCommunicationBehindTheWorkOfAnyStage) {
  const auto figures = overlaps(two_ranks());
  ASSERT_EQ(figures.size(), 2U);
  EXPECT_EQ(figures[0].communication, Nanoseconds(100));
  EXPECT_EQ(figures[0].overlapped, Nanoseconds(40));
  EXPECT_EQ(figures[0].exposed(), Nanoseconds(60));
  EXPECT_EQ(figures[0].busy, Nanoseconds(340));
  EXPECT_DOUBLE_EQ(figures[1].fraction(), 1);
}

TEST(Overlap, LeavesWaitsOutOfWhatAStageWasBusy) {
  EXPECT_EQ(busy_stretches(two_ranks(), 1), (std::vector<Stretch>{{1100, 1240}, {1300, 1400}}));
  EXPECT_EQ(unite({{5, 7}, {1, 3}, {3, 4}, {9, 9}}), (std::vector<Stretch>{{1, 4}, {5, 7}}));
}

TEST(TraceJson, ComesBackAsItWas) {
  const Trace trace = with_operators();
  const Trace back = trace_from_json(to_json(trace));
  EXPECT_EQ(back.graph, trace.graph);
  EXPECT_EQ(back.unix_offset_ns, trace.unix_offset_ns);
  EXPECT_EQ(back.tracks, trace.tracks);
  EXPECT_EQ(back.edges, trace.edges);
  EXPECT_EQ(back.events, trace.events);
  EXPECT_EQ(back.operators, trace.operators);
  EXPECT_EQ(back.num_lost_operators, 7);
  EXPECT_THROW((void)trace_from_json("{}"), Error);
  EXPECT_THROW((void)trace_from_json("nonsense"), Error);
}

TEST(Trace, MergesTheRanksOfAnotherProcess) {
  Trace trace{.graph = "pair", .tracks = {{2, "read"}}};
  merge(trace, two_ranks());
  EXPECT_EQ(trace.ranks(), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(trace.tracks.at(trace.edges.at(0).consumer).name, "compute");
  EXPECT_EQ(trace.tracks.at(trace.events.front().track).name, "read");
}

TEST(TraceJson, IsNoneIfAnOperatorHasNoName) {
  Trace trace = with_operators();
  trace.operators.pop_back();
  EXPECT_THROW((void)trace_from_json(to_json(trace)), Error);
}

TEST(Trace, MergesTheOperatorsOfAnotherProcess) {
  Trace trace{.graph = "pair",
              .tracks = {{2, "compute"}},
              .events = {operation(0, 1, 2, 0)},
              .operators = {"aten::mul"},
              .num_lost_operators = 1};
  merge(trace, with_operators());
  std::vector<std::string> names;
  for (const auto& event : trace.events) {
    if (event.kind == TraceKind::kOperator) names.push_back(trace.operators.at(event.detail));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"aten::mul", "aten::addmm", "aten::linear"}));
  EXPECT_EQ(trace.num_lost_operators, 8);
  remove_operators(trace);
  Trace without{.graph = "pair", .tracks = {{2, "compute"}}};
  merge(without, two_ranks());
  EXPECT_EQ(trace.events, without.events);
  EXPECT_TRUE(trace.operators.empty());
}

TEST(PerfettoTrace, BeginsAndEndsEverySliceInTheOrderOfTime) {
  std::ostringstream out;
  write_perfetto(with_operators(), out);
  const std::string packets = inflate_packets(out.str());
  protozero::pbf_reader trace(packets);
  std::map<std::uint64_t, int> open;  // by track
  std::map<std::uint64_t, int> flows;
  int num_tracks = 0;
  int num_slices = 0;
  while (trace.next(1)) {
    auto packet = trace.get_message();
    while (packet.next()) {
      if (packet.tag() == 60) {
        ++num_tracks;
        packet.skip();
      } else if (packet.tag() == 11) {
        auto event = packet.get_message();
        int type = 0;
        std::uint64_t track = 0;
        while (event.next()) {
          switch (event.tag()) {
            case 9: type = event.get_enum(); break;
            case 11: track = event.get_uint64(); break;
            case 47: ++flows[event.get_fixed64()]; break;
            default: event.skip();
          }
        }
        num_slices += type == 1 ? 1 : 0;
        open[track] += type == 1 ? 1 : -1;
        EXPECT_GE(open[track], 0);
      } else {
        packet.skip();
      }
    }
  }
  EXPECT_EQ(num_tracks, 2 + 4 + 2);  // ranks, stages, their collectives
  EXPECT_EQ(num_slices, 8 + 2);
  for (const auto& [track, depth] : open) EXPECT_EQ(depth, 0) << track;
  EXPECT_EQ(flows.size(), 3U);  // a sample on each rank's edge, a collective between the ranks
  for (const auto& [flow, ends] : flows) EXPECT_EQ(ends, 2) << flow;
}

TEST(PerfettoTrace, TakesAtMostTwelveBytesPerEvent) {
  Trace trace = two_ranks();
  trace.events.clear();
  std::int64_t now = 0;
  for (int i = 0; i < 20000; ++i) {  // as irregular as a real run: steps by a linear congruence
    const auto step = 1000 + (i * 7919LL) % 3571;
    trace.events.push_back(wait(i % 4, now, now + step, State::kWaitInput));
    trace.events.push_back(run(i % 4, now + step, now + 2 * step + i % 13, i / 4));
    now += step / 2;
  }
  std::ostringstream out;
  write_perfetto(trace, out);
  EXPECT_LE(out.str().size(), 12 * trace.events.size());
}

TEST(KinetoTrace, IsOneRanksKernelsOnStreams) {
  std::ostringstream out;
  write_kineto(two_ranks(), 0, out);
  const auto trace = nlohmann::json::parse(out.str());
  EXPECT_EQ(trace["distributedInfo"]["rank"], 0);
  double busy = 0;
  double communication = 0;
  for (const auto& event : trace["traceEvents"]) {
    EXPECT_EQ(event["pid"], 0);
    if (event.value("cat", "") == "kernel") {
      const bool is_collective = event["name"] == "ncclKernel_all_reduce";
      (is_collective ? communication : busy) += event["dur"].get<double>();
    }
  }
  EXPECT_NEAR(busy, 0.34, 1e-9);  // microseconds
  EXPECT_NEAR(communication, 0.1, 1e-9);
}

TEST(KinetoTrace, HasOperatorsWithinTheRunOfTheirStage) {
  std::ostringstream out;
  write_kineto(with_operators(), 0, out);
  const auto trace = nlohmann::json::parse(out.str());
  std::vector<nlohmann::json> stack;
  for (const auto& event : trace["traceEvents"]) {
    const bool is_run = event.value("cat", "") == "user_annotation" && event["name"] == "compute";
    if (is_run || event.value("cat", "") == "cpu_op") stack.push_back(event);
  }
  ASSERT_EQ(stack.size(), 3U);
  EXPECT_EQ(stack[0]["name"], "compute");
  EXPECT_EQ(stack[1]["name"], "aten::linear");
  EXPECT_EQ(stack[2]["name"], "aten::addmm");
  for (std::size_t i = 1; i < stack.size(); ++i) {
    const auto end = [](const auto& event) {
      return event["ts"].template get<double>() + event["dur"].template get<double>();
    };
    EXPECT_EQ(stack[i]["tid"], stack[0]["tid"]);
    EXPECT_GE(stack[i]["ts"], stack[i - 1]["ts"]);
    EXPECT_LE(end(stack[i]), end(stack[i - 1]));
  }
}

class TraceFiles : public ::testing::Test {
 protected:
  TraceFiles() { fs::create_directories(folder_); }
  ~TraceFiles() override { fs::remove_all(folder_); }

  const fs::path folder_ =
      fs::path(::testing::TempDir()) / ("trace_files_" + std::to_string(::getpid()));
};

TEST_F(TraceFiles, AreOnePerRankForKinetoAndOneForPerfetto) {
  EXPECT_EQ(write_trace(two_ranks(), folder_ / "x.pftrace").size(), 1U);
  const auto files = write_trace(two_ranks(), folder_ / "x.json");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[1].filename(), "x.rank1.json");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 3);
}

TEST_F(TraceFiles, ThatCannotBeWrittenAreReportedAndLeaveNothing) {
  try {
    write_trace(two_ranks(), folder_ / "nowhere" / "x.json");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
  }
  EXPECT_THROW(check_trace_path("x.txt"), Error);
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace askos::telemetry
