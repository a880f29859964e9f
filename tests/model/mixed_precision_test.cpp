// SPDX-License-Identifier: Apache-2.0
// Steps whose linear layers multiply in 16 bits.
#include "loss_scale.hpp"
#include "parity_case.hpp"
#include "ranks.hpp"

#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

namespace askos::model::test {
namespace {

/// One rank's part of the training that tests/parity/training/adamw.json describes, without its
/// schedule. Pieces are recomputed: their second pass must round as the first.
struct Training {
  Training(const ParityCase& parity, comm::Communicator& ranks, Precision precision)
      : network(in_pieces(parity.config), parity.graph, ranks) {
    const NamedTensors& io = parity.io.all();
    const comm::Range own = network.own_data();
    const auto shard_of = [&](const char* name) {
      return io.at(name).squeeze(2).narrow(2, own.begin, own.size());
    };
    network.parameters().load(parity.weights);
    batch = {.input = shard_of("x"), .target = shard_of("target")};
    trainer.emplace(
        network, ranks,
        TrainerOptions{.learning_rate = {.kind = LearningRate::Kind::kConstant},
                       .scalers = {{"node_weights", io.at("loss.node_weights")
                                                        .narrow(0, own.begin, own.size())
                                                        .view({1, 1, -1, 1})},
                                   variable_weights(doubles(io.at("loss.variable_weights")))},
                       .precision = precision});
  }

  static ModelConfig in_pieces(ModelConfig config) {
    config.encoder.num_chunks = config.decoder.num_chunks = 2;
    config.processor.num_chunks = 1;
    return config;
  }

  Network network;
  Batch batch;
  std::optional<Trainer> trainer;
};

std::vector<double> losses(const ParityCase& parity, int num_ranks, Precision precision) {
  constexpr int kSteps = 8;
  std::vector<double> found;
  run_ranks(num_ranks, [&](comm::Communicator& ranks) {
    Training training(parity, ranks, precision);
    std::vector<double> own;
    for (int s = 0; s < kSteps; ++s) {
      const StepResult result = training.trainer->train_step(training.batch);
      EXPECT_FALSE(result.is_skipped) << "step " << s;
      EXPECT_EQ(result.loss_scale, precision == Precision::kFloat16 ? 65536 : 1);
      own.push_back(result.loss);
    }
    own.push_back(training.trainer->loss(training.batch));
    if (ranks.rank() == 0) found = own;
  });
  return found;
}

class MixedPrecision : public ::testing::TestWithParam<Precision> {
 protected:
  ParityCase parity_{"base"};
};

TEST_P(MixedPrecision, StaysNearTheLossesOfFloat32OnAnyNumberOfRanks) {
  const auto expected = losses(parity_, 1, Precision::kModel);
  EXPECT_LT(expected.back(), 0.9 * expected.front());  // it learns
  for (const int num_ranks : {1, 3}) {
    const auto found = losses(parity_, num_ranks, GetParam());
    EXPECT_NE(found, expected);
    for (std::size_t s = 0; s < expected.size(); ++s) {
      EXPECT_NEAR(found[s] / expected[s], 1, 0.02) << num_ranks << " ranks, step " << s;
    }
  }
}

TEST_P(MixedPrecision, GoesOnBitByBitFromItsState) {
  run_ranks(2, [&](comm::Communicator& ranks) {
    Training first(parity_, ranks, GetParam());
    for (int s = 0; s < 2; ++s) (void)first.trainer->train_step(first.batch);
    Training second(parity_, ranks, GetParam());
    second.trainer->load_state(first.trainer->state());
    EXPECT_EQ(second.trainer->train_step(second.batch).loss,
              first.trainer->train_step(first.batch).loss);
    EXPECT_EQ(second.trainer->loss(second.batch), first.trainer->loss(first.batch));
  });
}

INSTANTIATE_TEST_SUITE_P(Types,
                         MixedPrecision,
                         ::testing::Values(Precision::kBFloat16, Precision::kFloat16),
                         [](const auto& test) {
                           return test.param == Precision::kFloat16 ? "Float16" : "BFloat16";
                         });

TEST(LossScaling, SkipsStepsThatOverflowUntilTheScaleFits) {
  const ParityCase parity("base");
  run_ranks(2, [&](comm::Communicator& ranks) {
    Training training(parity, ranks, Precision::kFloat16);
    NamedTensors state = training.trainer->state();
    state["optimiser.loss_scale"] = at::tensor({1e12, 7.0}, at::kDouble);
    training.trainer->load_state(state);
    const double before = training.trainer->loss(training.batch);
    double scale = 1e12;
    StepResult result;
    for (int s = 0; s < 40; ++s) {
      result = training.trainer->train_step(training.batch);
      EXPECT_EQ(result.loss_scale, scale);
      if (!result.is_skipped) break;
      scale /= 2;
      EXPECT_EQ(training.trainer->loss(training.batch), before);  // no parameter has changed
      EXPECT_EQ(result.gradient_norm, 0);
    }
    EXPECT_LT(scale, 1e12);
    EXPECT_FALSE(result.is_skipped);
    EXPECT_LT(training.trainer->loss(training.batch), before);
  });
}

TEST(LossScale, FallsAtOnceAndRisesAfterManySteps) {
  LossScale scale;
  EXPECT_FALSE(scale.accept(false));
  EXPECT_EQ(scale.state().factor, 32768);
  for (int s = 0; s < 1999; ++s) EXPECT_TRUE(scale.accept(true));
  EXPECT_EQ(scale.state().factor, 32768);
  EXPECT_TRUE(scale.accept(true));
  EXPECT_EQ(scale.state().factor, 65536);
  EXPECT_EQ(scale.state().num_accepted, 0);
}

}  // namespace
}  // namespace askos::model::test
