// SPDX-License-Identifier: Apache-2.0
#include "parity/preprocessing_case.hpp"
#include "parity/training_case.hpp"

#include <askos/base/error.hpp>
#include <askos/model/preprocessing.hpp>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <limits>

namespace askos::model::test {
namespace {

const std::filesystem::path kFolder = ASKOS_PARITY_FOLDER;
const double kMissing = std::numeric_limits<double>::quiet_NaN();

void expect_passes(const std::vector<apps::Comparison>& rows) {
  EXPECT_FALSE(rows.empty());
  for (const auto& row : rows) {
    EXPECT_TRUE(row.passes()) << row.quantity << ": " << row.max_abs << " > " << row.tolerance;
  }
}

TEST(Preprocessing, GivesTheReferenceNumbers) {
  expect_passes(apps::run_preprocessing_case(kFolder / "preprocessing"));
  expect_passes(apps::run_preprocessing_case(kFolder / "remapping"));
}

TEST(Preprocessing, PredictsTheReferenceNumbers) {
  const auto model = apps::read_model_case(kFolder / "base");
  const auto json = apps::read_json(kFolder / "training" / "training.json");
  for (const int num_ranks : {1, 3}) {
    std::vector<apps::Comparison> rows;
    apps::run_prediction(model, kFolder / "training", {json.at("predict"), "predict."},
                         {.ranks = {.num_ranks = num_ranks}}, rows);
    expect_passes(rows);
  }
}

/// Variables a (both ways), f (forcing), d (diagnostic), in the order f, d, a.
Preprocessing make(const std::vector<Preprocessing::Step>& steps) {
  return {{"f", "d", "a"},
          {.input = {"f", "a"}, .output = {"d", "a"}},
          {.minimum = {-1, -2, -3}, .maximum = {4, 5, 6}, .mean = {1, 2, 3}, .stdev = {2, 4, 8}},
          steps};
}

at::Tensor fields(std::vector<double> values, std::int64_t num_variables) {
  return at::tensor(values, at::kDouble).view({1, 1, -1, num_variables});
}

TEST(Preprocessing, RefusesWhatAMappingDoesNotTake) {
  using Kind = Mapping::Kind;
  for (const auto& [kind, value] : {std::pair{Kind::kLog1p, -1.0},
                                    {Kind::kSqrt, -0.1},
                                    {Kind::kPower, -0.1},
                                    {Kind::kBoxCox, -0.1},
                                    {Kind::kAtanh, 1.1}}) {
    const Preprocessing preprocessing = make({RemapperConfig{{{"a", {.kind = kind}}}}});
    try {
      (void)preprocessing.apply(fields({-9, 0.5, -9, value}, 2), VariableSet::kInput);
      FAIL() << static_cast<int>(kind);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kInvalidInput);
      EXPECT_THAT(error.what(), ::testing::HasSubstr("variable=a"));
    }
  }
  EXPECT_THROW(make({RemapperConfig{{{"zz", {}}}}}), Error);
  EXPECT_THROW(make({RemapperConfig{{{"a", {.kind = Kind::kPower, .exponent = 0}}}}}), Error);
  EXPECT_THROW(make({RemapperConfig{{{"a", {.kind = Kind::kAffine, .scale = 0}}}}}), Error);
}

TEST(Preprocessing, ProcessesAShardLikeTheWhole) {
  const Preprocessing preprocessing =
      make({ImputerConfig{{{"a", {.kind = Filling::Kind::kMaximum}}}}, NormaliserConfig{}});
  const at::Tensor whole = fields({1, kMissing, 2, 3, 4, kMissing}, 2);
  const auto processed = preprocessing.apply(whole, VariableSet::kInput);
  const auto shard = preprocessing.apply(whole.narrow(2, 1, 2), VariableSet::kInput);
  EXPECT_TRUE(shard.x.equal(processed.x.narrow(2, 1, 2)));
  EXPECT_TRUE(shard.missing[0].equal(processed.missing[0].narrow(1, 1, 2)));
  EXPECT_EQ(processed.x[0][0][0][1].item<double>(), (6.0 - 3) / 8);
  EXPECT_TRUE(whole[0][0][0][1].isnan().item<bool>());  // the raw fields stay as they were
}

TEST(Preprocessing, BringsGapsBackWhereTheInputHadThem) {
  const Preprocessing preprocessing = make({ImputerConfig{{{"a", {}}, {"d", {}}}}});
  const auto processed = preprocessing.apply(fields({1, kMissing, 2, 3}, 2), VariableSet::kInput);
  const at::Tensor y = preprocessing.undo(fields({7, 8, 9, 10}, 2), processed.missing,
                                          VariableSet::kInput);  // d, a on two nodes
  EXPECT_TRUE(y[0][0][0][1].isnan().item<bool>());
  EXPECT_EQ(y.isnan().sum().item<std::int64_t>(), 1);
}

TEST(Preprocessing, TakesAwayTheLossOfReplacedValues) {
  const Preprocessing preprocessing = make({ImputerConfig{{{"a", {}}, {"d", {}}}}});
  const auto processed =
      preprocessing.apply(fields({1, kMissing, 2, 3, 4, kMissing}, 3), VariableSet::kAll);
  const at::Tensor mask = preprocessing.loss_mask(processed.missing, VariableSet::kAll);
  EXPECT_TRUE(mask.equal(fields({0, 1, 1, 0}, 2)));
}

TEST(Preprocessing, CopiesFromAnotherVariable) {
  const Preprocessing preprocessing =
      make({ImputerConfig{{{"a", {.kind = Filling::Kind::kCopy, .from = "f"}}}}});
  EXPECT_TRUE(preprocessing.apply(fields({5, kMissing}, 2), VariableSet::kInput)
                  .x.equal(fields({5, 5}, 2)));
  const Preprocessing from_output =
      make({ImputerConfig{{{"a", {.kind = Filling::Kind::kCopy, .from = "d"}}}}});
  EXPECT_THROW((void)from_output.apply(fields({5, kMissing}, 2), VariableSet::kInput), Error);
}

TEST(Preprocessing, RefusesGapsThatNothingFills) {
  try {
    (void)make({NormaliserConfig{}}).apply(fields({1, kMissing}, 2), VariableSet::kInput);
    FAIL();
  } catch (const Error& fault) {
    EXPECT_THAT(fault.what(), ::testing::HasSubstr("a"));
    EXPECT_EQ(fault.code(), Errc::kInvalidInput);
  }
}

TEST(Preprocessing, RefusesUnknownNamesAndUselessStatistics) {
  EXPECT_THROW(make({NormaliserConfig{.methods = {{"x", NormaliserConfig::Method::kStd}}}}), Error);
  EXPECT_THROW(make({NormaliserConfig{.remap = {{"a", "x"}}}}), Error);
  EXPECT_THROW(make({ImputerConfig{{{"x", {}}}}}), Error);
  const Variables variables = {.input = {"a"}, .output = {"a"}};
  EXPECT_THROW(Preprocessing({"a"}, variables, {{0}, {1}, {0}, {0}}, {NormaliserConfig{}}), Error);
  EXPECT_THROW(Preprocessing({"a"}, variables, {{0}, {1}, {0}, {}}, {}), Error);
}

TEST(Preprocessing, TakesItsStateFromAnother) {
  const Preprocessing one = make({NormaliserConfig{}});
  Preprocessing other = make({NormaliserConfig{.method = NormaliserConfig::Method::kNone}});
  other.load_state("data", one.state("data"));
  const at::Tensor raw = fields({1, 2, 3, 4}, 2);
  EXPECT_TRUE(other.apply(raw, VariableSet::kInput).x.equal(one.apply(raw, VariableSet::kInput).x));
  NamedTensors state = one.state("data");
  state.erase("pre_processors.data.processors.normalizer._norm_add");
  EXPECT_THROW(other.load_state("data", state), Error);
}

}  // namespace
}  // namespace askos::model::test
