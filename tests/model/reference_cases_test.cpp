// SPDX-License-Identifier: Apache-2.0
// Cases with options beyond the first four (tests/parity/README.md), on several layouts.
#include "parity/cases.hpp"
#include "ranks.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace askos::model::test {
namespace {

const std::filesystem::path kCases = ASKOS_PARITY_FOLDER;

class ReferenceCase : public ::testing::TestWithParam<std::string> {
 protected:
  apps::ModelCase model_ = apps::read_model_case(kCases / GetParam());
};

TEST_P(ReferenceCase, PassesOnEveryLayout) {
  for (const auto strategy : {ShardStrategy::kEdges, ShardStrategy::kHeads}) {
    for (const int num_ranks : {1, 2, 3, 4}) {
      for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
        // One chunk recomputes in backward; two also cut uneven shards.
        apps::ParityOptions options = {.ranks = {.num_ranks = num_ranks},
                                       .chunks = num_ranks % 2 + 1,
                                       .segments = 1,
                                       .strategy = strategy,
                                       .dtype = dtype};
        for (const auto& row : apps::run_model_case(model_, options)) {
          EXPECT_TRUE(row.passes())
              << row.quantity << ": " << row.max_abs << " > " << row.tolerance << " on "
              << num_ranks << " ranks, " << (strategy == ShardStrategy::kEdges ? "edges" : "heads");
        }
      }
    }
  }
}

TEST_P(ReferenceCase, HasTheReferenceNames) {
  run_ranks(1, [&](comm::Communicator& ranks) {
    const Network network(model_.config, model_.graph, ranks);
    std::vector<std::string> names;
    for (const auto& entry : network.parameters().all()) names.push_back(entry.name);
    auto expected = model_.json.at("parameters").at("names").get<std::vector<std::string>>();
    std::erase_if(expected, [&](const std::string& name) {  // not trained: a buffer here
      return std::ranges::find(names, name) == names.end() &&
             apps::max_abs(model_.io.at("grad.param." + name)) == 0;
    });
    EXPECT_THAT(names, ::testing::ElementsAreArray(expected));
    const NamedTensors state = network.parameters().state();
    EXPECT_EQ(state.size(), model_.weights.size());
    for (const auto& [name, tensor] : model_.weights) {
      ASSERT_TRUE(state.contains(name)) << name;
      EXPECT_EQ(state.at(name).sizes(), tensor.sizes()) << name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Cases,
                         ReferenceCase,
                         ::testing::Values("ensemble",
                                           "huber",
                                           "limited_area",
                                           "limits",
                                           "low_pass",
                                           "mean_latent",
                                           "octahedral",
                                           "single_channels",
                                           "spectral",
                                           "two_datasets"),
                         [](const auto& test) { return test.param; });

void expect_passes(const std::vector<apps::Comparison>& rows) {
  EXPECT_FALSE(rows.empty());
  for (const auto& row : rows) {
    EXPECT_TRUE(row.passes()) << row.quantity << ": " << row.max_abs << " > " << row.tolerance;
  }
}

TEST(CombinedLosses, PassOnAnyNumberOfRanks) {
  for (const int num_ranks : {1, 2, 3, 5}) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      SCOPED_TRACE(num_ranks);
      expect_passes(apps::run_case(kCases / "combined_losses",
                                   {.ranks = {.num_ranks = num_ranks}, .dtype = dtype}));
    }
  }
}

TEST(Scalers, AreTheReferenceNumbers) {
  expect_passes(apps::run_case(kCases / "scalers", {}));
}

}  // namespace
}  // namespace askos::model::test
