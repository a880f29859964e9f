// SPDX-License-Identifier: Apache-2.0
// What is kept of a stage's runs, and that doing them again alone gives the same, bit by bit.
#include "base64.hpp"
#include "dataflow/support/engines.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/replay.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace askos::dataflow {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Debugger kMe{.name = "me"};

/// source -> work -> sink; `work` is recorded from the start.
Graph chain(const synthetic::WorkOptions& options, int record, std::int64_t count = 20) {
  Graph graph("chain");
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{.count = count});
  auto& work = graph.add<synthetic::Work>("work", options);
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
  graph.configure(work, {.record = record});
  graph.connect(source.out, work.in);
  graph.connect(work.out, sink.in);
  return graph;
}

class Recorded : public test::EngineTest {
 protected:
  /// Runs a chain to its end and returns what was recorded of `work`.
  Recording record(const synthetic::WorkOptions& options, int last) const {
    const auto session = begin(chain(options, last));
    EXPECT_TRUE(session->wait(test::kLong).has_value());
    return *session->control().take_recording("work", Rank{0});
  }
};
ASKOS_TEST_ON_BOTH_ENGINES(Recorded);

TEST_P(Recorded, RunsAreTheLastOnesWithTheStateBeforeThem) {
  const auto recording = record({}, 3);
  // 20 runs in segments of 3: the last two have 3 and 2.
  ASSERT_EQ(recording.runs.size(), 5U);
  EXPECT_EQ(recording.runs.front().number, 15);
  EXPECT_EQ(recording.runs.back().number, 19);
  EXPECT_EQ(integer_of(recording.state, "num_taken"), 15);
  EXPECT_EQ(recording.graph, "chain");
  EXPECT_EQ(recording.type, "work");
}

TEST_P(Recorded, RunsGiveTheSameWhenDoneAgainAlone) {
  auto recording = record({.service = {.time = std::chrono::microseconds(10)}, .batch = 2}, 4);
  synthetic::Work work({.service = {.time = std::chrono::hours(1)}, .batch = 2});
  const auto report = replay(work, recording);
  ASSERT_EQ(report.runs.size(), recording.runs.size());
  EXPECT_TRUE(report.equal()) << report.runs.back().difference;
}

TEST_P(Recorded, ADifferenceIsNamedToTheEntry) {
  auto recording = record({}, 4);
  auto& array = recording.runs[1].outputs[0].payload->at(1);
  ASSERT_EQ(array.name, "bytes");
  array.bytes[7] ^= std::byte{1};
  synthetic::Work work({});
  const auto report = replay(work, recording);
  EXPECT_FALSE(report.equal());
  ASSERT_EQ(report.runs.size(), 2U) << "a replay ends where it differs";
  EXPECT_THAT(report.runs[1].difference,
              HasSubstr("packet 0: bytes differs in 1 of 1024 entries, first in 7: "));
}

TEST_P(Recorded, AFailureIsReproducedByTheStateItMet) {
  const auto session = begin(chain({.fault_at = 13}, 5));
  const auto outcome = session->wait(test::kLong);
  ASSERT_TRUE(outcome && outcome->failure);
  const auto recording = session->control().take_recording("work", Rank{0});
  EXPECT_THAT(recording->runs.back().failure, HasSubstr("injected fault: packet=13"));
  synthetic::Work same({.fault_at = 13});
  EXPECT_TRUE(replay(same, *recording).equal());
  synthetic::Work sound({});
  EXPECT_THAT(replay(sound, *recording).runs.back().difference,
              HasSubstr("injected fault: packet=13\" recorded, no failure found"));
}

TEST_P(Recorded, AHeaderAndArraysMakeTheRecordingAgain) {
  const auto recording = record({}, 2);
  auto copy = parse_recording_header(recording_header(recording));
  std::vector<const StoredArray*> originals;
  for_each_array(recording, [&](const std::string&, const StoredArray& array) {
    originals.push_back(&array);
  });
  std::size_t next = 0;
  for_each_array(copy, [&](const std::string&, StoredArray& array) {
    array.bytes = originals.at(next++)->bytes;
  });
  EXPECT_EQ(next, originals.size());
  EXPECT_EQ(recording_header(copy), recording_header(recording));
  synthetic::Work work({});
  EXPECT_TRUE(replay(work, copy).equal());
}

TEST_P(Recorded, WhatCannotBeRecordedIsRefusedWithTheReason) {
  const auto session = begin(chain({}, 0));
  auto& control = session->control();
  const auto refusal = [](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_THAT(refusal([&] { control.record("source", Rank{0}, 3); }),
              HasSubstr("a source takes no packets"));
  EXPECT_THAT(refusal([&] { control.record("wok", Rank{0}, 3); }), HasSubstr("nearest=work"));
  EXPECT_THAT(refusal([&] { control.record("work", Rank{2}, 3); }), HasSubstr("no such rank"));
  EXPECT_THAT(refusal([&] { control.record("work", Rank{0}, 100000); }),
              HasSubstr("out of range: expected='0 to 1000'"));
  ASSERT_TRUE(session->wait(test::kLong).has_value());
  EXPECT_THAT(refusal([&] { (void)control.take_recording("work", Rank{0}); }),
              HasSubstr("nothing is recorded of the stage yet"));
}

TEST_P(Recorded, ARecordingOfAnotherStageIsStale) {
  const auto recording = record({}, 2);
  synthetic::Sink sink({});
  EXPECT_THROW((void)replay(sink, recording), Error);
  synthetic::Work batches({.batch = 2});
  try {
    (void)replay(batches, recording);
    FAIL() << "must not be accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInvalidInput);
    EXPECT_THAT(error.what(), HasSubstr("recording is stale"));
  }
}

TEST(Recording, IsWhatAGraphFileAsksFor) {
  StageCatalog catalog;
  synthetic::add_stage_types(catalog);
  const auto text = save_graph(chain({}, 4));
  EXPECT_THAT(text, HasSubstr("record = 4"));
  EXPECT_EQ(parse_graph(text, catalog).graph.find_stage("work")->options.record, 4);
  const auto set = parse_graph(text, catalog, {"stages.work.record=7"});
  EXPECT_EQ(set.graph.find_stage("work")->options.record, 7);
}

TEST(Recording, OfAHeldStageHoldsThePacketsThatWait) {
  auto graph = chain({}, 0, /*count=*/0);
  const auto session = start(Plan(std::move(graph)), {.kind = EngineKind::kActor});
  auto& control = session->control();
  control.add_breakpoint(kMe, "source.out>work.in", "sample == 7");
  while (control.wait_for_hold(test::kLong).state != HoldState::kPaused) {
  }
  const auto recording = control.take_recording("work", Rank{0});
  ASSERT_FALSE(recording->runs.empty());
  EXPECT_FALSE(recording->runs.front().done);
  EXPECT_EQ(recording->runs.front().inputs.front().meta.sample, SampleId{7});
  EXPECT_EQ(integer_of(recording->state, "num_taken"), 7);
  synthetic::Work work({});
  const auto report = replay(work, *recording);
  EXPECT_TRUE(report.equal());
  EXPECT_EQ(report.runs.front().outputs.size(), 1U);
  session->stop();
}

TEST(Recording, OfAMergeKeepsTheOrderOfTaking) {
  Graph graph("merge");
  auto& left = graph.add<synthetic::Source>("left", synthetic::SourceOptions{.count = 9});
  auto& right = graph.add<synthetic::Source>("right", synthetic::SourceOptions{.count = 4});
  auto& merge = graph.add<synthetic::Merge>("merge", synthetic::ForkOptions{});
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
  graph.configure(merge, {.record = 100});
  graph.connect(left.out, merge.in[0]);
  graph.connect(right.out, merge.in[1]);
  graph.connect(merge.out, sink.in);
  const auto session = start(Plan(std::move(graph)));
  ASSERT_TRUE(session->wait(test::kLong).has_value());
  const auto recording = session->control().take_recording("merge", Rank{0});
  EXPECT_EQ(recording->runs.size(), 13U);
  synthetic::Merge again(synthetic::ForkOptions{});
  EXPECT_TRUE(replay(again, *recording).equal());
}

TEST(Base64, ReadsBackWhatItPrints) {
  for (std::size_t size = 0; size < 9; ++size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(250 + 31 * i);
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes) << size;
  }
  EXPECT_EQ(to_base64(std::as_bytes(std::span("fooba", 5))), "Zm9vYmE=");  // RFC 4648, section 10
  EXPECT_THAT(from_base64(""), IsEmpty());
  for (const char* wrong : {"Zm9", "Zm9*", "=m9v", "Zg==Zg=="}) {
    EXPECT_THROW((void)from_base64(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace askos::dataflow
