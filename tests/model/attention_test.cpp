// SPDX-License-Identifier: Apache-2.0
// The loops against LibTorch operations in float64, over graphs and sizes of all kinds.
#include <askos/base/error.hpp>
#include <askos/model/attention.hpp>
#include <askos/model/graph_plan.hpp>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <random>

namespace askos::model {
namespace {

struct Sizes {
  std::int64_t batch = 1;
  std::int64_t sources = 1;
  std::int64_t destinations = 1;
  std::int64_t edges = 0;
  std::int64_t heads = 1;
  std::int64_t channels = 1;
  std::int64_t features = 1;
  std::int64_t hub_edges = 0;  ///< that many more into destination 0

  [[nodiscard]] std::int64_t width() const { return heads * channels; }
};

std::ostream& operator<<(std::ostream& out, const Sizes& s) {
  return out << s.batch << " x " << s.sources << " -> " << s.destinations << ", " << s.edges
             << " + " << s.hub_edges << " edges, " << s.heads << " x " << s.channels << ", "
             << s.features << " features";
}

at::Tensor random(std::vector<std::int64_t> shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

/// Edges between nodes drawn at random: some nodes get none, some edges come twice.
EdgeIndex random_edges(const Sizes& sizes, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  const auto below = [&](std::int64_t end) {
    return std::uniform_int_distribution<std::int64_t>(0, end - 1)(generator);
  };
  std::vector<std::int64_t> src;
  std::vector<std::int64_t> dst(static_cast<std::size_t>(sizes.hub_edges), 0);
  for (std::int64_t e = 0; e < sizes.edges; ++e) dst.push_back(below(sizes.destinations));
  std::sort(dst.begin(), dst.end());
  while (src.size() < dst.size()) src.push_back(below(sizes.sources));
  return make_edge_index(std::move(src), std::move(dst), sizes.sources, sizes.destinations);
}

/// Query, key, value, edge features, weight and bias, or their gradients.
using Six = std::vector<at::Tensor>;
constexpr const char* kNames[] = {"query", "key", "value", "features", "weight", "bias"};

struct Problem {
  Sizes sizes;
  EdgeIndex index;
  Six inputs;
  at::Tensor g;
};

Problem make_problem(const Sizes& s, std::uint64_t seed) {
  EdgeIndex index = random_edges(s, seed);
  const auto nodes = [&](std::int64_t count, std::uint64_t of) {
    return random({s.batch, count, s.width()}, 10 * seed + of);
  };
  return {s,
          std::move(index),
          {nodes(s.destinations, 1), nodes(s.sources, 2), nodes(s.sources, 3),
           random({s.edges + s.hub_edges, s.features}, 10 * seed + 4),
           random({s.width(), s.features}, 10 * seed + 5) / 2, random({s.width()}, 10 * seed + 6)},
          nodes(s.destinations, 7)};
}

struct Outcome {
  at::Tensor out;
  Six gradients;
};

/// Rounds the inputs of nodes to `type` (edges and weights to float32 where that is less), runs
/// `operation`, and computes in `type` or, for the oracle, in float64.
template <typename Operation>
Outcome run(const Problem& problem, at::ScalarType type, bool oracle, const Operation& operation) {
  Six leaves;
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    const at::ScalarType stored = i < 3 || type == at::kDouble ? type : at::kFloat;
    const at::Tensor rounded = problem.inputs[i].to(stored);
    leaves.push_back((oracle ? rounded.to(at::kDouble) : rounded).clone().set_requires_grad(true));
  }
  const at::Tensor out = operation(
      AttentionInput{.query = leaves[0],
                     .key = leaves[1],
                     .value = leaves[2],
                     .edges = {.features = leaves[3], .weight = leaves[4], .bias = leaves[5]},
                     .num_heads = static_cast<int>(problem.sizes.heads)},
      problem.index);
  torch::autograd::backward({out}, {problem.g.to(type).to(out.scalar_type())});
  Outcome outcome = {out.detach(), {}};
  for (const at::Tensor& leaf : leaves) outcome.gradients.push_back(leaf.grad());
  return outcome;
}

/// Frobenius norm of the difference, relative to the larger of expected and `least`.
double error(const at::Tensor& found, const at::Tensor& expected, double least = 0) {
  if (expected.numel() == 0) return 0;
  const double difference = (found.to(at::kDouble) - expected).norm().item<double>();
  const double scale = std::max(expected.norm().item<double>(), least);
  return scale > 0 ? difference / scale : difference;
}

void expect_close(const Outcome& found, const Outcome& expected, double out, double gradient) {
  EXPECT_LE(error(found.out, expected.out), out);
  // A gradient may vanish (one edge everywhere: those of the logits do).
  double typical = 0;
  for (const at::Tensor& g : expected.gradients) {
    typical = std::max(typical, g.norm().item<double>());
  }
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_LE(error(found.gradients[i], expected.gradients[i], 1e-2 * typical), gradient)
        << kNames[i];
  }
}

void expect_right(const Sizes& sizes, std::uint64_t seed) {
  SCOPED_TRACE(sizes);
  const Problem problem = make_problem(sizes, seed);
  struct Case {
    at::ScalarType type;
    double out;
    double gradient;
  };
  for (const Case& c : {Case{at::kFloat, 2e-6, 2e-6}, Case{at::kBFloat16, 4e-3, 8e-3},
                        Case{at::kDouble, 1e-14, 1e-13}}) {
    SCOPED_TRACE(c10::toString(c.type));
    expect_close(run(problem, c.type, false, attention),
                 run(problem, c.type, true, composite_attention), c.out, c.gradient);
  }
}

TEST(Attention, IsRightForAllSizesOfHeads) {
  std::uint64_t seed = 0;
  for (const std::int64_t channels : {1, 3, 7, 8, 16, 24, 32, 40, 64, 96, 128, 130}) {
    expect_right({.sources = 20,
                  .destinations = 15,
                  .edges = 60,
                  .heads = 4,
                  .channels = channels,
                  .features = 11},
                 ++seed);
  }
}

TEST(Attention, IsRightForAllNumbersOfHeadsAndFeatures) {
  std::uint64_t seed = 100;
  for (const std::int64_t heads : {1, 2, 5, 8, 12, 16, 17, 33}) {
    for (const std::int64_t features : {1, 4, 16, 35}) {
      expect_right({.sources = 9,
                    .destinations = 12,
                    .edges = 40,
                    .heads = heads,
                    .channels = 16,
                    .features = features},
                   ++seed);
    }
  }
}

TEST(Attention, IsRightOnGraphsOfAllKinds) {
  std::mt19937 generator(7);
  const auto between = [&](int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  for (std::uint64_t seed = 200; seed < 225; ++seed) {
    expect_right({.batch = between(1, 3),
                  .sources = between(1, 50),
                  .destinations = between(1, 200),
                  .edges = between(0, 400),
                  .heads = between(1, 9),
                  .channels = between(1, 40),
                  .features = between(1, 13)},
                 seed);
  }
}

TEST(Attention, IsRightAtAHub) {
  expect_right({.sources = 400,
                .destinations = 70,
                .edges = 500,
                .heads = 8,
                .channels = 32,
                .features = 11,
                .hub_edges = 5000},
               300);
}

TEST(Attention, GivesNothingWithoutEdges) {
  const Problem problem =
      make_problem({.sources = 3, .destinations = 4, .heads = 2, .channels = 8}, 1);
  const Outcome outcome = run(problem, at::kFloat, false, attention);
  EXPECT_TRUE(outcome.out.eq(0).all().item<bool>());
  for (const at::Tensor& gradient : outcome.gradients) {
    EXPECT_TRUE(gradient.eq(0).all().item<bool>());
  }
}

/// The same message along every edge: its weights do not matter, so query and key get no gradient.
TEST(Attention, PassesNoGradientToLogitsOfUniformMessages) {
  Problem problem = make_problem(
      {.sources = 30, .destinations = 40, .edges = 300, .heads = 4, .channels = 32, .features = 11},
      2);
  problem.inputs[2] = problem.inputs[2].narrow(1, 0, 1).expand_as(problem.inputs[2]) * 30;
  problem.inputs[3] = problem.inputs[3].narrow(0, 0, 1).expand_as(problem.inputs[3]);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const Outcome outcome = run(problem, type, false, attention);
    for (std::size_t i : {0U, 1U}) {
      EXPECT_LE(outcome.gradients[i].to(at::kDouble).norm().item<double>(),
                1e-5 * outcome.gradients[2].to(at::kDouble).norm().item<double>())
          << kNames[i];
    }
  }
}

/// Gradients of the logits into a node add up to zero. Keys that are all one vector `x` make the
/// gradient of the query t * (sum of them) * x + W z; without features only the first term is left.
TEST(Attention, GradientsOfLogitsAddUpToZero) {
  Problem problem = make_problem(
      {.sources = 30, .destinations = 40, .edges = 300, .heads = 4, .channels = 32, .features = 3},
      3);
  problem.inputs[1] = problem.inputs[1].narrow(1, 0, 1).expand_as(problem.inputs[1]);
  problem.inputs[3].zero_();
  const Outcome outcome = run(problem, at::kFloat, false, attention);
  EXPECT_LE(outcome.gradients[0].norm().item<double>(), 1e-6 * problem.g.norm().item<double>());
}

TEST(Attention, RepeatsBitByBitOnAnyNumberOfThreads) {
  const Problem problem = make_problem({.batch = 2,
                                        .sources = 500,
                                        .destinations = 700,
                                        .edges = 5000,
                                        .heads = 8,
                                        .channels = 32,
                                        .features = 11},
                                       4);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Outcome expected = run(problem, at::kFloat, false, attention);
  for (const int n : {1, 2, 3}) {
    at::set_num_threads(n);
    const Outcome outcome = run(problem, at::kFloat, false, attention);
    EXPECT_TRUE(outcome.out.equal(expected.out));
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_TRUE(outcome.gradients[i].equal(expected.gradients[i])) << kNames[i];
    }
  }
  at::set_num_threads(threads);
}

TEST(Attention, FollowsAPermutationOfNodesAndEdges) {
  const Sizes sizes = {
      .sources = 50, .destinations = 60, .edges = 500, .heads = 4, .channels = 16, .features = 11};
  const Problem problem = make_problem(sizes, 5);
  const auto order = [](std::int64_t count, std::uint64_t seed) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return at::randperm(count, generator, at::TensorOptions(at::kLong));
  };
  const at::Tensor src_order = order(sizes.sources, 1);  // new node i is old node order[i]
  const at::Tensor dst_order = order(sizes.destinations, 2);
  const at::Tensor new_dst = dst_order.argsort().index_select(0, problem.index.dst);
  const at::Tensor edge_order = new_dst.argsort();
  const auto values = [](const at::Tensor& x) {
    return std::vector<std::int64_t>(x.data_ptr<std::int64_t>(),
                                     x.data_ptr<std::int64_t>() + x.numel());
  };
  const at::Tensor new_src = src_order.argsort().index_select(0, problem.index.src);
  Problem permuted = problem;
  permuted.index = make_edge_index(values(new_src.index_select(0, edge_order)),
                                   values(new_dst.index_select(0, edge_order)), sizes.sources,
                                   sizes.destinations);
  permuted.inputs[0] = problem.inputs[0].index_select(1, dst_order);
  permuted.inputs[1] = problem.inputs[1].index_select(1, src_order);
  permuted.inputs[2] = problem.inputs[2].index_select(1, src_order);
  permuted.inputs[3] = problem.inputs[3].index_select(0, edge_order);
  permuted.g = problem.g.index_select(1, dst_order);
  const Outcome outcome = run(permuted, at::kFloat, false, attention);
  Outcome expected = run(problem, at::kFloat, false, attention);
  expected.out = expected.out.index_select(1, dst_order);
  expected.gradients[0] = expected.gradients[0].index_select(1, dst_order);
  expected.gradients[1] = expected.gradients[1].index_select(1, src_order);
  expected.gradients[2] = expected.gradients[2].index_select(1, src_order);
  expected.gradients[3] = expected.gradients[3].index_select(0, edge_order);
  EXPECT_LE(error(outcome.out, expected.out.to(at::kDouble)), 1e-6);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_LE(error(outcome.gradients[i], expected.gradients[i].to(at::kDouble)), 1e-6)
        << kNames[i];
  }
}

/// Parts of one projection, of rows that lie apart, in place: as from tensors of their own.
TEST(Attention, ReadsAndWritesJoinedProjectionsInPlace) {
  const Sizes sizes = {.batch = 2,
                       .sources = 30,
                       .destinations = 20,
                       .edges = 150,
                       .heads = 4,
                       .channels = 16,
                       .features = 5};
  const Problem problem = make_problem(sizes, 6);
  const at::Tensor self = random({2, 20, sizes.width()}, 77);
  const at::Tensor own_keys = problem.inputs[1].narrow(1, 0, 20);
  const at::Tensor own_values = problem.inputs[2].narrow(1, 0, 20);
  const Outcome expected = run(problem, at::kFloat, false, attention);
  const auto leaf = [](const std::vector<at::Tensor>& columns) {
    return at::cat(columns, 2).to(at::kFloat).set_requires_grad(true);
  };
  const at::Tensor halo =
      leaf({problem.inputs[1].narrow(1, 20, 10), problem.inputs[2].narrow(1, 20, 10)});
  const at::Tensor all_sources = leaf({problem.inputs[1], problem.inputs[2]});
  const at::Tensor own = leaf({problem.inputs[0], self, own_keys, own_values});
  const at::Tensor destinations = leaf({problem.inputs[0], self});
  const AttentionEdges edges = {problem.inputs[3].to(at::kFloat), problem.inputs[4].to(at::kFloat),
                                problem.inputs[5].to(at::kFloat)};
  struct Case {
    at::Tensor destinations;
    at::Tensor sources;
    at::Tensor halo;
  };
  for (const Case& c : {Case{own, {}, halo}, Case{destinations, all_sources, {}}}) {
    const at::Tensor out = joined_attention({.destinations = c.destinations,
                                             .sources = c.sources,
                                             .halo = c.halo,
                                             .edges = edges,
                                             .num_heads = 4},
                                            problem.index);
    EXPECT_LE(error(out.detach(), (expected.out + self).to(at::kDouble)), 1e-6);
    torch::autograd::backward({out}, {problem.g.to(at::kFloat)});
    const auto parts = c.destinations.grad().split(sizes.width(), 2);
    EXPECT_TRUE(parts[0].equal(expected.gradients[0]));
    EXPECT_TRUE(parts[1].equal(problem.g.to(at::kFloat)));
    at::Tensor d_key;
    at::Tensor d_value;
    if (c.sources.defined()) {
      d_key = c.sources.grad().narrow(2, 0, sizes.width());
      d_value = c.sources.grad().narrow(2, sizes.width(), sizes.width());
    } else {
      d_key = at::cat({parts[2], c.halo.grad().narrow(2, 0, sizes.width())}, 1);
      d_value = at::cat({parts[3], c.halo.grad().narrow(2, sizes.width(), sizes.width())}, 1);
    }
    EXPECT_TRUE(d_key.equal(expected.gradients[1]));
    EXPECT_TRUE(d_value.equal(expected.gradients[2]));
  }
}

/// What was computed before the halo came is part of the same result, bit by bit.
TEST(Attention, GoesOnFromTheInterior) {
  const Sizes sizes = {.batch = 2,
                       .sources = 30,
                       .destinations = 20,
                       .edges = 40,
                       .heads = 4,
                       .channels = 16,
                       .features = 5};
  Problem problem = make_problem(sizes, 9);
  const auto single = [](const at::Tensor& x) { return x.to(at::kFloat); };
  const at::Tensor own = single(random({2, 20, 4 * sizes.width()}, 91)).set_requires_grad(true);
  const at::Tensor halo = single(random({2, 10, 2 * sizes.width()}, 92)).set_requires_grad(true);
  const AttentionEdges edges = {single(problem.inputs[3]), single(problem.inputs[4]),
                                single(problem.inputs[5])};
  JoinedAttentionInput input = {
      .destinations = own, .sources = {}, .halo = {}, .edges = edges, .num_heads = 4};
  std::vector<std::int64_t> order(20);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto waits = [&](std::int64_t i) {
    return problem.index.src.masked_select(problem.index.dst.eq(i)).ge(20).any().item<bool>();
  };
  const auto border =
      std::stable_partition(order.begin(), order.end(), [&](std::int64_t i) { return !waits(i); });
  EdgeIndex split = problem.index;
  split.interior_first = at::tensor(order, at::kLong);
  split.num_interior = border - order.begin();
  ASSERT_GT(split.num_interior, 0);
  ASSERT_LT(split.num_interior, 20);

  const StartedAttention started = start_joined_attention(input, split);
  input.halo = halo;
  const at::Tensor in_two = joined_attention(input, split, started);
  torch::autograd::backward({in_two}, {single(problem.g)});
  const Six of_two = {own.grad().clone(), halo.grad().clone()};
  own.grad().zero_();
  halo.grad().zero_();
  const at::Tensor at_once = joined_attention(input, problem.index);
  torch::autograd::backward({at_once}, {single(problem.g)});
  EXPECT_TRUE(in_two.equal(at_once));
  EXPECT_TRUE(of_two[0].equal(own.grad()));
  EXPECT_TRUE(of_two[1].equal(halo.grad()));
}

TEST(Attention, KeepsWhatIsNotANumber) {
  Problem problem = make_problem(
      {.sources = 3, .destinations = 2, .edges = 20, .heads = 2, .channels = 16, .features = 3}, 8);
  problem.inputs[1].fill_(std::nan(""));
  for (const auto type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    EXPECT_TRUE(run(problem, type, false, attention).out.isnan().all().item<bool>());
  }
}

TEST(Attention, ComesFromTheEnvironment) {
  EXPECT_EQ(with_environment_attention(AttentionBackend::kComposite), AttentionBackend::kComposite);
  ::setenv("ASKOS_ATTENTION", "composite", 1);
  EXPECT_EQ(with_environment_attention(AttentionBackend::kLoops), AttentionBackend::kComposite);
  ::setenv("ASKOS_ATTENTION", "fast", 1);
  EXPECT_THROW(static_cast<void>(with_environment_attention(AttentionBackend::kLoops)), Error);
  ::unsetenv("ASKOS_ATTENTION");
}

}  // namespace
}  // namespace askos::model
