// SPDX-License-Identifier: Apache-2.0
// Times graph attention with its edge projection, forward and backward, on a multi-scale icosphere:
// the loops against the composite of LibTorch operations (those of PyG's transformer convolution:
// gather, add, softmax by scattering, scatter), turn by turn. Checks the loops first.
//
//   attention_bench [LEVEL [CHANNELS [HEADS [float32|bfloat16]]]]       (5 1024 16 float32)
//
// Prints milliseconds (median, tenth and ninetieth percentile) of wall time and processor time, and
// bytes per second by a model that counts each gathered row.
#include <askos/base/clock.hpp>
#include <askos/model/attention.hpp>
#include <askos/model/graph_builders.hpp>
#include <askos/model/graph_plan.hpp>
#include <askos/model/memory.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace askos::model {
namespace {

constexpr std::int64_t kFeatures = 11;

struct Options {
  int level = 5;
  std::int64_t channels = 1024;
  int heads = 16;
  at::ScalarType dtype = at::kFloat;
};

struct Problem {
  EdgeIndex index;
  AttentionInput input;
  at::Tensor g;
};

Problem make_problem(const Options& options) {
  const Icosphere sphere = icosphere(options.level);
  const Edges edges = sort_by_destination(sphere.edges);
  const std::int64_t nodes = sphere.nodes.size();
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const auto random = [&](std::vector<std::int64_t> shape, at::ScalarType type) {
    return at::randn(shape, generator).to(type).set_requires_grad(true);
  };
  const std::vector<std::int64_t> rows = {1, nodes, options.channels};
  Problem problem = {
      make_edge_index(edges.src, edges.dst, nodes, nodes),
      {.query = random(rows, options.dtype),
       .key = random(rows, options.dtype),
       .value = random(rows, options.dtype),
       .edges = {.features = random({edges.size(), kFeatures}, at::kFloat),
                 .weight = (random({options.channels, kFeatures}, at::kFloat).detach() / 3)
                               .set_requires_grad(true),
                 .bias = random({options.channels}, at::kFloat)},
       .num_heads = options.heads},
      at::randn(rows, generator).to(options.dtype)};
  return problem;
}

std::vector<at::Tensor> leaves(const AttentionInput& input) {
  return {input.query,          input.key,          input.value,
          input.edges.features, input.edges.weight, input.edges.bias};
}

using Operation = at::Tensor (*)(const AttentionInput&, const EdgeIndex&);

/// Output and gradients.
std::vector<at::Tensor> evaluate(const Problem& problem, Operation operation) {
  for (at::Tensor leaf : leaves(problem.input)) leaf.mutable_grad().reset();
  const at::Tensor out = operation(problem.input, problem.index);
  torch::autograd::backward({out}, {problem.g.to(out.scalar_type())});
  std::vector<at::Tensor> results = {out.detach()};
  for (const at::Tensor& leaf : leaves(problem.input)) results.push_back(leaf.grad());
  return results;
}

Problem in_float64(const Problem& problem) {
  Problem result = problem;
  const auto convert = [](at::Tensor& x) {
    x = x.detach().to(at::kDouble).set_requires_grad(true);
  };
  for (at::Tensor* x :
       {&result.input.query, &result.input.key, &result.input.value, &result.input.edges.features,
        &result.input.edges.weight, &result.input.edges.bias}) {
    convert(*x);
  }
  result.g = problem.g.to(at::kDouble);
  return result;
}

/// Compares the loops with float64 on a smaller sphere. Returns whether they are right.
bool check(Options options) {
  options.level = std::min(options.level, 3);
  const Problem problem = make_problem(options);
  const auto found = evaluate(problem, attention);
  const auto expected = evaluate(in_float64(problem), composite_attention);
  const bool full = options.dtype == at::kFloat;
  bool right = true;
  std::printf("relative errors to float64 on level %d:", options.level);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error =
        ((found[i].to(at::kDouble) - expected[i]).norm() / expected[i].norm()).item<double>();
    std::printf(" %.1e", error);
    right = right && error <= (full ? 2e-6 : i == 0 ? 4e-3 : 8e-3);
  }
  std::printf("%s\n", right ? "" : "  too large");
  return right;
}

struct Timing {
  std::array<std::vector<double>, 2> wall;  // forward, backward; milliseconds
  std::vector<double> processor;            // both together
};

double processor_time() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void time_once(const Problem& problem, Operation operation, Timing& timing) {
  for (at::Tensor leaf : leaves(problem.input)) leaf.mutable_grad().reset();
  const auto milliseconds = [](Nanoseconds span) {
    return std::chrono::duration<double, std::milli>(span).count();
  };
  const double used = processor_time();
  const Nanoseconds begin = steady_clock().now();
  const at::Tensor out = operation(problem.input, problem.index);
  const Nanoseconds forward = steady_clock().now();
  torch::autograd::backward({out}, {problem.g.to(out.scalar_type())});
  timing.wall[0].push_back(milliseconds(forward - begin));
  timing.wall[1].push_back(milliseconds(steady_clock().now() - forward));
  timing.processor.push_back(processor_time() - used);
}

double quantile(std::vector<double> values, double at) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(at * static_cast<double>(values.size() - 1) + 0.5)];
}

double print(const char* name, const Timing& timing) {
  const auto part = [](const std::vector<double>& values) {
    char text[80];
    std::snprintf(text, sizeof text, "%.1f (%.1f to %.1f)", quantile(values, 0.5),
                  quantile(values, 0.1), quantile(values, 0.9));
    return std::string(text);
  };
  std::printf("%-9s forward %s, backward %s, processor %s ms\n", name, part(timing.wall[0]).c_str(),
              part(timing.wall[1]).c_str(), part(timing.processor).c_str());
  return quantile(timing.wall[0], 0.5) + quantile(timing.wall[1], 0.5);
}

int main(const Options& options) {
  if (!check(options)) return EXIT_FAILURE;
  const Problem problem = make_problem(options);
  std::printf("level %d: %lld nodes, %lld edges, %lld channels, %d heads, %s, %d threads\n",
              options.level, static_cast<long long>(problem.index.num_destinations),
              static_cast<long long>(problem.index.num_edges()),
              static_cast<long long>(options.channels), options.heads, c10::toString(options.dtype),
              at::get_num_threads());
  Timing loops;
  Timing composite;
  constexpr int kTurns = 5;
  constexpr int kLoopsPerTurn = 5;
  time_once(problem, attention, loops);  // the first run of each touches new memory: not counted
  time_once(problem, composite_attention, composite);
  loops = composite = {};
  for (int turn = 0; turn < kTurns; ++turn) {
    for (int i = 0; i < kLoopsPerTurn; ++i) time_once(problem, attention, loops);
    time_once(problem, composite_attention, composite);
  }
  const double ours = print("loops", loops);
  const double theirs = print("composite", composite);
  // Forward gathers k and v, backward v, k, q and g; all rows are also read or written once.
  const double rows = 6.0 * static_cast<double>(problem.index.num_edges()) +
                      10.0 * static_cast<double>(problem.index.num_destinations);
  const double bytes = rows * static_cast<double>(options.channels * problem.g.element_size());
  std::printf("loops: %.1f GB/s; composite / loops: wall %.1f, processor %.1f\n",
              bytes / ours / 1e6, theirs / ours,
              quantile(composite.processor, 0.5) / quantile(loops.processor, 0.5));
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace askos::model

int main(int argc, char** argv) {
  askos::model::Options options;
  if (argc > 1) options.level = std::atoi(argv[1]);
  if (argc > 2) options.channels = std::atoi(argv[2]);
  if (argc > 3) options.heads = std::atoi(argv[3]);
  if (argc > 4) options.dtype = std::string(argv[4]) == "bfloat16" ? at::kBFloat16 : at::kFloat;
  if (options.level < 1 || options.heads < 1 || options.channels % options.heads != 0) {
    std::fprintf(stderr, "usage: attention_bench [LEVEL [CHANNELS [HEADS [float32|bfloat16]]]]\n");
    return 2;
  }
  return askos::model::main(options);
}
