// SPDX-License-Identifier: Apache-2.0
#include <askos/comm/agreement.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace askos::comm {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

/// Runs `body` on three ranks and returns what each of them threw, empty for nothing.
std::vector<std::string> thrown(const std::function<void(Communicator&)>& body) {
  const auto group = make_local_group(3);
  std::vector<std::string> told(group.size());
  std::vector<std::jthread> threads;
  for (std::size_t r = 0; r < group.size(); ++r) {
    threads.emplace_back([&, r] {
      try {
        body(*group[r]);
      } catch (const SettledError& error) {
        told[r] = std::to_string(exit_code(error.code())) + " " + error.what();
      }
    });
  }
  threads.clear();
  return told;
}

TEST(Agreement, GivesEveryRankTheTextsOfAll) {
  EXPECT_THAT(thrown([](Communicator& ranks) {
                const std::string own(static_cast<std::size_t>(ranks.rank()) * 1000, 'x');
                const auto texts = exchange_texts(ranks, own);
                ASSERT_EQ(texts.size(), 3U);
                EXPECT_EQ(texts[0], "");
                EXPECT_EQ(texts[2], std::string(2000, 'x'));
              }),
              Each(""));
}

TEST(Agreement, FailsOnAllRanksIfOneFails) {
  const auto told = thrown([](Communicator& ranks) {
    settle(ranks, [&] {
      if (ranks.rank() == 1) throw Error(Errc::kNotFound, "no such file").with("file", "a.h5");
    });
  });
  EXPECT_THAT(told, Each("2 no such file: file=a.h5, rank=1"));
}

TEST(Agreement, NamesNoRankIfAllFail) {
  const auto told = thrown([](Communicator& ranks) {
    settle(ranks, [] { throw Error(Errc::kEnvironment, "disk full"); });
  });
  EXPECT_THAT(told, Each("6 disk full"));
}

TEST(Agreement, GoesOnIfNoneFails) {
  EXPECT_THAT(thrown([](Communicator& ranks) {
                settle(ranks, [] {});
                expect_same(ranks, {{"training.seed", "1"}});
                settle(ranks, [] {});
              }),
              Each(""));
}

TEST(Agreement, NamesEveryFactThatDiffersWithBothValues) {
  const auto told = thrown([](Communicator& ranks) {
    Facts facts{{"askos", "0.1.0"}, {"training.seed", "1"}};
    if (ranks.rank() == 2) {
      facts = {{"askos", "0.1.0"}, {"training.seed", "7"}, {"model.heads", "4"}};
    }
    expect_same(ranks, facts);
  });
  EXPECT_THAT(told, Each(AllOf(HasSubstr("training.seed='rank 0 has 1, rank 2 has 7'"),
                               HasSubstr("model.heads='rank 0 has nothing, rank 2 has 4'"),
                               Not(HasSubstr("0.1.0")))));
}

}  // namespace
}  // namespace askos::comm
