// SPDX-License-Identifier: Apache-2.0
#include "launch/rank_output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace askos::apps {
namespace {

using ::testing::ElementsAre;

struct Heard {
  std::vector<std::string> out;
  std::vector<std::string> err;
  std::vector<std::string> reports;
};

RankOutput listen(Heard& heard, bool prefix = true) {
  return RankOutput({.print =
                         [&](OutputStream stream, const std::string& line) {
                           (stream == OutputStream::kOut ? heard.out : heard.err).push_back(line);
                         },
                     .report =
                         [&](int rank, const std::string& text) {
                           heard.reports.push_back(std::to_string(rank) + ": " + text);
                         }},
                    prefix);
}

TEST(RankOutput, PutsTheRankBeforeWholeLines) {
  Heard heard;
  auto output = listen(heard);
  output.take(0, OutputStream::kOut, "one\ntw");
  output.take(1, OutputStream::kOut, "other\n");
  output.take(0, OutputStream::kOut, "o\nlast");
  output.finish();
  EXPECT_THAT(heard.out, ElementsAre("[0] one", "[1] other", "[0] two", "[0] last"));
}

TEST(RankOutput, TakesReportsOutEvenAmidALine) {
  Heard heard;
  auto output = listen(heard, /*prefix=*/false);
  output.take(3, OutputStream::kErr,
              "no end\x1e"
              "ended 4 0\nmore\n");
  EXPECT_THAT(heard.err, ElementsAre("no end", "more"));
  EXPECT_THAT(heard.reports, ElementsAre("3: ended 4 0"));
}

// What mpirun prints, cut anywhere: the lines must come out the same.
TEST(TaggedOutput, ReadsTagsWhereverTheyAreCut) {
  const std::string text =
      "[1,0]<stdout>:a [1,2] b\n[1,11]<stderr>:half[1,2]<stdout>:[x]\n[1,11]<stderr>: line\n"
      "mpirun says [1, so\n[1,2]<stderr>:\x1e"
      "ended 0 0\n[1,0]<stdout>:[1\n";
  std::mt19937 engine(1);
  for (int round = 0; round < 200; ++round) {
    Heard heard;
    auto ranks = listen(heard);
    TaggedOutput tagged(ranks, OutputStream::kErr);
    for (std::size_t begin = 0; begin < text.size();) {
      const auto size = std::uniform_int_distribution<std::size_t>(1, 12)(engine);
      tagged.take(std::string_view(text).substr(begin, size));
      begin += size;
    }
    tagged.finish();
    ranks.finish();
    ASSERT_THAT(heard.out, ElementsAre("[0] a [1,2] b", "[2] [x]", "[0] [1"));
    ASSERT_THAT(heard.err, ElementsAre("[11] half line", "[mpirun] mpirun says [1, so"));
    ASSERT_THAT(heard.reports, ElementsAre("2: ended 0 0"));
  }
}

}  // namespace
}  // namespace askos::apps
