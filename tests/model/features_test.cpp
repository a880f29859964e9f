// SPDX-License-Identifier: Apache-2.0
// Every option of the model gives the same numbers on any number of ranks, chunks and segments.
#include "random_graph.hpp"
#include "ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/model/network.hpp>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

namespace askos::model::test {
namespace {

struct Layout {
  int num_ranks = 1;
  int chunks = 0;
  int segments = 0;
};

/// Results of all ranks, put together.
struct Numbers {
  std::vector<at::Tensor> y;  // of each dataset with a decoder, [batch, time, grid, variable]
  std::vector<at::Tensor> grad_x;
  NamedTensors gradients;  // summed over ranks
};

ModelConfig small_config() {
  ModelConfig config;
  config.variables = {.input = {"a", "b", "f"}, .output = {"b", "d", "a"}};
  config.num_channels = 12;
  config.num_layers = 2;
  for (BlockConfig* block : {&config.encoder, &config.processor, &config.decoder}) {
    *block = {.num_heads = 3, .mlp_hidden_ratio = 2, .edge_trainables = 2};
  }
  config.data_node_trainables = config.hidden_node_trainables = 2;
  return config;
}

at::Tensor random(std::vector<std::int64_t> shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

/// Fills all parameters with numbers that hide no term: start values are often 0.
void fill(Parameters& parameters) {
  const c10::AutoGradMode no_grad(false);
  std::uint64_t seed = 1;
  for (const auto& entry : parameters.all()) {
    entry.tensor.add_(0.2 * random(entry.tensor.sizes().vec(), seed++));
  }
}

Numbers run(ModelConfig config,
            const Graph& graph,
            const Layout& layout,
            const ForwardOptions& options = {},
            std::int64_t batch = 2) {
  config.encoder.num_chunks = config.decoder.num_chunks = layout.chunks;
  config.processor.num_chunks = layout.segments;
  std::vector<at::Tensor> inputs;
  const auto grids = data_grids(graph);
  const auto list = datasets(config);
  for (std::size_t d = 0; d < list.size(); ++d) {
    inputs.push_back(random({batch, config.num_input_steps, grids[d].nodes.size(),
                             static_cast<std::int64_t>(list[d].variables.input.size())},
                            100 + d));
  }
  const auto num_ranks = static_cast<std::size_t>(layout.num_ranks);
  std::vector<Numbers> parts(num_ranks);
  run_ranks(layout.num_ranks, [&](comm::Communicator& ranks) {
    Network network(config, graph, ranks, {.float64 = true, .seed = 3});
    fill(network.parameters());
    std::vector<at::Tensor> x;
    for (std::size_t d = 0; d < inputs.size(); ++d) {
      const comm::Range own = network.own_data(d);
      x.push_back(inputs[d].narrow(2, own.begin, own.size()).clone().set_requires_grad(true));
    }
    Numbers& part = parts[static_cast<std::size_t>(ranks.rank())];
    at::Tensor loss = at::zeros({}, at::kDouble);
    for (const at::Tensor& y : network.forward_all(x, options)) {
      if (!y.defined()) continue;
      loss = loss + (y * y).sum() + y.sum();
      part.y.push_back(y.detach());
    }
    torch::autograd::backward({loss}, {});
    for (const at::Tensor& of_dataset : x) part.grad_x.push_back(of_dataset.grad());
    for (const auto& [name, tensor] : network.parameters().all()) {
      part.gradients[name] = tensor.grad().defined() ? tensor.grad() : at::zeros_like(tensor);
    }
  });
  Numbers whole = parts[0];
  for (std::size_t r = 1; r < num_ranks; ++r) {
    for (std::size_t i = 0; i < whole.y.size(); ++i) {
      whole.y[i] = at::cat({whole.y[i], parts[r].y[i]}, 2);
    }
    for (std::size_t i = 0; i < whole.grad_x.size(); ++i) {
      whole.grad_x[i] = at::cat({whole.grad_x[i], parts[r].grad_x[i]}, 2);
    }
    for (auto& [name, sum] : whole.gradients) sum = sum + parts[r].gradients.at(name);
  }
  return whole;
}

double largest(const at::Tensor& x) {
  return x.numel() == 0 ? 0 : x.abs().max().item<double>();
}

/// Compares with one rank: rounding of float64 alone, sums of some thousand terms.
void expect_same_on_any_layout(const ModelConfig& config,
                               const Graph& graph,
                               const ForwardOptions& options = {}) {
  const Numbers expected = run(config, graph, {}, options);
  double scale = 0;
  for (const auto& [name, gradient] : expected.gradients) {
    scale = std::max(scale, largest(gradient));
  }
  for (const Layout& layout : {Layout{2, 0, 0}, Layout{3, 2, 1}, Layout{5, 0, 2}}) {
    SCOPED_TRACE(std::to_string(layout.num_ranks) + " ranks");
    const Numbers found = run(config, graph, layout, options);
    ASSERT_EQ(found.y.size(), expected.y.size());
    for (std::size_t i = 0; i < expected.y.size(); ++i) {
      EXPECT_LE(largest(found.y[i] - expected.y[i]), 1e-12 * largest(expected.y[i]));
    }
    for (std::size_t i = 0; i < expected.grad_x.size(); ++i) {
      EXPECT_LE(largest(found.grad_x[i] - expected.grad_x[i]), 1e-12 * largest(expected.grad_x[i]));
    }
    for (const auto& [name, gradient] : expected.gradients) {
      EXPECT_LE(largest(found.gradients.at(name) - gradient),
                1e-12 * std::max(largest(gradient), 1e-3 * scale))
          << name;
    }
  }
}

Graph small_graph(unsigned seed = 5) {
  return RandomGraph(seed).make(41, 13);
}

/// A matrix whose rows have 0 to 3 entries.
SparseMatrix random_matrix(RandomGraph& random, std::int64_t rows, std::int64_t columns) {
  SparseMatrix matrix{rows, columns, {0}, {}, {}};
  for (std::int64_t r = 0; r < rows; ++r) {
    for (auto n = random.integer(0, 3); n > 0; --n) {
      matrix.columns.push_back(random.integer(0, columns - 1));
      matrix.values.push_back(random.uniform(0, 1));
    }
    matrix.row_offsets.push_back(static_cast<std::int64_t>(matrix.columns.size()));
  }
  return matrix;
}

TEST(Ensemble, ConditionsNormsAlikeOnAnyLayout) {
  ModelConfig config = small_config();
  config.noise = {.kind = NoiseConfig::Kind::kConditioning, .channels = 3, .mlp_channels = 7};
  config.forecast_step = true;
  config.processor.qk_norm = true;
  expect_same_on_any_layout(config, small_graph(), {.noise_seed = 9, .members = {4, 0}});
}

TEST(Ensemble, MixesProjectedNoiseInAlikeOnAnyLayout) {
  ModelConfig config = small_config();
  config.noise = {.kind = NoiseConfig::Kind::kInjection, .deviation = 0.5, .channels = 2};
  RandomGraph random(6);
  Graph graph = random.make(41, 13);
  graph.noise_projection = random_matrix(random, 13, 6);
  expect_same_on_any_layout(config, graph, {.forecast_step = 3, .noise_seed = 2});
}

TEST(Ensemble, GivesAMemberTheSameNoiseInAnyBatch) {
  ModelConfig config = small_config();
  config.noise = {.kind = NoiseConfig::Kind::kConditioning};
  const Graph graph = small_graph();
  run_ranks(1, [&](comm::Communicator& ranks) {
    Network network(config, graph, ranks, {.float64 = true});
    fill(network.parameters());
    const at::Tensor x = random({1, 2, 41, 3}, 7);
    const auto member = [&](std::int64_t batch, std::vector<std::int64_t> members) {
      return network.predict(x.expand({batch, -1, -1, -1}),
                             {.noise_seed = 1, .members = std::move(members)});
    };
    const at::Tensor three = member(3, {0, 1, 2});
    EXPECT_GT(largest(three[0] - three[1]), 1e-3);
    EXPECT_LE(largest(member(1, {2})[0] - three[2]), 1e-13 * largest(three));
    EXPECT_GT(largest(network.predict(x, {.noise_seed = 2}) - three[0]), 1e-3);
    EXPECT_THROW((void)member(2, {1}), Error);
    EXPECT_THROW((void)network.predict(x, {.noise = at::zeros({2, 13, 4})}), Error);
  });
}

TEST(ForecastStep, TellsTheFirstStepFromAllOthers) {
  ModelConfig config = small_config();
  config.forecast_step = true;
  const Graph graph = small_graph();
  run_ranks(1, [&](comm::Communicator& ranks) {
    Network network(config, graph, ranks, {.float64 = true});
    fill(network.parameters());
    const at::Tensor x = random({1, 2, 41, 3}, 7);
    const auto step = [&](int number) { return network.predict(x, {.forecast_step = number}); };
    EXPECT_GT(largest(step(0) - step(1)), 1e-4);
    EXPECT_TRUE(step(1).equal(step(5)));
  });
}

TEST(Residual, SkipsFromAnyInputStep) {
  ModelConfig config = small_config();
  config.zero_output_layer = true;
  const Graph graph = small_graph();
  for (const int step : {0, 1, -1, -2}) {
    config.skip_step = step;
    run_ranks(1, [&](comm::Communicator& ranks) {
      const Network network(config, graph, ranks, {.float64 = true});
      const at::Tensor x = random({1, 2, 41, 3}, 7);
      const at::Tensor y = network.predict(x);
      EXPECT_TRUE(y.select(3, 2).select(1, 0).equal(x.select(3, 0).select(1, step)));  // "a"
      EXPECT_EQ(largest(y.select(3, 1)), 0);  // "d" is a diagnostic
    });
  }
  config.skip_step = 2;
  EXPECT_THROW(validate(config), Error);
}

TEST(Residual, ScalarOrnsteinIsTheSameOnAnyLayout) {
  ModelConfig config = small_config();
  config.residual = Residual::kScalarOrnstein;
  config.ornstein = {.theta = {0.2, 0.4}, .margin = 0.1, .regressors = {"f", "a"}};
  config.num_output_steps = 2;
  expect_same_on_any_layout(config, small_graph());
}

TEST(Residual, OrnsteinStartsAsDampedPersistence) {
  ModelConfig config = small_config();
  config.zero_output_layer = true;
  config.residual = Residual::kScalarOrnstein;
  config.ornstein = {.theta = {0.25}, .margin = 0.1, .trained = false};
  const Graph graph = small_graph();
  run_ranks(1, [&](comm::Communicator& ranks) {
    const Network network(config, graph, ranks, {.float64 = true});
    const at::Tensor x = random({1, 2, 41, 3}, 7);
    const at::Tensor expected = 0.75 * x.select(3, 1).select(1, 1);
    // The weight is a logit: its sigmoid is exact to rounding.
    EXPECT_LE(largest(network.predict(x).select(3, 0).select(1, 0) - expected), 1e-14);
    for (const auto& entry : network.parameters().all()) {
      EXPECT_NE(entry.name, "residual.data.weight");
    }
    EXPECT_TRUE(network.parameters().state().contains("residual.data.weight"));
  });
}

/// A graph on 4 rings of 8 nodes.
Graph ring_graph() {
  Graph graph = RandomGraph(8).make(32, 9);
  for (std::size_t i = 0; i < 32; ++i) {
    graph.data.lat[i] = 1.0 - 0.6 * static_cast<double>(i / 8);
    graph.data.lon[i] = 0.785 * static_cast<double>(i % 8);
  }
  return graph;
}

TEST(Residual, SpectralOrnsteinIsTheSameOnAnyLayout) {
  ModelConfig config = small_config();
  config.residual = Residual::kSpectralOrnstein;
  config.ornstein = {.regressors = {"f"}, .num_degrees = 3};
  expect_same_on_any_layout(config, ring_graph());
  run_ranks(1, [&](comm::Communicator& ranks) {
    EXPECT_THROW(Network(config, small_graph(), ranks), Error);  // no rings
  });
}

TEST(Residual, LowPassIsTheSameOnAnyLayout) {
  ModelConfig config = small_config();
  config.residual = Residual::kSpectralOrnstein;
  for (const bool anti_aliasing : {true, false}) {
    config.ornstein = {
        .theta = {0.2}, .regressors = {"f"}, .low_pass = true, .anti_aliasing = anti_aliasing};
    if (anti_aliasing) config.ornstein.unfiltered = {"b"};
    expect_same_on_any_layout(config, ring_graph());
  }
  config.ornstein.theta = {0.5};
  EXPECT_THROW(validate(config), Error);
}

TEST(Residual, SpectralOrnsteinStartsUniform) {
  ModelConfig config = small_config();
  config.zero_output_layer = true;
  config.residual = Residual::kSpectralOrnstein;
  config.ornstein = {.theta = {0.3}, .with_mean = false};
  const Graph graph = ring_graph();
  run_ranks(1, [&](comm::Communicator& ranks) {
    const Network network(config, graph, ranks, {.float64 = true});
    const at::Tensor x = random({1, 2, 32, 3}, 7);
    const at::Tensor expected = 0.7 * x.select(3, 1).select(1, 1);
    EXPECT_LE(largest(network.predict(x).select(3, 0).select(1, 0) - expected), 1e-14);
  });
}

TEST(Bounding, KeepsEveryKindsLimits) {
  using Kind = Bounding::Kind;
  const Graph graph = small_graph();
  const auto bounded = [&](const Bounding& bounding) {
    ModelConfig config = small_config();
    at::Tensor y;
    run_ranks(1, [&](comm::Communicator& ranks) {
      const at::Tensor x = random({1, 2, 41, 3}, 7);
      Network free(config, graph, ranks, {.float64 = true});
      config.boundings = {bounding};
      Network network(config, graph, ranks, {.float64 = true});
      fill(free.parameters());
      fill(network.parameters());
      y = at::stack({free.predict(x), network.predict(x)});
    });
    return y;
  };
  struct Claim {
    Bounding bounding;
    std::function<at::Tensor(const at::Tensor& b, const at::Tensor& d)> expected;  // of "b"
  };
  const auto leaky = [](const at::Tensor& x, double low, double high) {
    return at::where(x < low, low + 0.01 * (x - low),
                     at::where(x > high, high + 0.01 * (x - high), x));
  };
  const std::vector<Claim> claims = {
      {{.kind = Kind::kRelu, .variables = {"b"}}, [](auto& b, auto&) { return b.clamp_min(0); }},
      {{.kind = Kind::kLeakyRelu, .variables = {"b"}},
       [](auto& b, auto&) { return at::where(b < 0, 0.01 * b, b); }},
      {{.kind = Kind::kNormalizedRelu, .variables = {"b"}, .minimum = {-0.5}},
       [](auto& b, auto&) { return b.clamp_min(-0.5); }},
      {{.kind = Kind::kNormalizedLeakyRelu, .variables = {"b"}, .minimum = {-0.5}},
       [](auto& b, auto&) { return at::where(b < -0.5, -0.5 + 0.01 * (b + 0.5), b); }},
      {{.kind = Kind::kHardtanh, .variables = {"b"}, .minimum = {-0.5}, .maximum = 0.25},
       [](auto& b, auto&) { return b.clamp(-0.5, 0.25); }},
      {{.kind = Kind::kLeakyHardtanh, .variables = {"b"}, .minimum = {-0.5}, .maximum = 0.25},
       [&](auto& b, auto&) { return leaky(b, -0.5, 0.25); }},
      {{.kind = Kind::kFraction, .variables = {"b"}, .minimum = {0}, .total = "d"},
       [](auto& b, auto& d) { return b.clamp(0, 1) * d; }},
      {{.kind = Kind::kLeakyFraction, .variables = {"b"}, .minimum = {0}, .total = "d"},
       [&](auto& b, auto& d) { return leaky(b, 0, 1) * d; }},
  };
  for (const Claim& claim : claims) {
    SCOPED_TRACE(static_cast<int>(claim.bounding.kind));
    const at::Tensor y = bounded(claim.bounding);
    const at::Tensor expected = claim.expected(y[0].select(3, 0), y[0].select(3, 1));
    EXPECT_GT(largest(expected - y[0].select(3, 0)), 0.1);  // the limits are reached
    EXPECT_LE(largest(y[1].select(3, 0) - expected), 1e-14);
    EXPECT_TRUE(y[1].narrow(3, 1, 2).equal(y[0].narrow(3, 1, 2)));  // the others are left alone
  }
}

TEST(Widths, MayDifferInEveryPart) {
  ModelConfig config = small_config();
  config.encoder.attention_channels = 6;
  config.processor.attention_channels = 18;
  config.decoder.channels = 8;  // the decoder then embeds its sources
  config.decoder.num_heads = 2;
  config.decoder.attention_channels = 4;
  config.decoder.mlp = MlpKind::kReglu;
  expect_same_on_any_layout(config, small_graph());
}

/// Two grids besides the first: one read and written, one written only.
struct Several {
  explicit Several(LatentAggregator aggregator) {
    RandomGraph random(11);
    graph = random.make(41, 13);
    for (const std::int64_t size : {23, 7}) {
      const Graph other = random.make(size, 13);
      graph.more_grids.push_back({.nodes = other.data,
                                  .to_hidden = other.data_to_hidden,
                                  .from_hidden = other.hidden_to_data,
                                  .weights = other.data_weights,
                                  .truncation_down = {},
                                  .truncation_up = {}});
    }
    config = small_config();
    config.latent_aggregator = aggregator;
    const BlockConfig block = {.num_heads = 3, .mlp_hidden_ratio = 2, .edge_trainables = 1};
    config.more_datasets = {
        {.name = "sea",
         .variables = {.input = {"sst", "ice"}, .output = {"sst"}},
         .node_trainables = 1,
         .encoder_name = "sea",
         .encoder = block,
         .decoder_name = "sea",
         .decoder = block,
         .boundings = {{.variables = {"sst"}}}},
        {.name = "stations",
         .variables = {.input = {"height"}, .output = {"wind"}},
         .node_trainables = 0,
         .encoder_name = "",
         .encoder = {},
         .decoder_name = "stations",
         .decoder = block,
         .decoder_target = {TargetFeature::kForcings, TargetFeature::kCoordinates},
         .residual = Residual::kNone}};
    if (aggregator == LatentAggregator::kConcat) {
      config.more_datasets[0].encoder.channels = 6;
      config.processor.channels = 18;
    }
  }

  Graph graph;
  ModelConfig config;
};

TEST(SeveralDatasets, AreTheSameOnAnyLayout) {
  for (const auto aggregator :
       {LatentAggregator::kSum, LatentAggregator::kMean, LatentAggregator::kConcat}) {
    SCOPED_TRACE(static_cast<int>(aggregator));
    const Several several(aggregator);
    expect_same_on_any_layout(several.config, several.graph);
  }
}

TEST(SeveralDatasets, ShareAnEncoderOfOneName) {
  Several several(LatentAggregator::kSum);
  DatasetConfig& sea = several.config.more_datasets[0];
  sea.encoder_name = several.config.encoder_name;
  EXPECT_THROW(validate(several.config), Error);  // other numbers of features
  sea.variables.input = {"sst", "ice", "wave"};
  sea.node_trainables = several.config.data_node_trainables;
  sea.encoder.edge_trainables = several.config.encoder.edge_trainables;
  expect_same_on_any_layout(several.config, several.graph);
  run_ranks(1, [&](comm::Communicator& ranks) {
    const Network network(several.config, several.graph, ranks);
    for (const auto& [name, tensor] : network.parameters().state()) {
      EXPECT_FALSE(name.starts_with("encoder.sea")) << name;
    }
  });
}

TEST(SeveralDatasets, AreRefusedUnlessTheyFit) {
  const Several several(LatentAggregator::kSum);
  const auto refused = [&](auto change) {
    ModelConfig config = several.config;
    change(config);
    EXPECT_THROW(validate(config), Error);
  };
  refused([](ModelConfig& config) { config.more_datasets[0].name = "data"; });
  refused([](ModelConfig& config) { config.more_datasets[0].decoder_name = "0"; });
  refused([](ModelConfig& config) { config.more_datasets[0].encoder.channels = 6; });
  refused([](ModelConfig& config) {
    config.more_datasets[1].decoder_target = {TargetFeature::kEncodedData};
  });
  refused([](ModelConfig& config) { config.latent_aggregator = LatentAggregator::kConcat; });
  run_ranks(1, [&](comm::Communicator& ranks) {
    EXPECT_THROW(Network(several.config, small_graph(), ranks), Error);  // one grid only
    const Network network(several.config, several.graph, ranks, {.float64 = true});
    EXPECT_THROW((void)network.forward(random({1, 2, 41, 3}, 1)), Error);  // one input only
  });
}

}  // namespace
}  // namespace askos::model::test
