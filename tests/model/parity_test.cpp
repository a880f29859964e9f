// SPDX-License-Identifier: Apache-2.0
// The reference's own numbers (tests/parity/README.md), on any number of ranks, chunks and
// segments.
#include "layouts.hpp"
#include "parity_case.hpp"

namespace askos::model::test {
namespace {

/// A case as a problem: with the reference's weights, and its loss factors as stored.
Problem problem(const ParityCase& parity) {
  const auto stored = [&](const char* name) { return parity.io.at(name); };
  return {.config = parity.config,
          .graph = parity.graph,
          .weights = parity.weights,
          .x = stored("x").squeeze(2),  // one ensemble member
          .target = stored("target").squeeze(2),
          .node_factors = stored("loss.node_weights"),
          .variable_factors = detail::doubles(stored("loss.variable_weights")),
          .time_factors = detail::doubles(stored("loss.time_weights"))};
}

/// Checks a result against what the reference stored, by the rules of model.json.
void expect_reference(const ParityCase& parity, const Result& result, bool float64) {
  const auto& tolerance = parity.json["tolerance"];
  const auto stored = [&](const std::string& name) { return parity.io.at(name); };
  if (float64) {
    EXPECT_LE(difference(result.y, stored("y_fp64").squeeze(2)),
              double(tolerance["fp64"]["y_max_abs"]));
    const auto loss = stored("loss.value_fp64").item<double>();
    EXPECT_LE(std::abs(result.loss / loss - 1), double(tolerance["fp64"]["loss_rel"]));
  }
  EXPECT_LE(difference(result.y, stored("y").squeeze(2)), double(tolerance["y_max_abs"]));
  const auto loss = stored("loss.value").item<double>();
  EXPECT_LE(std::abs(result.loss / loss - 1), double(tolerance["loss_rel"]));
  EXPECT_LE(difference(result.grad_x, stored("grad.x").squeeze(2)),
            double(tolerance["grad_x_max_abs"]));

  double largest = 0;
  for (const std::string name : parity.json["parameters"]["names"]) {
    largest = std::max(largest, max_abs(stored("grad.param." + name)));
  }
  EXPECT_EQ(result.grad_parameters.size(), parity.json["parameters"]["names"].size());
  for (const std::string name : parity.json["parameters"]["names"]) {
    const at::Tensor reference = stored("grad.param." + name);
    const double scale =
        std::max(max_abs(reference), double(tolerance["grad_param_floor"]) * largest);
    EXPECT_LE(difference(result.grad_parameters.at(name), reference),
              double(tolerance["grad_param_rel"]) * scale)
        << name;
  }
}

class Parity : public ::testing::TestWithParam<std::string> {};

TEST_P(Parity, GivesTheReferenceNumbersInFloat32) {
  const ParityCase parity(GetParam());
  expect_reference(parity, run(problem(parity), {}, false), false);
}

TEST_P(Parity, GivesTheReferenceNumbersInFloat64) {
  const ParityCase parity(GetParam());
  expect_reference(parity, run(problem(parity), {}, true), true);
}

TEST_P(Parity, GivesTheReferenceNumbersOnThreeRanksInChunks) {
  const ParityCase parity(GetParam());
  expect_reference(
      parity, run(problem(parity), {.num_ranks = 3, .chunks = 2, .segments = 2}, false), false);
}

TEST_P(Parity, GivesTheSameNumbersOnAnyLayout) {
  const ParityCase parity(GetParam());
  const Result expected = run(problem(parity), {}, true);
  for (const Layout& layout : {
           Layout{.name = "composite attention", .attention = AttentionBackend::kComposite},
           Layout{.name = "one chunk", .chunks = 1, .segments = 1},
           Layout{.name = "five chunks", .chunks = 5, .segments = 2},
           Layout{.name = "two ranks", .num_ranks = 2},
           Layout{.name = "three ranks, two chunks", .num_ranks = 3, .chunks = 2, .segments = 1},
           Layout{.name = "four ranks, five chunks", .num_ranks = 4, .chunks = 5, .segments = 2},
           Layout{.name = "five ranks", .num_ranks = 5},
       }) {
    SCOPED_TRACE(layout.name);
    expect_same(run(problem(parity), layout, true), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases,
    Parity,
    ::testing::Values("base", "qknorm_chunks", "multistep_premlp", "tri_truncated"),
    [](const auto& test) { return test.param; });

TEST(Parity, StateHasTheReferenceNames) {
  for (const char* name : {"base", "qknorm_chunks", "multistep_premlp", "tri_truncated"}) {
    const ParityCase parity(name);
    run_ranks(1, [&](comm::Communicator& ranks) {
      Network network(parity.config, parity.graph, ranks);
      std::vector<std::string> parameters;
      for (const auto& entry : network.parameters().all()) parameters.push_back(entry.name);
      EXPECT_THAT(parameters,
                  ::testing::ElementsAreArray(
                      parity.json["parameters"]["names"].get<std::vector<std::string>>()));
      const NamedTensors state = network.parameters().state();
      EXPECT_EQ(state.size(), parity.weights.size());
      for (const auto& [key, tensor] : parity.weights) {
        ASSERT_TRUE(state.contains(key)) << key;
        EXPECT_EQ(state.at(key).sizes(), tensor.sizes()) << key;
      }
    });
  }
}

}  // namespace
}  // namespace askos::model::test
