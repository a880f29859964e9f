// SPDX-License-Identifier: Apache-2.0
// Weights that need no reference: what they refuse, and what they add up to.
#include <askos/base/error.hpp>
#include <askos/model/scalers.hpp>

#include <gmock/gmock.h>

#include <numeric>

namespace askos::model {
namespace {

using ::testing::ElementsAre;

TEST(VariableNames, MayEndInALevel) {
  EXPECT_EQ(split_name("z_500").parameter, "z");
  EXPECT_EQ(split_name("z_500").level, 500);
  for (const char* name : {"10u", "cos_latitude", "sst_", "_", ""}) {
    EXPECT_EQ(split_name(name).parameter, name);
    EXPECT_FALSE(split_name(name).level) << name;
  }
}

TEST(ParameterWeights, CountForAllLevels) {
  EXPECT_THAT(parameter_weights({"q_500", "10u", "q_850"}, {{"q", 0.6}}, 2),
              ElementsAre(0.6, 2, 0.6));
  EXPECT_THROW((void)parameter_weights({"q_500"}, {{"q_500", 0.6}}), Error);
}

TEST(LevelWeights, NeedALevel) {
  EXPECT_THROW((void)level_weights({"sp"}, {.parameters = {"sp"}}), Error);
}

TEST(Reweighted, GivesARegionItsShare) {
  const auto weights = reweighted({1, 2, 3, 4}, {true, false, false, true}, 0.75);
  EXPECT_DOUBLE_EQ(weights[0] + weights[3], 15);
  EXPECT_DOUBLE_EQ(weights[0], weights[3]);
  EXPECT_THROW((void)reweighted({1, 2}, {false, false}, 0.5), Error);
  EXPECT_THROW((void)reweighted({1, 2}, {true, false}, 1), Error);
}

TEST(TendencyWeights, AreRatiosOfDeviations) {
  EXPECT_THAT(tendency_weights({2, 3, 5}, {1, 6, 0}, {true, true, false}, true),
              ElementsAre(4, 0.25, 1));
  EXPECT_THAT(tendency_weights({2, 3}, {1, 6}, {true, true}, false), ElementsAre(2, 0.5));
  EXPECT_THROW((void)tendency_weights({1}, {0}, {true}, true), Error);
}

TEST(Normalised, AddUpToOneOrTheirNumber) {
  EXPECT_THAT(normalised({1, 3}, WeightNorm::kUnitSum), ElementsAre(0.25, 0.75));
  EXPECT_THAT(normalised({1, 3}, WeightNorm::kUnitMean), ElementsAre(0.5, 1.5));
  EXPECT_THAT(normalised({1, 3}, WeightNorm::kNone), ElementsAre(1, 3));
  EXPECT_THROW((void)normalised({1, -1}, WeightNorm::kUnitSum), Error);
}

}  // namespace
}  // namespace askos::model
