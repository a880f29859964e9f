// SPDX-License-Identifier: Apache-2.0
#include "layouts.hpp"
#include "parity_case.hpp"
#include "random_graph.hpp"
#include "ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/model/trainer.hpp>

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numbers>
#include <optional>

namespace askos::model::test {
namespace {

/// The reference's twenty steps: tests/parity/training/adamw.json.
struct ReferenceRun {
  ReferenceRun() : json(read_json(kParityFolder / "training" / "adamw.json")) {
    options.learning_rate = {.kind = LearningRate::Kind::kCosineFromStart,
                             .peak = json["optimizer"]["lr"],
                             .floor = json["schedule"]["lr_min"],
                             .warmup_steps = json["schedule"]["warmup_t"],
                             .total_steps = json["schedule"]["t_initial"]};
    options.adamw = {.beta1 = json["optimizer"]["betas"][0],
                     .beta2 = json["optimizer"]["betas"][1],
                     .epsilon = json["optimizer"]["eps"],
                     .weight_decay = json["optimizer"]["weight_decay"]};
  }

  nlohmann::json json;
  TrainerOptions options;
  ParityCase parity{"base"};
};

/// One rank's model of the case, ready to train.
struct Training {
  Training(const ReferenceRun& reference,
           comm::Communicator& ranks,
           bool float64,
           double average_decay = 0)
      : network(reference.parity.config, reference.parity.graph, ranks, {.float64 = float64}) {
    const NamedTensors& io = reference.parity.io.all();
    const comm::Range own = network.own_data();
    const auto shard_of = [&](const char* name) {
      return io.at(name)
          .squeeze(2)
          .narrow(2, own.begin, own.size())
          .to(float64 ? at::kDouble : at::kFloat);
    };
    network.parameters().load(reference.parity.weights);
    batch = {.input = shard_of("x"), .target = shard_of("target")};
    TrainerOptions options = reference.options;
    options.bucket_bytes = 100'000;  // several buckets
    options.average_decay = average_decay;
    options.scalers = {
        {"node_weights",
         io.at("loss.node_weights").narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
        variable_weights(doubles(io.at("loss.variable_weights"))),
        time_weights(doubles(io.at("loss.time_weights")))};
    trainer.emplace(network, ranks, options);
  }

  Network network;
  Batch batch;
  std::optional<Trainer> trainer;
};

/// Trains `num_steps` and returns the losses, which must be the same on all ranks.
std::vector<double> losses(const ReferenceRun& reference,
                           int num_ranks,
                           bool float64,
                           int num_steps = 20) {
  std::vector<std::vector<double>> found(static_cast<std::size_t>(num_ranks));
  run_ranks(num_ranks, [&](comm::Communicator& ranks) {
    Training training(reference, ranks, float64);
    auto& own = found[static_cast<std::size_t>(ranks.rank())];
    for (int s = 0; s < num_steps; ++s) {
      own.push_back(training.trainer->train_step(training.batch).loss);
    }
    own.push_back(training.trainer->loss(training.batch));
  });
  for (const auto& of_rank : found) EXPECT_EQ(of_rank, found[0]);
  return found[0];
}

TEST(LearningRate, FollowsTheReferenceSchedule) {
  const ReferenceRun reference;
  const std::vector<double> expected = reference.json["lr"];
  for (std::size_t t = 0; t < expected.size(); ++t) {
    EXPECT_NEAR(reference.options.learning_rate.at(static_cast<std::int64_t>(t)), expected[t],
                1e-18);  // two roundings of 1e-3
  }
  EXPECT_EQ(reference.options.learning_rate.at(30), 1e-5);
  EXPECT_EQ(reference.options.learning_rate.at(1000), 1e-5);
}

TEST(LearningRate, RisesThenFallsToTheFloor) {
  const LearningRate rate = {.peak = 1, .floor = 0, .warmup_steps = 4, .total_steps = 12};
  EXPECT_EQ(rate.at(0), 0.25);
  EXPECT_EQ(rate.at(3), 1);
  EXPECT_EQ(rate.at(4), 1);
  EXPECT_DOUBLE_EQ(rate.at(8), 0.5);
  EXPECT_EQ(rate.at(12), 0);
}

TEST(Trainer, FollowsTheReferenceForTwentySteps) {
  const ReferenceRun reference;
  const std::vector<double> expected = reference.json["loss"];
  const std::vector<double> found = losses(reference, 1, false);
  for (std::size_t s = 0; s < expected.size(); ++s) {
    // Adam divides by the gradient's size: rounding of small gradients grows, step by step.
    EXPECT_NEAR(found[s] / expected[s], 1, 2e-5) << "step " << s;
  }
  EXPECT_NEAR(found.back() / double(reference.json["loss_after"]), 1, 2e-5);
}

TEST(Trainer, FollowsTheReferenceInFloat64) {
  const ReferenceRun reference;
  const std::vector<double> expected = reference.json["loss_fp64"];
  const std::vector<double> found = losses(reference, 1, true);
  for (std::size_t s = 0; s < expected.size(); ++s) {
    // The gradient of lin_key.bias is rounding noise that Adam blows up; it has no effect but
    // noise.
    EXPECT_NEAR(found[s] / expected[s], 1, 1e-10) << "step " << s;
  }
  EXPECT_NEAR(found.back() / double(reference.json["loss_after_fp64"]), 1, 1e-10);
}

TEST(Trainer, TrainsTheSameOnAnyNumberOfRanks) {
  const ReferenceRun reference;
  const std::vector<double> expected64 = losses(reference, 1, true);
  const std::vector<double> expected32 = losses(reference, 1, false);
  for (const int num_ranks : {2, 3, 5}) {
    const auto found64 = losses(reference, num_ranks, true);
    const auto found32 = losses(reference, num_ranks, false);
    for (std::size_t s = 0; s < expected64.size(); ++s) {
      EXPECT_NEAR(found64[s] / expected64[s], 1, 1e-11) << num_ranks << " ranks, step " << s;
      EXPECT_NEAR(found32[s] / expected32[s], 1, 1e-5) << num_ranks << " ranks, step " << s;
    }
  }
}

TEST(Trainer, RepeatsBitByBitOnOneLayout) {
  const ReferenceRun reference;
  EXPECT_EQ(losses(reference, 3, false, 5), losses(reference, 3, false, 5));
}

TEST(Trainer, GoesOnBitByBitFromItsState) {
  const ReferenceRun reference;
  const std::vector<double> expected = losses(reference, 2, false, 8);
  std::vector<double> found(2);
  run_ranks(2, [&](comm::Communicator& ranks) {
    NamedTensors state;
    {
      Training first(reference, ranks, false);
      for (int s = 0; s < 4; ++s) (void)first.trainer->train_step(first.batch);
      state = first.trainer->state();
    }
    Training second(reference, ranks, false);
    second.trainer->load_state(state);
    EXPECT_EQ(second.trainer->step(), 4);
    double loss = 0;
    for (int s = 4; s < 8; ++s) loss = second.trainer->train_step(second.batch).loss;
    EXPECT_EQ(loss, expected[7]);
    EXPECT_EQ(second.trainer->loss(second.batch), expected[8]);
    state.erase("optimiser.step");
    EXPECT_THROW(second.trainer->load_state(state), Error);
  });
}

TEST(Trainer, SplitsABatchOverModelsAsOneModelTakesIt) {
  // Two models of two ranks, three samples of unequal weight and a null sample, against one rank.
  const ReferenceRun reference;
  const auto batch_of = [](const Batch& one, const std::vector<double>& weights) {
    Batch batch = {.input = {}, .target = {}, .weights = weights};
    std::vector<at::Tensor> inputs;
    for (const double weight : weights) inputs.push_back(one.input * (1 + weight));
    batch.input = at::cat(inputs, 0);
    batch.target = one.target.expand({batch.input.size(0), -1, -1, -1});
    return batch;
  };
  std::vector<double> expected;
  run_ranks(1, [&](comm::Communicator& ranks) {
    Training training(reference, ranks, true);
    const Batch batch = batch_of(training.batch, {1, 0.5, 2});
    for (int s = 0; s < 5; ++s) expected.push_back(training.trainer->train_step(batch).loss);
  });
  run_ranks(4, [&](comm::Communicator& ranks) {
    const bool second = ranks.rank() >= 2;
    const auto model_ranks = ranks.split(second ? 1 : 0, "model");
    Training training(reference, *model_ranks, true);
    TrainerOptions options = reference.options;
    const comm::Range own = training.network.own_data();
    options.scalers = {{"node_weights", reference.parity.io.at("loss.node_weights")
                                            .narrow(0, own.begin, own.size())
                                            .view({1, 1, -1, 1})},
                       variable_weights(doubles(reference.parity.io.at("loss.variable_weights")))};
    training.trainer.reset();
    Trainer trainer(training.network, ranks, options);
    const Batch batch =
        second ? batch_of(training.batch, {2, 0}) : batch_of(training.batch, {1, 0.5});
    for (const double loss : expected) {
      EXPECT_NEAR(trainer.train_step(batch).loss / loss, 1, 1e-11);
    }
  });
}

TEST(Trainer, AccumulatesBatchesToTheStepOfBothTogether) {
  const ReferenceRun reference;
  const auto values_after = [&](bool together) {
    NamedTensors state;
    run_ranks(2, [&](comm::Communicator& ranks) {
      Training training(reference, ranks, true);
      Batch other = training.batch;
      other.input = other.input.flip(1);
      for (int step = 0; step < 3; ++step) {
        if (together) {
          (void)training.trainer->train_step(
              {.input = at::cat({training.batch.input, other.input}),
               .target = at::cat({training.batch.target, other.target})});
        } else {
          training.trainer->accumulate(training.batch);
          (void)training.trainer->train_step(other);
        }
      }
      if (ranks.rank() == 0) state = training.trainer->state();
    });
    return state;
  };
  const auto together = values_after(true);
  for (const auto& [name, tensor] : values_after(false)) {
    // Vanishing gradients (lin_key.bias) are rounding noise that Adam blows up to the step size.
    if (name.find("lin_key.bias") != std::string::npos) continue;
    EXPECT_LE(difference(tensor, together.at(name)), 1e-9) << name;
  }
}

TEST(Trainer, KeepsARunningMeanOfTheParameters) {
  const ReferenceRun reference;
  run_ranks(1, [&](comm::Communicator& ranks) {
    Training training(reference, ranks, true, 0.75);
    Trainer& trainer = *training.trainer;
    const std::string name = "processor.proc.0.lin_self.weight";
    at::Tensor mean = trainer.state().at(name);
    for (int step = 0; step < 3; ++step) {
      (void)trainer.train_step(training.batch);
      mean = 0.75 * mean + 0.25 * trainer.state().at(name);
    }
    EXPECT_LE(difference(forecast_weights(trainer.state()).at(name), mean), 1e-15);
    EXPECT_GT(difference(trainer.state().at(name), mean), 1e-6);

    Training later(reference, ranks, true, 0.75);
    later.trainer->load_state(trainer.state());
    EXPECT_EQ(difference(forecast_weights(later.trainer->state()).at(name),
                         forecast_weights(trainer.state()).at(name)),
              0);
  });
}

TEST(Trainer, ChangesNothingOnNullSamplesAlone) {
  const ReferenceRun reference;
  run_ranks(2, [&](comm::Communicator& ranks) {
    Training training(reference, ranks, false);
    (void)training.trainer->train_step(training.batch);
    const NamedTensors before = training.trainer->state();
    training.batch.weights = {0};
    EXPECT_EQ(training.trainer->train_step(training.batch).loss, 0);
    for (const auto& [name, tensor] : training.trainer->state()) {
      EXPECT_EQ(tensor.equal(before.at(name)), name != "optimiser.step") << name;
    }
  });
}

TEST(Trainer, ChangesNothingInAStepThatIsNotFiniteOnOneRank) {
  for (const auto clip : {std::optional<double>(), std::optional(1.0)}) {
    ReferenceRun reference;
    reference.options.clip.value = clip;
    run_ranks(3, [&](comm::Communicator& ranks) {
      Training training(reference, ranks, false, 0.75);
      Trainer& trainer = *training.trainer;
      EXPECT_TRUE(trainer.train_step(training.batch).is_finite);
      EXPECT_EQ(trainer.find_not_finite(), "");
      const NamedTensors before = trainer.state();
      Batch spoilt = training.batch;
      spoilt.input = spoilt.input.clone();
      if (ranks.rank() == 1) spoilt.input.view({-1})[0] = std::nan("");
      EXPECT_FALSE(trainer.train_step(spoilt).is_finite);
      EXPECT_THAT(trainer.find_not_finite(), ::testing::StartsWith("gradient of "));
      for (const auto& [name, tensor] : trainer.state()) {
        EXPECT_EQ(tensor.equal(before.at(name)), name != "optimiser.step") << name;
      }
      EXPECT_TRUE(trainer.train_step(training.batch).is_finite);
      trainer.go_back_to(before);
      for (const auto& [name, tensor] : trainer.state()) {
        EXPECT_EQ(tensor.equal(before.at(name)), name != "optimiser.step") << name;
      }
      EXPECT_EQ(trainer.step(), 3);
    });
  }
}

TEST(Trainer, GivesItsStateInShardsOfAboutTheSameSize) {
  const ReferenceRun reference;
  run_ranks(1, [&](comm::Communicator& ranks) {
    Training training(reference, ranks, false, 0.75);
    (void)training.trainer->train_step(training.batch);
    const NamedTensors whole = training.trainer->state();
    const auto size_of = [](const NamedTensors& tensors) {
      std::size_t size = 0;
      for (const auto& [name, tensor] : tensors) size += tensor.nbytes();
      return size;
    };
    std::size_t num_tensors = 0;
    for (int shard = 0; shard < 3; ++shard) {
      const NamedTensors part = training.trainer->state(shard, 3);
      EXPECT_LT(size_of(part), size_of(whole) / 2);
      num_tensors += part.size();
      for (const auto& [name, tensor] : part) EXPECT_TRUE(tensor.equal(whole.at(name))) << name;
    }
    EXPECT_EQ(num_tensors, whole.size());
  });
}

TEST(PrepareGradient, ScalesAndBoundsByValueThenByNorm) {
  std::vector<double> gradient = {8, -6, 0.5};
  // Halved: 4, -3, 0.25; bounded to 3: 3, -3, 0.25.
  const double norm = prepare_gradient(std::span(gradient), 0.5, {.value = 3, .norm = 1});
  EXPECT_DOUBLE_EQ(norm, std::sqrt(9 + 9 + 0.0625));
  EXPECT_NEAR(gradient[0], 3 / norm, 1e-6);  // torch adds 1e-6 to the norm
  EXPECT_NEAR(gradient[1], -3 / norm, 1e-6);
  EXPECT_NEAR(gradient[2], 0.25 / norm, 1e-6);
  std::vector<double> small = {0.1, 0.2};
  (void)prepare_gradient(std::span(small), 1, {.norm = 1});
  EXPECT_THAT(small, ::testing::ElementsAre(0.1, 0.2));
}

TEST(SquaredError, AppliesEveryScalerOnItsAxes) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{1});
  const auto random = [&](std::vector<std::int64_t> shape) {
    return at::randn(shape, generator, at::TensorOptions(at::kDouble));
  };
  // More rows than one block of the sum.
  at::Tensor prediction = random({2, 3, 301, 4}).set_requires_grad(true);
  const at::Tensor target = random({2, 3, 301, 4});
  std::vector<Scaler> scalers = {{"mask", random({2, 1, 301, 4})},
                                 {"node", random({1, 1, 301, 1})},
                                 {"time", random({1, 3, 1, 1})},
                                 {"variable", random({1, 1, 1, 4})}};
  const at::Tensor ours = squared_error(prediction, target, scalers);
  at::Tensor weighted = (prediction - target).square();
  for (const auto& scaler : scalers) weighted = weighted * scaler.values;
  const at::Tensor expected = weighted.mean(3).sum({1, 2});
  EXPECT_TRUE(at::allclose(ours, expected, 1e-12, 1e-12));
  const auto gradient = [&](const at::Tensor& loss) {
    return torch::autograd::grad({loss.dot(at::tensor({1.0, 3.0}))}, {prediction})[0];
  };
  EXPECT_TRUE(at::allclose(gradient(ours), gradient(expected), 1e-12, 1e-15));
  scalers.push_back({"wrong", random({1, 1, 300, 1})});
  EXPECT_THROW((void)squared_error(prediction, target, scalers), Error);
}

TEST(NodeWeights, AreSharesOfTheWholeGrid) {
  const Scaler scaler = node_weights({1, 2, 3, 4}, 1, 2);
  EXPECT_TRUE(scaler.values.equal(at::tensor({0.2, 0.3}, at::kDouble).view({1, 1, 2, 1})));
  EXPECT_THROW((void)node_weights({0, 0}, 0, 1), Error);
}

}  // namespace
}  // namespace askos::model::test
