// SPDX-License-Identifier: Apache-2.0
// One rank is the oracle of many, float64, over graphs without structure.
#include "layouts.hpp"
#include "random_graph.hpp"

#include <askos/base/error.hpp>
#include <askos/model/memory.hpp>
#include <askos/model/sharding.hpp>

#include <array>
#include <map>
#include <set>

namespace askos::model::test {
namespace {

at::Tensor random(std::vector<std::int64_t> shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Problem random_problem(unsigned seed) {
  RandomGraph random_graph(seed);
  Problem problem;
  ModelConfig& config = problem.config;
  config.variables = {.input = {"a", "b", "f"}, .output = {"b", "d", "a"}};
  config.num_channels = 12;
  config.num_layers = 3;
  for (auto* block : {&config.encoder, &config.processor, &config.decoder}) {
    block->num_heads = 3;
    block->edge_trainables = 2;
    block->qk_norm = seed % 2 == 1;
  }
  config.data_node_trainables = config.hidden_node_trainables = 3;
  // From fewer hidden nodes than ranks to some for each.
  const auto num_data = random_graph.integer(7, 40);
  problem.graph = random_graph.make(num_data, random_graph.integer(2, 12));
  problem.x = random({2, 2, num_data, 3}, seed);
  problem.target = random({2, 1, num_data, 3}, seed + 1000);
  problem.node_factors = random({num_data}, seed + 2000).abs();
  problem.variable_factors = {1, 0.5, 2};
  problem.time_factors = {1};
  return problem;
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

/// A random problem with options that the seed switches on and off, each with others.
Problem varied_problem(unsigned seed) {
  Problem problem = random_problem(seed);
  ModelConfig& config = problem.config;
  RandomGraph random_graph(seed + 100);
  const auto num_data = problem.graph.data.size();
  constexpr std::array kMlps = {MlpKind::kGelu, MlpKind::kSwiglu, MlpKind::kReglu};
  for (auto* block : {&config.encoder, &config.processor, &config.decoder}) {
    block->mlp = kMlps[seed % 3];
    block->edge_pre_mlp = seed % 3 == 1;
  }
  config.processor.attention_channels = seed % 2 == 0 ? 6 : 0;
  config.latent_skip = seed % 5 != 0;
  if (seed % 3 == 2) {
    config.decoder_target = {TargetFeature::kForcings, TargetFeature::kPrognostics,
                             TargetFeature::kTrainables};
  }
  if (seed % 4 == 1) {
    config.residual = Residual::kTruncated;
    problem.graph.truncation_down = random_matrix(random_graph, 5, num_data);
    problem.graph.truncation_up = random_matrix(random_graph, num_data, 5);
  } else if (seed % 4 == 2) {
    config.residual = Residual::kScalarOrnstein;
    config.ornstein.regressors = {"f"};
  }
  if (seed % 2 == 1) {  // a limited area: some of the first nodes have no weight
    problem.node_factors.narrow(0, 0, num_data / 3).zero_();
  }
  if (seed % 4 == 3) {  // two samples of three members
    problem.num_members = 3;
    problem.loss.error = ErrorKind::kCrps;
    problem.x = random({6, 2, num_data, 3}, seed);
    config.noise = {.kind = NoiseConfig::Kind::kConditioning, .channels = 3, .mlp_channels = 5};
    config.forecast_step = true;
    problem.forward = {.forecast_step = 1, .noise_seed = seed, .members = {0, 1, 2, 9, 8, 7}};
  }
  if (seed % 5 == 2) {
    config.num_input_steps = 3;
    config.num_output_steps = 2;
    problem.x = random({problem.x.size(0), 3, num_data, 3}, seed);
    problem.target = random({2, 2, num_data, 3}, seed + 1000);
    problem.time_factors = {0.25, 0.75};
  }
  config.boundings = {{.variables = {"d"}}};
  run_ranks(1, [&](comm::Communicator& ranks) {  // off the start values, of which many are 0 or 1
    const Network network(config, problem.graph, ranks, {.float64 = true, .seed = seed});
    problem.weights = network.parameters().state();
    for (const auto& entry : network.parameters().all()) {
      problem.weights[entry.name] += 0.1 * random(entry.tensor.sizes().vec(), seed);
    }
  });
  return problem;
}

TEST(RandomGraph, HasWhatGraphsMayHave) {
  int zero_degrees = 0;
  int duplicates = 0;
  int one_way = 0;
  for (unsigned seed = 0; seed < 12; ++seed) {
    const Graph graph = random_problem(seed).graph;
    std::map<std::pair<std::int64_t, std::int64_t>, int> count;
    std::set<std::int64_t> reached;
    const Edges& edges = graph.hidden_to_hidden;
    for (std::size_t e = 0; e < edges.src.size(); ++e) {
      ++count[{edges.src[e], edges.dst[e]}];
      reached.insert(edges.dst[e]);
    }
    for (const auto& [edge, times] : count) {
      duplicates += times > 1 ? 1 : 0;
      one_way += count.contains({edge.second, edge.first}) ? 0 : 1;
    }
    zero_degrees += static_cast<int>(graph.hidden.size()) - static_cast<int>(reached.size());
    const std::set<std::int64_t> written(graph.hidden_to_data.dst.begin(),
                                         graph.hidden_to_data.dst.end());
    zero_degrees += static_cast<int>(graph.data.size()) - static_cast<int>(written.size());
  }
  EXPECT_GT(zero_degrees, 10);
  EXPECT_GT(duplicates, 10);
  EXPECT_GT(one_way, 10);
}

class RandomGraphs : public ::testing::TestWithParam<unsigned> {};

TEST_P(RandomGraphs, GiveTheSameNumbersOnAnyLayout) {
  const Problem problem = varied_problem(GetParam());
  const Result expected = run(problem, {.attention = AttentionBackend::kComposite}, true);
  for (const auto strategy : {ShardStrategy::kEdges, ShardStrategy::kHeads}) {
    for (const int num_ranks : {1, 2, 3, 4, 5}) {  // three heads: two ranks of five have none
      for (const int chunks : {0, 1, 2, 5}) {
        SCOPED_TRACE(::testing::Message()
                     << num_ranks << " ranks, " << chunks << " chunks, by "
                     << (strategy == ShardStrategy::kHeads ? "heads" : "edges"));
        expect_same(run(problem,
                        {.num_ranks = num_ranks,
                         .chunks = chunks,
                         .segments = chunks == 1 ? 1 : 3,
                         .strategy = strategy},
                        true),
                    expected);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, ::testing::Range(0U, 12U));

TEST(Sharding, RunsAreBitEqual) {
  const Problem problem = random_problem(5);
  const Layout layout = {.num_ranks = 3, .chunks = 2, .segments = 3};
  const Result first = run(problem, layout, false);
  const Result second = run(problem, layout, false);
  EXPECT_TRUE(first.y.equal(second.y));
  EXPECT_EQ(first.loss, second.loss);
  EXPECT_TRUE(first.grad_x.equal(second.grad_x));
  for (const auto& [name, gradient] : first.grad_parameters) {
    EXPECT_TRUE(gradient.equal(second.grad_parameters.at(name))) << name;
  }
}

/// Applies `operation` on three ranks to `in` of the rank, with the rank's gradient `g_out`, and
/// returns what each rank got: output and gradient.
struct Applied {
  at::Tensor out;
  at::Tensor gradient;
};
std::vector<Applied> apply(
    const std::function<at::Tensor(const at::Tensor&, comm::Communicator&)>& operation,
    const std::vector<at::Tensor>& in,
    const std::vector<at::Tensor>& g_out) {
  std::vector<Applied> applied(in.size());
  run_ranks(static_cast<int>(in.size()), [&](comm::Communicator& ranks) {
    const auto r = static_cast<std::size_t>(ranks.rank());
    const at::Tensor x = in[r].clone().set_requires_grad(true);
    const at::Tensor y = operation(x, ranks);
    torch::autograd::backward({y}, {g_out[r]});
    applied[r] = {y.detach(), x.grad()};
  });
  return applied;
}

const comm::ShardSizes kSizes = {3, 2, 0};  // uneven, one empty
const std::vector<at::Tensor> kWhole = {random({2, 5, 4}, 1), random({2, 5, 4}, 2),
                                        random({2, 5, 4}, 3)};
const at::Tensor kSum = kWhole[0] + kWhole[1] + kWhole[2];

at::Tensor part(const at::Tensor& whole, std::size_t r) {
  const auto range = comm::shard_range(kSizes, static_cast<int>(r));
  return whole.narrow(1, range.begin, range.size());
}

std::vector<at::Tensor> parts(const at::Tensor& whole) {
  return {part(whole, 0), part(whole, 1), part(whole, 2)};
}

TEST(Sharding, ShardKeepsOwnPartAndGathersGradients) {
  const auto applied = apply([](const auto& x, auto& ranks) { return shard(x, 1, kSizes, ranks); },
                             {kWhole[0], kWhole[0], kWhole[0]}, parts(kWhole[1]));
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_TRUE(applied[r].out.equal(part(kWhole[0], r)));
    EXPECT_TRUE(applied[r].gradient.equal(kWhole[1]));
  }
}

TEST(Sharding, ShardWithoutGatherLeavesZerosElsewhere) {
  const auto applied =
      apply([](const auto& x, auto& ranks) { return shard(x, 1, kSizes, ranks, false); },
            {kWhole[0], kWhole[0], kWhole[0]}, parts(kWhole[1]));
  for (std::size_t r = 0; r < 3; ++r) {
    at::Tensor expected = at::zeros_like(kWhole[1]);
    part(expected, r).copy_(part(kWhole[1], r));
    EXPECT_TRUE(applied[r].gradient.equal(expected));
  }
}

TEST(Sharding, GatherJoinsPartsAndKeepsOwnGradient) {
  const auto applied = apply([](const auto& x, auto& ranks) { return gather(x, 1, kSizes, ranks); },
                             parts(kWhole[0]), kWhole);
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_TRUE(applied[r].out.equal(kWhole[0]));
    EXPECT_TRUE(applied[r].gradient.equal(part(kWhole[r], r)));
  }
}

TEST(Sharding, ReduceSumsAndPassesGradientsOn) {
  const auto applied =
      apply([](const auto& x, auto& ranks) { return reduce(x, ranks); }, kWhole, kWhole);
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_TRUE(applied[r].out.equal(kSum));  // in rank order, as written above
    EXPECT_TRUE(applied[r].gradient.equal(kWhole[r]));
  }
}

TEST(Sharding, SyncJoinsPartsAndSumsGradients) {
  const auto applied = apply([](const auto& x, auto& ranks) { return sync(x, 1, kSizes, ranks); },
                             parts(kWhole[0]), kWhole);
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_TRUE(applied[r].out.equal(kWhole[0]));
    EXPECT_TRUE(applied[r].gradient.equal(part(kSum, r)));
  }
}

TEST(Sharding, ReduceShardSumsAndGathersGradients) {
  const auto applied =
      apply([](const auto& x, auto& ranks) { return reduce_shard(x, 1, kSizes, ranks); }, kWhole,
            parts(kWhole[0]));
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_TRUE(applied[r].out.equal(part(kSum, r)));
    EXPECT_TRUE(applied[r].gradient.equal(kWhole[0]));
  }
}

TEST(Sharding, AllToAllMovesTheShardedAxis) {
  const comm::ShardSizes split = {1, 0, 3};  // of the last axis
  const auto other_part = [&](const at::Tensor& whole, std::size_t r) {
    const auto range = comm::shard_range(split, static_cast<int>(r));
    return whole.narrow(2, range.begin, range.size());
  };
  const auto applied =
      apply([&](const auto& x, auto& ranks) { return all_to_all(x, 2, split, 1, kSizes, ranks); },
            parts(kWhole[0]),
            {other_part(kWhole[1], 0), other_part(kWhole[1], 1), other_part(kWhole[1], 2)});
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_TRUE(applied[r].out.equal(other_part(kWhole[0], r)));
    EXPECT_TRUE(applied[r].gradient.equal(part(kWhole[1], r)));
  }
}

TEST(HaloPlan, BringsWhatEachRankAsksForAndReturnsItsGradient) {
  // Rank 0 owns 0-2, rank 1 owns 3-4, rank 2 nothing; nobody's wish mirrors another's.
  const std::vector<std::vector<std::int64_t>> needed = {{1, 4}, {0, 1, 2, 3, 4}, {2, 3}};
  const at::Tensor whole = kWhole[0];
  std::vector<at::Tensor> g_out;
  at::Tensor expected_gradient = at::zeros_like(whole);
  for (std::size_t r = 0; r < 3; ++r) {
    g_out.push_back(random({2, static_cast<std::int64_t>(needed[r].size()), 4}, 10 + r));
    const auto order = r == 1 ? std::vector<std::int64_t>{3, 4, 0, 1, 2} : needed[r];
    expected_gradient.index_add_(1, at::tensor(order, at::kLong), g_out[r]);
  }
  run_ranks(3, [&](comm::Communicator& ranks) {
    const auto r = static_cast<std::size_t>(ranks.rank());
    const HaloPlan plan = plan_halo(needed[r], kSizes, false, ranks);
    const at::Tensor x = part(whole, r).clone().set_requires_grad(true);
    const at::Tensor table = halo_exchange(x, plan, ranks);
    torch::autograd::backward({table}, {g_out[r]});
    // Own rows first, then those of the others in rank order.
    const auto order = r == 1 ? std::vector<std::int64_t>{3, 4, 0, 1, 2} : needed[r];
    EXPECT_TRUE(table.detach().equal(whole.index_select(1, at::tensor(order, at::kLong))));
    EXPECT_LE(difference(x.grad(), part(expected_gradient, r)), 1e-15);  // sums of three
  });
}

TEST(HaloPlan, SendsOnlyTheRowsThatOthersRead) {
  const Problem problem = random_problem(4);
  std::vector<std::int64_t> sent(3);
  std::vector<std::int64_t> expected(3);
  run_ranks(3, [&](comm::Communicator& ranks) {
    const auto r = static_cast<std::size_t>(ranks.rank());
    const GraphPlan plan = make_graph_plan(problem.graph, ranks);
    const comm::Range own = comm::shard_range(plan.hidden_sizes, ranks.rank());
    const std::int64_t before = ranks.bytes_sent();
    const at::Tensor x = random({2, own.size(), 4}, 1);
    EXPECT_EQ(halo_exchange(x, plan.processor.halo, ranks).size(1), plan.processor.halo.num_rows());
    sent[r] = ranks.bytes_sent() - before;
    expected[r] = plan.processor.halo.sent.size(0) * 2 * 4 * 8;  // batch, channels, float64
  });
  EXPECT_EQ(sent, expected);
}

TEST(GraphPlan, CoversEveryEdgeOnceInTheGlobalOrder) {
  const Problem problem = random_problem(7);
  const Edges sorted = sort_by_destination(problem.graph.hidden_to_data);
  std::vector<comm::Range> edges(4);
  run_ranks(4, [&](comm::Communicator& ranks) {
    const GraphPlan plan = make_graph_plan(problem.graph, ranks, {.decoder_chunks = 3});
    const EdgePlan& part = plan.decoder;
    edges[static_cast<std::size_t>(ranks.rank())] = part.edges;
    std::int64_t in_chunks = 0;
    for (const auto& chunk : part.chunks) in_chunks += chunk.index.num_edges();
    EXPECT_EQ(in_chunks, part.edges.size());
    for (std::int64_t e = 0; e < part.edges.size(); ++e) {
      EXPECT_EQ(part.destinations.begin + part.index.dst[e].item<std::int64_t>(),
                sorted.dst[static_cast<std::size_t>(part.edges.begin + e)]);
    }
  });
  std::int64_t next = 0;
  for (const auto& range : edges) {
    EXPECT_EQ(range.begin, next);
    next = range.end;
  }
  EXPECT_EQ(next, sorted.size());
}

TEST(Parameters, StartTheSameOnAnyNumberOfRanksAndDtype) {
  const Problem problem = random_problem(1);
  NamedTensors expected;
  run_ranks(1, [&](comm::Communicator& ranks) {
    expected = Network(problem.config, problem.graph, ranks, {.float64 = true, .seed = 9})
                   .parameters()
                   .state();
  });
  run_ranks(3, [&](comm::Communicator& ranks) {
    const Network network(problem.config, problem.graph, ranks, {.float64 = false, .seed = 9});
    for (const auto& [name, tensor] : network.parameters().state()) {
      EXPECT_TRUE(tensor.equal(expected.at(name).to(tensor.scalar_type()))) << name;
    }
  });
}

TEST(Parameters, RefuseAStateOfAnotherModelAndChangeNothing) {
  const Problem problem = random_problem(1);
  run_ranks(1, [&](comm::Communicator& ranks) {
    Network network(problem.config, problem.graph, ranks);
    const NamedTensors before = network.parameters().state();
    NamedTensors other = before;
    other.erase("encoder.0.proc.lin_key.bias");
    other["encoder.0.proc.lin_value.bias"] = at::zeros({5});
    other["something.else"] = at::full({1}, std::nan(""));
    other["processor.proc.0.layer_norm_mlp_dst.scale.weight"] = at::zeros({12, 4});
    try {
      network.parameters().load(other);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kInvalidInput);
      EXPECT_THAT(error.what(),
                  ::testing::AllOf(::testing::HasSubstr("encoder.0.proc.lin_key.bias"),
                                   ::testing::HasSubstr("encoder.0.proc.lin_value.bias"),
                                   ::testing::HasSubstr("something.else"),
                                   ::testing::HasSubstr("not_finite=something.else"),
                                   ::testing::HasSubstr("noise injector"),
                                   ::testing::HasSubstr("num_channels, attn_channels")));
    }
    other = before;
    other["encoder.0.proc.lin_key.bias"] = at::full({12}, std::nan(""));
    EXPECT_THROW(network.parameters().load(other), Error);
    for (const auto& [name, tensor] : network.parameters().state()) {
      EXPECT_TRUE(tensor.equal(before.at(name))) << name;
    }
  });
}

TEST(Network, NamesEveryFaultOfAConfiguration) {
  Problem problem = random_problem(1);
  problem.config.encoder.num_heads = 5;
  problem.config.num_input_steps = 0;
  problem.config.boundings.push_back({.variables = {"zz"}});
  run_ranks(1, [&](comm::Communicator& ranks) {
    try {
      const Network network(problem.config, problem.graph, ranks);
      FAIL();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::AllOf(::testing::HasSubstr("encoder.num_heads"),
                                                 ::testing::HasSubstr("num_input_steps"),
                                                 ::testing::HasSubstr("'zz'")));
    }
  });
}

TEST(Network, RefusesAnInputOfAnotherShapeOrType) {
  const Problem problem = random_problem(1);
  run_ranks(1, [&](comm::Communicator& ranks) {
    const Network network(problem.config, problem.graph, ranks, {.float64 = true});
    EXPECT_THROW((void)network.forward(problem.x.narrow(2, 0, 3)), Error);
    EXPECT_THROW((void)network.forward(problem.x.to(at::kFloat)), Error);
  });
}

TEST(Network, HoldsNoWholeGridActivation) {
  // Long rows of data against few parameters, so that the largest allocation is an activation; at
  // five ranks even the hidden layer of an MLP (ratio 4) is smaller than a whole-grid activation.
  Problem problem = random_problem(0);
  RandomGraph random_graph(1);
  constexpr std::int64_t kNodes = 4000;
  problem.graph = random_graph.make(kNodes, 500);
  problem.config.data_node_trainables = 0;
  const at::Tensor x = random({1, 2, kNodes, 3}, 1);
  const std::int64_t whole_grid = kNodes * problem.config.num_channels * 8;
  std::vector<MemoryReading> readings(5);
  for (const int num_ranks : {1, 5}) {
    run_ranks(num_ranks, [&](comm::Communicator& ranks) {
      const Network network(problem.config, problem.graph, ranks, {.float64 = true});
      const comm::Range own = network.own_data();
      const at::Tensor own_x = x.narrow(2, own.begin, own.size());
      const MemoryMeter meter;
      const at::Tensor y = network.forward(own_x);
      torch::autograd::backward({y.square().sum()}, {});
      readings[static_cast<std::size_t>(ranks.rank())] = meter.read();
    });
    for (int r = 0; r < num_ranks; ++r) {
      const auto& reading = readings[static_cast<std::size_t>(r)];
      EXPECT_EQ(reading.largest_bytes < whole_grid, num_ranks == 5) << reading.largest_bytes;
      EXPECT_GE(reading.peak_bytes, reading.largest_bytes);
    }
  }
}

TEST(Network, ChunksAndSegmentsLowerThePeak) {
  Problem problem = random_problem(0);
  problem.graph = RandomGraph(1).make(3000, 400);
  const at::Tensor x = random({1, 2, 3000, 3}, 1);
  const auto peak = [&](int chunks) {
    std::int64_t bytes = 0;
    run_ranks(1, [&](comm::Communicator& ranks) {
      ModelConfig config = problem.config;
      config.encoder.num_chunks = config.decoder.num_chunks = chunks;
      config.processor.num_chunks = chunks == 0 ? 0 : 3;
      const Network network(config, problem.graph, ranks, {.float64 = true});
      const MemoryMeter meter;
      const at::Tensor y = network.forward(x);
      torch::autograd::backward({y.square().sum()}, {});
      bytes = meter.read().peak_bytes;
    });
    return bytes;
  };
  EXPECT_LT(peak(8), peak(0) / 2);
}

}  // namespace
}  // namespace askos::model::test
