// SPDX-License-Identifier: Apache-2.0
// The reference's own numbers (tests/parity/README.md), on any number of ranks, chunks and
// segments.
#include "parity_case.hpp"
#include "ranks.hpp"

#include <askos/model/loss.hpp>

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <mutex>

namespace askos::model::test {
namespace {

struct Layout {
  std::string name = {};
  int num_ranks = 1;
  int chunks = 0;
  int segments = 0;
  AttentionBackend attention = AttentionBackend::kLoops;
};

struct Result {
  at::Tensor y;  // [batch, time, grid, variable]
  double loss = 0;
  at::Tensor grad_x;
  NamedTensors grad_parameters;  // summed over ranks
};

/// Runs forward, loss and backward and puts the ranks' parts together.
Result run(const ParityCase& parity, const Layout& layout, bool float64) {
  const auto dtype = float64 ? at::kDouble : at::kFloat;
  ModelConfig config = parity.config;
  config.attention = layout.attention;
  config.encoder.num_chunks = config.decoder.num_chunks = layout.chunks;
  config.processor.num_chunks = layout.segments;
  std::vector<at::Tensor> y(static_cast<std::size_t>(layout.num_ranks));
  std::vector<at::Tensor> grad_x(y.size());
  Result result;
  std::mutex mutex;
  run_ranks(layout.num_ranks, [&](comm::Communicator& ranks) {
    Network network(config, parity.graph, ranks, {.float64 = float64});
    network.parameters().load(parity.weights);
    const comm::Range own = network.own_data();
    const auto shard_of = [&](const char* name) {
      return parity.io.at(name).squeeze(2).narrow(2, own.begin, own.size()).to(dtype);
    };
    at::Tensor x = shard_of("x").set_requires_grad(true);
    const at::Tensor prediction = network.forward(x);
    const auto scalers = std::vector<Scaler>{
        // As stored: they add up to 1 in float32 only.
        {"node_weights",
         parity.io.at("loss.node_weights").narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
        variable_weights(detail::doubles(parity.io.at("loss.variable_weights"))),
        time_weights(detail::doubles(parity.io.at("loss.time_weights")))};
    const at::Tensor loss = squared_error(prediction, shard_of("target"), scalers).mean();
    torch::autograd::backward({loss}, {});
    const std::lock_guard lock(mutex);
    const auto r = static_cast<std::size_t>(ranks.rank());
    y[r] = prediction.detach();
    grad_x[r] = x.grad();
    result.loss += loss.item<double>();
    for (const auto& [name, tensor] : network.parameters().all()) {
      at::Tensor& sum = result.grad_parameters[name];
      const at::Tensor part = tensor.grad().defined() ? tensor.grad() : at::zeros_like(tensor);
      sum = sum.defined() ? sum + part : part;
    }
  });
  result.y = at::cat(y, 2);
  result.grad_x = at::cat(grad_x, 2);
  return result;
}

double max_abs(const at::Tensor& x) {
  return x.numel() == 0 ? 0 : x.abs().max().item<double>();
}

double difference(const at::Tensor& ours, const at::Tensor& reference) {
  return max_abs(ours.to(at::kDouble) - reference.to(at::kDouble));
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

/// Rounding in float64 alone: sums of at most some thousand terms, in another order.
constexpr double kSameNumbers = 1e-12;

void expect_same(const Result& result, const Result& expected) {
  EXPECT_LE(difference(result.y, expected.y), kSameNumbers * max_abs(expected.y));
  EXPECT_LE(std::abs(result.loss / expected.loss - 1), kSameNumbers);
  EXPECT_LE(difference(result.grad_x, expected.grad_x), kSameNumbers * max_abs(expected.grad_x));
  double largest = 0;
  for (const auto& [name, gradient] : expected.grad_parameters) {
    largest = std::max(largest, max_abs(gradient));
  }
  for (const auto& [name, gradient] : expected.grad_parameters) {
    // A gradient that vanishes analytically is compared with the largest entry of all.
    const double scale = std::max(max_abs(gradient), 1e-3 * largest);
    EXPECT_LE(difference(result.grad_parameters.at(name), gradient), kSameNumbers * scale) << name;
  }
}

class Parity : public ::testing::TestWithParam<std::string> {};

TEST_P(Parity, GivesTheReferenceNumbersInFloat32) {
  const ParityCase parity(GetParam());
  expect_reference(parity, run(parity, {}, false), false);
}

TEST_P(Parity, GivesTheReferenceNumbersInFloat64) {
  const ParityCase parity(GetParam());
  expect_reference(parity, run(parity, {}, true), true);
}

TEST_P(Parity, GivesTheReferenceNumbersOnThreeRanksInChunks) {
  const ParityCase parity(GetParam());
  expect_reference(parity, run(parity, {.num_ranks = 3, .chunks = 2, .segments = 2}, false), false);
}

TEST_P(Parity, GivesTheSameNumbersOnAnyLayout) {
  const ParityCase parity(GetParam());
  const Result expected = run(parity, {}, true);
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
    expect_same(run(parity, layout, true), expected);
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
