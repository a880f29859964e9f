// SPDX-License-Identifier: Apache-2.0
// The reference's own numbers (tests/parity/README.md), on any number of ranks, chunks and
// segments.
#include "layouts.hpp"
#include "parity_case.hpp"

#include <askos/model/input_advance.hpp>

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
          .variable_factors = doubles(stored("loss.variable_weights")),
          .time_factors = doubles(stored("loss.time_weights"))};
}

/// Checks gradients of all parameters by the rule of model.json.
void expect_gradients(const NamedTensors& ours,
                      const NamedTensors& stored,
                      const nlohmann::json& tolerance) {
  double largest = 0;
  for (const auto& [name, unused] : ours) {
    largest = std::max(largest, max_abs(stored.at("grad.param." + name)));
  }
  for (const auto& [name, gradient] : ours) {
    const at::Tensor reference = stored.at("grad.param." + name);
    const double scale =
        std::max(max_abs(reference), double(tolerance["grad_param_floor"]) * largest);
    EXPECT_LE(difference(gradient, reference), double(tolerance["grad_param_rel"]) * scale) << name;
  }
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

  EXPECT_EQ(result.grad_parameters.size(), parity.json["parameters"]["names"].size());
  expect_gradients(result.grad_parameters, parity.io.all(), tolerance);
}

/// Two segments of layers, or three where two do not divide them.
int several_segments(const ParityCase& parity) {
  return parity.config.num_layers % 2 == 0 ? 2 : 3;
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
  expect_reference(parity,
                   run(problem(parity),
                       {.num_ranks = 3, .chunks = 2, .segments = several_segments(parity)}, false),
                   false);
}

TEST_P(Parity, GivesTheSameNumbersOnAnyLayout) {
  const ParityCase parity(GetParam());
  const Result expected = run(problem(parity), {}, true);
  for (const Layout& layout : {
           Layout{.name = "composite attention", .attention = AttentionBackend::kComposite},
           Layout{.name = "one chunk", .chunks = 1, .segments = 1},
           Layout{.name = "five chunks", .chunks = 5, .segments = several_segments(parity)},
           Layout{.name = "two ranks", .num_ranks = 2},
           Layout{.name = "three ranks, two chunks", .num_ranks = 3, .chunks = 2, .segments = 1},
           Layout{.name = "four ranks, five chunks",
                  .num_ranks = 4,
                  .chunks = 5,
                  .segments = several_segments(parity)},
           Layout{.name = "five ranks", .num_ranks = 5},
           Layout{
               .name = "three ranks by heads", .num_ranks = 3, .strategy = ShardStrategy::kHeads},
           Layout{.name = "five ranks by heads, five chunks",
                  .num_ranks = 5,
                  .chunks = 5,
                  .segments = several_segments(parity),
                  .strategy = ShardStrategy::kHeads},
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

/// Three steps of forecast from its own forecasts, gradients through all of them.
class Rollout : public ::testing::TestWithParam<Layout> {};

TEST_P(Rollout, GivesTheReferenceGradients) {
  const ParityCase parity("base");
  const NamedTensors stored = read_tensors(kParityFolder / "training" / "rollout.safetensors");
  const auto json = read_json(kParityFolder / "training" / "training.json")["rollout"];
  const auto positions = [&](const char* name) {
    return at::tensor(parity.json["variables"][name].get<std::vector<std::int64_t>>(), at::kLong);
  };
  const Layout& layout = GetParam();
  ModelConfig config = parity.config;
  config.encoder.num_chunks = config.decoder.num_chunks = layout.chunks;
  config.processor.num_chunks = layout.segments;
  std::vector<NamedTensors> gradients(static_cast<std::size_t>(layout.num_ranks));
  std::vector<double> losses(gradients.size());
  run_ranks(layout.num_ranks, [&](comm::Communicator& ranks) {
    Network network(config, parity.graph, ranks);
    network.parameters().load(parity.weights);
    const comm::Range own = network.own_data();
    const at::Tensor batch = stored.at("batch").squeeze(2).narrow(2, own.begin, own.size());
    const auto scalers = std::vector<Scaler>{
        {"node_weights",
         stored.at("loss.node_weights").narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
        variable_weights(doubles(stored.at("loss.variable_weights")))};
    const InputAdvance advance(config);
    at::Tensor x = batch.narrow(1, 0, 2).index_select(3, positions("data_input_full"));
    at::Tensor loss = at::zeros({}, at::kDouble);
    for (std::int64_t step = 0; step < 3; ++step) {
      const at::Tensor y = network.forward(x);
      const std::string suffix = std::to_string(step);
      EXPECT_LE(difference(y.detach(),
                           stored.at("y." + suffix).squeeze(2).narrow(2, own.begin, own.size())),
                double(json["tolerance"]["y_max_abs"]));
      const at::Tensor truth = batch.narrow(1, 2 + step, 1);
      loss =
          loss +
          squared_error(y, truth.index_select(3, positions("data_output_full")), scalers).mean() /
              3;
      x = advance(x, y, truth.index_select(3, positions("data_input_full")));
    }
    torch::autograd::backward({loss}, {});
    const auto r = static_cast<std::size_t>(ranks.rank());
    losses[r] = loss.item<double>();
    for (const auto& [name, tensor] : network.parameters().all())
      gradients[r][name] = tensor.grad();
  });
  double loss = 0;
  for (const double part : losses) loss += part;
  const double expected = stored.at("loss.value").item<double>();
  EXPECT_LE(std::abs(loss / expected - 1), double(json["tolerance"]["loss_rel"]));
  NamedTensors sums = gradients[0];
  for (std::size_t r = 1; r < gradients.size(); ++r) {
    for (auto& [name, sum] : sums) sum = sum + gradients[r].at(name);
  }
  expect_gradients(sums, stored, json["tolerance"]);
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         Rollout,
                         ::testing::Values(Layout{.name = "OneRank"},
                                           Layout{.name = "ThreeRanksInChunks",
                                                  .num_ranks = 3,
                                                  .chunks = 2,
                                                  .segments = 1}),
                         [](const auto& test) { return test.param.name; });

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
