// SPDX-License-Identifier: Apache-2.0
// One hold over three processes, which are three sessions of one process here; each has a control
// network's end of its own.
#include "peer_hold.hpp"

#include "dataflow/support/engines.hpp"
#include "dataflow/support/meeting.hpp"
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/control_network.hpp>
#include <askos/dataflow/inspector.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

namespace askos::dataflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

HeldStage stage(const char* name, std::int64_t turn, bool meets_ranks, bool held = true) {
  HeldStage stage;
  stage.stage = name;
  if (held) stage.may_run = 0;
  stage.turn = turn;
  stage.meets_ranks = meets_ranks;
  return stage;
}

HoldStatus process(HoldState state, std::vector<HeldStage> stages) {
  HoldStatus hold;
  hold.state = state;
  hold.stages = std::move(stages);
  return hold;
}

TEST(Agree, LetsRanksGoOnToTheLastCollectiveThatAnyHadBegun) {
  const auto agreement = agree({process(HoldState::kPaused, {stage("meet", 6, true)}),
                                process(HoldState::kPausing, {stage("meet", 8, true)}),
                                process(HoldState::kPaused, {stage("meet", 8, true)})});
  EXPECT_EQ(agreement.state, HoldState::kPausing);
  EXPECT_THAT(agreement.behind,
              ElementsAre(ElementsAre(StageTurn{"meet", 8}), IsEmpty(), IsEmpty()));
}

TEST(Agree, IsPausedWhenAllStandAtTheSameCollective) {
  // What feeds it may be further on one rank: its packets wait.
  const auto agreement =
      agree({process(HoldState::kPaused, {stage("read", 9, false), stage("meet", 6, true)}),
             process(HoldState::kPaused, {stage("read", 7, false), stage("meet", 6, true)})});
  EXPECT_EQ(agreement.state, HoldState::kPaused);
  EXPECT_THAT(agreement.behind, ElementsAre(IsEmpty(), IsEmpty()));
}

TEST(Agree, LevelsTheOthersWhereNotAllIsHeld) {
  const auto partly = [](std::int64_t turn, HoldState state) {
    return process(state, {stage("read", turn, false), stage("meet", 6, true, false)});
  };
  auto agreement = agree({partly(9, HoldState::kPaused), partly(7, HoldState::kPaused)});
  EXPECT_EQ(agreement.state, HoldState::kPausing);
  EXPECT_THAT(agreement.behind, ElementsAre(IsEmpty(), ElementsAre(StageTurn{"read", 9})));
  agreement = agree({partly(9, HoldState::kPausing), partly(7, HoldState::kPaused)});
  EXPECT_THAT(agreement.behind, ElementsAre(IsEmpty(), IsEmpty())) << "rank 0 may go on still";
}

TEST(Agree, LeavesEndedStagesAloneAndTellsOfSteps) {
  auto ended = stage("meet", 4, true);
  ended.ended = true;
  const auto agreement = agree({process(HoldState::kPaused, {ended}),
                                process(HoldState::kStepping, {stage("meet", 5, true)})});
  EXPECT_EQ(agreement.state, HoldState::kStepping);
  EXPECT_THAT(agreement.behind, ElementsAre(IsEmpty(), IsEmpty()));
}

constexpr int kRanks = 3;

/// Passes numbers on when all ranks are there, with an offset that may change meanwhile.
class OffsetMeet final : public Stage {
 public:
  explicit OffsetMeet(std::shared_ptr<test::MeetingPoint> point) : point_(std::move(point)) {}
  In<test::Number> in{*this, "in"};
  Out<test::Number> out{*this, "out"};

  void run(Context& context) override {
    const auto rank = static_cast<std::size_t>(context.rank().value);
    if (!point_->enter(rank, num_met_, context.waker())) {
      return context.wake_at(Nanoseconds::max());
    }
    const auto packet = context.take(in);
    context.emit(out, *packet + offset_, packet.meta);
    ++num_met_;
  }
  [[nodiscard]] std::string communicator() const override { return "all"; }
  [[nodiscard]] ArgumentChange change_argument(const std::string& /*name*/,
                                               const Argument& value) override {
    return {.before = offset_, .apply = [this, value] { offset_ = std::get<std::int64_t>(value); }};
  }

 private:
  std::shared_ptr<test::MeetingPoint> point_;
  std::int64_t num_met_ = 0;
  std::int64_t offset_ = 0;
};

class PeerHoldTest : public ::testing::Test {
 protected:
  explicit PeerHoldTest(bool paused = false) {
    for (int rank = 0; rank < kRanks; ++rank) {
      Graph graph("meeting");
      auto& count = graph.add<test::Count>("count", 1'000'000'000);
      auto& meet = graph.add<OffsetMeet>("meet", point_);
      auto& keep = graph.add<test::Keep>("keep", kept_.emplace_back(test::make_list()));
      graph.connect(count.out, meet.in, {.credit = 4 + rank});
      graph.connect(meet.out, keep.in);
      std::vector<Graph> one;
      one.push_back(std::move(graph));
      sessions_.push_back(start(Plan(std::move(one), {}, Rank{rank}), {.paused = paused}));
      if (rank == 0) continue;
      members_.push_back(std::make_unique<ControlMember>(hub_->address(), rank));
      shown_.push_back(members_.back()->attach(*sessions_.back()));
    }
    attachment_ = inspector_.attach(*sessions_.front());
  }
  ~PeerHoldTest() override {
    for (const auto& session : sessions_) session->stop();
    for (const auto& session : sessions_) (void)session->wait(test::kLong);
    shown_.clear();
  }

  [[nodiscard]] Json ask(const Json& request) const {
    return Json::parse(dataflow::ask(inspector_.socket(), request.dump()));
  }
  /// The answer's result; what is refused fails the test.
  [[nodiscard]] Json result(const Json& request) const {
    const auto reply = ask(request);
    EXPECT_TRUE(reply.at("ok").get<bool>()) << reply.dump();
    return reply.value("result", Json());
  }
  [[nodiscard]] std::string refusal(const Json& request) const {
    const auto reply = ask(request);
    EXPECT_FALSE(reply.at("ok").get<bool>()) << reply.dump();
    return reply.at("ok").get<bool>() ? "" : reply.at("error").at("message").get<std::string>();
  }
  /// Waits until the hold of all is `state`, and returns it.
  [[nodiscard]] Json reach(const std::string& state) const {
    const auto until = steady_clock().now() + test::kLong;
    for (;;) {
      auto hold = result({{"verb", "hold"}, {"debugger", "me"}});
      if (hold.at("state") == state || steady_clock().now() > until) return hold;
      std::this_thread::yield();
    }
  }
  [[nodiscard]] Json pause() const {
    (void)result({{"verb", "pause"}, {"debugger", "me"}});
    return reach("paused");
  }
  void resume() const { (void)result({{"verb", "resume"}, {"debugger", "me"}}); }
  /// Runs of `meet` on each rank.
  [[nodiscard]] std::vector<std::int64_t> meetings() const {
    std::vector<std::int64_t> runs;
    for (const auto& session : sessions_) runs.push_back(session->status().stages.at(1).num_runs);
    return runs;
  }
  /// Waits until every rank has met `more` times more.
  [[nodiscard]] bool goes_on(std::int64_t more = 20) const {
    const auto before = meetings();
    const auto until = steady_clock().now() + test::kLong;
    while (steady_clock().now() < until) {
      const auto after = meetings();
      bool all = true;
      for (std::size_t i = 0; i < before.size(); ++i) all = all && after[i] >= before[i] + more;
      if (all) return true;
      std::this_thread::yield();
    }
    return false;
  }
  /// All ranks stand after the same meeting.
  void expect_cut() const {
    const auto runs = meetings();
    EXPECT_THAT(runs, ::testing::Each(runs.front()));
    EXPECT_FALSE(point_->is_half_entered());
  }

  std::shared_ptr<test::MeetingPoint> point_ = std::make_shared<test::MeetingPoint>(kRanks);
  std::vector<std::shared_ptr<std::vector<test::Number>>> kept_;
  std::shared_ptr<ControlHub> hub_ = std::make_shared<ControlHub>("127.0.0.1", kRanks - 1, 1ms);
  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("peer-hold-" + std::to_string(::getpid()));
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<ControlMember>> members_;
  std::vector<std::shared_ptr<void>> shown_;
  Inspector inspector_{{.folder = folder_, .peers = hub_}};
  Inspector::Attachment attachment_;
};

TEST_F(PeerHoldTest, StopsAllAfterTheSameMeetingAndLetsThemGoOn) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(goes_on());
    const auto hold = pause();
    ASSERT_EQ(hold.at("state"), "paused") << hold.dump();
    EXPECT_EQ(hold.at("stages").size(), 3U * kRanks);
    expect_cut();
    const auto before = meetings();
    EXPECT_EQ(result({{"verb", "ps"}}).at(0).at("hold").at("state"), "paused");
    EXPECT_EQ(meetings(), before);
    resume();
  }
  ASSERT_TRUE(goes_on());
  (void)pause();
  for (const auto& kept : kept_) {
    for (std::size_t i = 0; i < kept->size(); ++i) {
      ASSERT_EQ((*kept)[i], static_cast<test::Number>(i)) << "lost or doubled";
    }
  }
}

TEST_F(PeerHoldTest, StepsAllRanksTogether) {
  ASSERT_TRUE(goes_on());
  (void)pause();
  const auto before = meetings();
  (void)result({{"verb", "step"}, {"debugger", "me"}, {"count", 5}});
  EXPECT_EQ(reach("paused").at("state"), "paused");
  expect_cut();
  EXPECT_EQ(meetings().front(), before.front() + 5);
}

class BegunHeld : public PeerHoldTest {
 protected:
  BegunHeld() : PeerHoldTest(/*paused=*/true) {}
};

TEST_F(BegunHeld, IsOneHoldOfAll) {
  const auto hold = reach("paused");
  EXPECT_EQ(hold.at("debugger"), kAnyDebugger);
  ASSERT_EQ(hold.at("stages").size(), 3U * kRanks);
  for (const auto& stage : hold.at("stages")) EXPECT_EQ(stage.at("runs"), 0);
  (void)result({{"verb", "step"}, {"debugger", "me"}, {"count", 4}});
  EXPECT_EQ(reach("paused").at("state"), "paused");
  EXPECT_EQ(meetings(), (std::vector<std::int64_t>{4, 4, 4}));
  resume();
  EXPECT_TRUE(goes_on());
}

TEST_F(PeerHoldTest, HoldsOneStageOnAllRanks) {
  ASSERT_TRUE(goes_on());
  (void)result({{"verb", "pause"}, {"debugger", "me"}, {"stage", "meet"}});
  EXPECT_EQ(reach("paused").at("state"), "paused");
  expect_cut();
}

TEST_F(PeerHoldTest, ABreakpointOfOneRankStopsAll) {
  const auto added = result({{"verb", "break"},
                             {"debugger", "me"},
                             {"edge", "count.out>meet.in"},
                             {"when", "sample % 50 == 49"},
                             {"rank", 2}});
  EXPECT_EQ(added.at("breakpoint"), 1);
  const auto hold = reach("paused");
  EXPECT_EQ(hold.at("state"), "paused");
  EXPECT_EQ(hold.at("reason"), "breakpoint");
  expect_cut();
  const auto list = result({{"verb", "breaks"}});
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list.at(0).at("hit").at("rank"), 2);

  const auto everywhere = result({{"verb", "break"},
                                  {"debugger", "me"},
                                  {"edge", "count.out>meet.in"},
                                  {"when", "sample < 0"}});
  EXPECT_EQ(everywhere.at("breakpoint"), 2);
  EXPECT_EQ(result({{"verb", "unbreak"}, {"breakpoint", 1}}).size(), 1U);
  EXPECT_THAT(refusal({{"verb", "unbreak"}, {"breakpoint", 1}}), HasSubstr("no breakpoint"));
  resume();
  EXPECT_TRUE(goes_on(100)) << "the breakpoint is gone on rank 2 too";
}

TEST_F(PeerHoldTest, ChangesAnArgumentBeforeTheSameMeeting) {
  const Json change{
      {"verb", "set"}, {"stage", "meet"}, {"argument", "offset"}, {"value", 1'000'000}};
  ASSERT_TRUE(goes_on());
  EXPECT_THAT(refusal(change), HasSubstr("pause the graph first"));
  (void)pause();
  EXPECT_EQ(result(change).at("state"), "applied");
  resume();
  ASSERT_TRUE(goes_on());
  (void)pause();
  const auto& first = *kept_.front();
  EXPECT_GE(first.back(), 1'000'000);
  for (const auto& kept : kept_) {
    const auto both = std::min(first.size(), kept->size());
    EXPECT_TRUE(std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(both),
                           kept->begin()));
  }
}

TEST_F(PeerHoldTest, LooksIntoOtherProcessesAndChangesTheirCredit) {
  const auto seen = result({{"verb", "peek"}, {"edge", "count.out>meet.in"}, {"rank", 2}});
  EXPECT_EQ(seen.at("rank"), 2);
  EXPECT_EQ(seen.at("credit"), 6);
  (void)result({{"verb", "credit"}, {"edge", "count.out>meet.in"}, {"credit", 3}});
  const auto until = steady_clock().now() + test::kLong;
  const auto credit = [&](const auto& session) { return session->status().edges.at(0).credit; };
  while (!std::ranges::all_of(sessions_, [&](const auto& each) { return credit(each) == 3; })) {
    ASSERT_LT(steady_clock().now(), until);
    std::this_thread::yield();
  }
  EXPECT_TRUE(goes_on());
}

TEST_F(PeerHoldTest, EndsEverywhereWithTheLease) {
  ASSERT_TRUE(goes_on());
  (void)result({{"verb", "pause"}, {"debugger", "me"}, {"lease_s", 0.2}});
  ASSERT_EQ(reach("paused").at("state"), "paused");
  EXPECT_TRUE(goes_on());
}

TEST_F(PeerHoldTest, HoldsNobodyWhereOneCannotBeHeld) {
  ASSERT_TRUE(goes_on());
  shown_.pop_back();  // as if it had not started yet
  EXPECT_THAT(refusal({{"verb", "pause"}, {"debugger", "me"}}), HasSubstr("on_rank=2"));
  EXPECT_TRUE(goes_on());
}

}  // namespace
}  // namespace askos::dataflow
