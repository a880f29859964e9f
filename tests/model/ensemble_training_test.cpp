// SPDX-License-Identifier: Apache-2.0
// An ensemble's training does not depend on the ranks that share it out.
#include "random_graph.hpp"
#include "ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

namespace askos::model::test {
namespace {

ModelConfig ensemble_config() {
  ModelConfig config;
  config.variables = {.input = {"a", "b", "f"}, .output = {"b", "d", "a"}};
  config.num_channels = 12;
  config.num_layers = 2;
  for (BlockConfig* block : {&config.encoder, &config.processor, &config.decoder}) {
    *block = {.num_heads = 3, .mlp_hidden_ratio = 2, .edge_trainables = 2};
  }
  config.processor.num_chunks = 1;
  config.noise = {.kind = NoiseConfig::Kind::kConditioning};
  config.forecast_step = true;
  return config;
}

at::Tensor random(std::vector<std::int64_t> shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

/// Trains three rollouts of two forecasts, four members each, on `num_models` models of
/// `ranks_per_model` ranks; returns the losses.
std::vector<double> losses(int num_models, int ranks_per_model, int members = 4) {
  const Graph graph = RandomGraph(3).make(31, 11);
  std::vector<double> found;
  run_ranks(num_models * ranks_per_model, [&](comm::Communicator& ranks) {
    const int model = ranks.rank() / ranks_per_model;
    const auto model_ranks = ranks.split(model, "model");
    Network network(ensemble_config(), graph, *model_ranks, {.float64 = true, .seed = 5});
    const comm::Range own = network.own_data();
    Trainer trainer(network, ranks,
                    {.learning_rate = {.peak = 0.01},
                     .scalers = {node_weights(graph.data_weights, own.begin, own.size())},
                     .loss = {.error = members > 1 ? ErrorKind::kCrps : ErrorKind::kSquared},
                     .rollout = {.num_members = members, .noise_seed = 7}});
    // Two samples in all: one model takes both, two models one each.
    const std::int64_t batch = 2 / num_models;
    const auto part = [&](const at::Tensor& whole) {
      return whole.narrow(0, model * batch, batch).narrow(2, own.begin, own.size());
    };
    Batch samples = {.input = part(random({2, 2, 31, 3}, 1)),
                     .target = part(random({2, 2, 31, 3}, 2)),
                     .later = part(random({2, 2, 31, 3}, 3))};
    for (std::int64_t b = 0; b < batch; ++b) samples.samples.push_back(model * batch + b);
    for (int step = 0; step < 3; ++step) {
      const double loss = trainer.train_step(samples).loss;
      if (ranks.rank() == 0) found.push_back(loss);
    }
  });
  return found;
}

TEST(EnsembleTraining, IsTheSameOnAnyNumberOfRanksAndModels) {
  const auto expected = losses(1, 1);
  for (const auto& [models, ranks] : {std::pair{1, 2}, {1, 3}, {2, 1}, {2, 2}}) {
    const auto found = losses(models, ranks);
    for (std::size_t s = 0; s < expected.size(); ++s) {
      // float64 rounding; Adam magnifies that of small gradients.
      EXPECT_NEAR(found[s] / expected[s], 1, 1e-11) << models << " models, " << ranks << " ranks";
    }
  }
}

TEST(EnsembleTraining, DrawsFromItsSeedAlone) {
  EXPECT_EQ(losses(1, 1), losses(1, 1));
}

TEST(EnsembleTraining, DrawsAnewInEachStep) {
  const Graph graph = RandomGraph(3).make(31, 11);
  run_ranks(1, [&](comm::Communicator& ranks) {
    Network network(ensemble_config(), graph, ranks, {.float64 = true, .seed = 5});
    {
      const c10::AutoGradMode no_grad(false);  // norms that the noise does not reach at the start
      for (const auto& entry : network.parameters().all()) entry.tensor.add_(0.1);
    }
    Rollout rollout(network, {.num_members = 2, .noise_seed = 7});
    const auto forecast = [&](std::int64_t draw) {
      rollout.start(random({1, 2, 31, 3}, 1), {4}, draw);
      return rollout.forecast().detach();
    };
    EXPECT_TRUE(forecast(0).equal(forecast(0)));
    EXPECT_FALSE(forecast(0).equal(forecast(1)));
  });
}

}  // namespace
}  // namespace askos::model::test
