// SPDX-License-Identifier: Apache-2.0
// Losses against the same formulas in LibTorch operations, on shards, and in memory.
#include "loss_tensors.hpp"
#include "ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/partition.hpp>
#include <askos/model/loss.hpp>
#include <askos/model/memory.hpp>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <numeric>

namespace askos::model::test {
namespace {

at::Tensor random(std::vector<std::int64_t> shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

at::Tensor gradient(const at::Tensor& loss, const at::Tensor& prediction) {
  return torch::autograd::grad({loss.sum()}, {prediction}, {}, /*retain_graph=*/true)[0];
}

/// Fields with more rows than one block of the sum has.
struct Fields {
  at::Tensor prediction = random({2, 3, 301, 4}, 1).set_requires_grad(true);
  at::Tensor target = random({2, 3, 301, 4}, 2);
  std::vector<Scaler> scalers = {{"mask", random({2, 1, 301, 4}, 3)},
                                 {"node", random({1, 1, 301, 1}, 4)},
                                 {"time", random({1, 3, 1, 1}, 5)},
                                 {"variable", random({1, 1, 1, 4}, 6)}};
  [[nodiscard]] at::Tensor scaled(at::Tensor error) const {
    for (const auto& scaler : scalers) error = error * scaler.values;
    return error;
  }
};

/// The loss as a device computes it, from LibTorch operations; here on the CPU.
at::Tensor loss_of_tensors(const Fields& fields, const LossOptions& options) {
  LossPlan plan = {.options = options, .variables = options.variables};
  if (options.error == ErrorKind::kCrps) plan.members = fields.prediction.size(2);
  if (plan.variables.empty()) {
    plan.variables.resize(static_cast<std::size_t>(fields.target.size(3)));
    std::iota(plan.variables.begin(), plan.variables.end(), 0);
  }
  std::vector<at::Tensor> scalers;
  for (const auto& scaler : fields.scalers) scalers.push_back(scaler.values);
  return partial_loss_of_tensors(fields.prediction, fields.target, scalers, plan);
}

struct Kind {
  const char* name;
  LossOptions options;
  std::function<at::Tensor(const at::Tensor&)> of_difference;
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class PointwiseLoss : public ::testing::TestWithParam<Kind> {};

TEST_P(PointwiseLoss, EqualsItsFormulaWithEveryScaler) {
  const Fields fields;
  const at::Tensor error =
      fields.scaled(GetParam().of_difference(fields.prediction - fields.target));
  LossOptions options = GetParam().options;
  const auto expect = [&](const at::Tensor& expected) {
    const at::Tensor ours = partial_loss(fields.prediction, fields.target, fields.scalers, options);
    EXPECT_TRUE(at::allclose(ours, expected, 1e-12, 1e-12));
    EXPECT_TRUE(at::allclose(gradient(ours, fields.prediction),
                             gradient(expected, fields.prediction), 1e-12, 1e-15));
    const at::Tensor of_tensors = loss_of_tensors(fields, options);
    EXPECT_TRUE(at::allclose(of_tensors, ours, 1e-12, 1e-12));
    EXPECT_TRUE(at::allclose(gradient(of_tensors, fields.prediction),
                             gradient(ours, fields.prediction), 1e-12, 1e-15));
  };
  expect(error.mean(3).sum({1, 2}));
  options.sum_variables = true;
  expect(error.sum({1, 2, 3}));
  options.per_variable = true;
  expect(error.sum({1, 2}));
  options.variables = {3, 1};
  expect(error.index_select(3, at::tensor({3, 1})).sum({1, 2}));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    PointwiseLoss,
    ::testing::Values(
        Kind{"Squared", {}, [](const auto& d) { return d.square(); }},
        Kind{"Absolute", {.error = ErrorKind::kAbsolute}, [](const auto& d) { return d.abs(); }},
        Kind{"LogCosh",
             {.error = ErrorKind::kLogCosh},
             [](const auto& d) { return d.cosh().log(); }},
        Kind{"Huber",
             {.error = ErrorKind::kHuber, .huber_delta = 0.7},
             [](const auto& d) { return at::huber_loss(d, at::zeros_like(d), 0, 0.7); }}),
    [](const auto& test) { return test.param.name; });

TEST(PartialLoss, LeavesOutScalersByName) {
  const Fields fields;
  LossOptions options = {.without_scalers = {"mask", "time"}};
  const std::vector<Scaler> kept = {fields.scalers[1], fields.scalers[3]};
  EXPECT_TRUE(partial_loss(fields.prediction, fields.target, fields.scalers, options)
                  .equal(squared_error(fields.prediction, fields.target, kept)));
  options.without_scalers = {"masks"};
  EXPECT_THROW((void)partial_loss(fields.prediction, fields.target, fields.scalers, options),
               Error);
}

TEST(PartialLoss, PassesOverWhatIsNotANumberIfAsked) {
  const Fields fields;
  const at::Tensor hole = at::zeros_like(fields.target).to(at::kBool);
  hole.narrow(2, 5, 40).fill_(true);
  const at::Tensor target = fields.target.masked_fill(hole, std::nan(""));
  const at::Tensor zeros = at::where(hole, 0, (fields.prediction - fields.target).square());
  const at::Tensor expected = fields.scaled(zeros).mean(3).sum({1, 2});
  const at::Tensor ours =
      partial_loss(fields.prediction, target, fields.scalers, {.ignore_nans = true});
  EXPECT_TRUE(at::allclose(ours, expected, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(gradient(ours, fields.prediction), gradient(expected, fields.prediction),
                           1e-12, 1e-15));
  EXPECT_TRUE(squared_error(fields.prediction, target, {}).isnan().all().item<bool>());
  Fields with_hole = fields;
  with_hole.target = target;
  const at::Tensor of_tensors = loss_of_tensors(with_hole, {.ignore_nans = true});
  EXPECT_TRUE(at::allclose(of_tensors, expected, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(gradient(of_tensors, fields.prediction),
                           gradient(expected, fields.prediction), 1e-12, 1e-15));
}

/// The kernel CRPS as usually written: mean error minus a share of the mean distance of members.
at::Tensor crps(const at::Tensor& prediction, const at::Tensor& target, double alpha) {
  const auto members = static_cast<double>(prediction.size(2));
  const at::Tensor error = (prediction - target.unsqueeze(2)).abs().mean(2);
  const at::Tensor distance = (prediction.unsqueeze(2) - prediction.unsqueeze(3)).abs().sum({2, 3});
  return error -
         distance / 2 * (alpha / (members * (members - 1)) + (1 - alpha) / (members * members));
}

TEST(PartialLoss, ScoresEnsemblesByTheirCrps) {
  for (const double alpha : {0.0, 0.95, 1.0}) {
    for (const std::int64_t members : {2, 5}) {
      Fields fields;
      fields.prediction = random({2, 3, members, 301, 4}, 7).set_requires_grad(true);
      const LossOptions options = {.error = ErrorKind::kCrps, .crps_alpha = alpha};
      const at::Tensor ours =
          partial_loss(fields.prediction, fields.target, fields.scalers, options);
      const at::Tensor expected =
          fields.scaled(crps(fields.prediction, fields.target, alpha)).mean(3).sum({1, 2});
      EXPECT_TRUE(at::allclose(ours, expected, 1e-11, 1e-11));
      EXPECT_TRUE(at::allclose(gradient(ours, fields.prediction),
                               gradient(expected, fields.prediction), 1e-11, 1e-14));
      const at::Tensor of_tensors = loss_of_tensors(fields, options);
      EXPECT_TRUE(at::allclose(of_tensors, ours, 1e-11, 1e-11));
      EXPECT_TRUE(at::allclose(gradient(of_tensors, fields.prediction),
                               gradient(ours, fields.prediction), 1e-11, 1e-14));
    }
  }
  const Fields fields;
  EXPECT_THROW(
      (void)partial_loss(fields.prediction, fields.target, {}, {.error = ErrorKind::kCrps}), Error);
}

TEST(TotalLoss, OfShardsIsThatOfTheWhole) {
  // A combination of a mean and a root, the one with a mask of full length, the other unscaled.
  const Fields fields;
  const std::vector<LossTerm> terms = {
      {.weight = 2, .scalers = fields.scalers, .options = {.error = ErrorKind::kAbsolute}},
      {.weight = 0.5, .options = {.root = true, .per_variable = false}}};
  const auto evaluate = [&](int num_ranks) {
    const auto sizes = comm::balanced_sizes(301, num_ranks);
    std::vector<at::Tensor> gradients(sizes.size());
    std::vector<double> losses(sizes.size());
    run_ranks(num_ranks, [&](comm::Communicator& ranks) {
      const comm::Range own = comm::shard_range(sizes, ranks.rank());
      std::vector<LossTerm> own_terms = terms;
      for (auto& term : own_terms) {
        for (auto& scaler : term.scalers) scaler = slice_grid(scaler, own);
      }
      const at::Tensor y = fields.prediction.detach()
                               .narrow(2, own.begin, own.size())
                               .clone()
                               .set_requires_grad(true);
      const at::Tensor loss =
          total_loss(y, fields.target.narrow(2, own.begin, own.size()), own_terms, ranks);
      const auto r = static_cast<std::size_t>(ranks.rank());
      gradients[r] = gradient(loss, y);
      losses[r] = loss.item<double>();
    });
    for (const double loss : losses) EXPECT_EQ(loss, losses[0]);
    return std::pair{losses[0], at::cat(gradients, 2)};
  };
  const auto [loss, of_whole] = evaluate(1);
  const at::Tensor difference = fields.prediction - fields.target;
  const at::Tensor expected = 2 * fields.scaled(difference.abs()).mean(3).sum({1, 2}).mean() +
                              0.5 * difference.square().mean(3).sum({1, 2}).mean().sqrt();
  EXPECT_NEAR(loss / expected.item<double>(), 1, 1e-12);
  EXPECT_TRUE(at::allclose(of_whole, gradient(expected, fields.prediction), 1e-12, 1e-15));
  for (const int num_ranks : {2, 3, 5}) {
    const auto [sharded, gradients] = evaluate(num_ranks);
    EXPECT_NEAR(sharded / loss, 1, 1e-13);
    EXPECT_TRUE(at::allclose(gradients, of_whole, 1e-12, 1e-16));
  }
}

TEST(TotalLoss, NeedsNoMoreThanTwoShardsOfMemory) {
  const at::Tensor y = random({1, 1, 20000, 10}, 1).set_requires_grad(true);
  const at::Tensor x = random({1, 1, 20000, 10}, 2);
  const std::vector<Scaler> scalers = {{"mask", at::ones({1, 1, 20000, 10}, at::kDouble)},
                                       {"node", at::ones({1, 1, 20000, 1}, at::kDouble)}};
  const MemoryMeter meter;
  const at::Tensor g = gradient(partial_loss(y, x, scalers, {.ignore_nans = true}), y);
  EXPECT_LE(meter.read().peak_bytes, 2 * y.numel() * 8);
  EXPECT_EQ(g.sizes(), y.sizes());
}

}  // namespace
}  // namespace askos::model::test
