// SPDX-License-Identifier: Apache-2.0
// Times a training step on one rank with two threads and on two ranks with one thread each, turn
// by turn. Checks first that both follow the same losses.
//
//   step_bench [CASE] [STEPS] [--bfloat16]     CASE: storm (the example's size) or globe
//
// With --bfloat16 linear layers multiply in it, and the losses must be those of float32 within 1 %.
// bench/peers/reference_step.py times the same cases with the reference's model.
#include "model/step_cases.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/graph_builders.hpp>
#include <askos/model/memory.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

namespace askos::model {
namespace {

constexpr double kDegree = 3.14159265358979323846 / 180;

struct Case {
  ModelConfig config;
  Graph graph;
  std::int64_t batch = 1;
  Precision precision = Precision::kModel;
};

ModelConfig config_of(int channels, int layers, int num_variables) {
  ModelConfig config;
  for (int v = 0; v < num_variables; ++v) {
    config.variables.input.push_back("v" + std::to_string(v));
  }
  config.variables.output = config.variables.input;
  config.num_channels = channels;
  config.num_layers = layers;
  config.encoder.num_heads = config.processor.num_heads = config.decoder.num_heads = 8;
  return config;
}

/// 20 to 60 N, 140 to 52.5 W at 1.25 x 2.5 degrees, without its last cells.
Case storm() {
  Nodes cells;
  for (int i = 0; i < 964; ++i) {
    cells.lat.push_back((20 + 1.25 * (i / 30)) * kDegree);
    cells.lon.push_back((-140 + 2.5 * (i % 30)) * kDegree);
  }
  Case result = {config_of(128, 4, 6), regional_graph(cells, {.num_hidden = 241}), 4};
  result.config.data_node_trainables = result.config.hidden_node_trainables = 0;
  result.config.zero_output_layer = true;
  return result;
}

Case globe() {
  Graph graph;
  graph.data = bench::spiral(5248);
  graph.hidden = bench::spiral(1288);
  graph.data_to_hidden = nearest_neighbour_edges(graph.data, graph.hidden, 12);
  graph.hidden_to_hidden = nearest_neighbour_edges(graph.hidden, graph.hidden, 12);
  graph.hidden_to_data = nearest_neighbour_edges(graph.hidden, graph.data, 3);
  set_directional_attributes(graph);
  graph.data_weights.assign(graph.data.lat.size(), 1.0);
  return {config_of(256, 12, 20), std::move(graph), 1};
}

struct Timing {
  std::vector<double> losses;
  std::vector<StepResult> steps;  // of rank 0
  std::vector<double> milliseconds;
  std::int64_t peak_bytes = 0;
  double processor_milliseconds = 0;  // per step, all threads of the process

  /// Adds another turn's steps, without its first two.
  void add(const Timing& turn) {
    const auto append = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin() + std::min<std::ptrdiff_t>(2, std::ssize(from)), from.end());
    };
    append(steps, turn.steps);
    append(milliseconds, turn.milliseconds);
    peak_bytes = std::max(peak_bytes, turn.peak_bytes);
    processor_milliseconds = processor_milliseconds == 0
                                 ? turn.processor_milliseconds
                                 : std::min(processor_milliseconds, turn.processor_milliseconds);
  }
};

double processor_time() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void train(comm::Communicator& ranks, const Case& problem, int num_steps, Timing* timing) {
  const MemoryMeter memory;
  const Graph& graph = problem.graph;
  const auto num_variables = static_cast<std::int64_t>(problem.config.variables.input.size());
  Network network(problem.config, graph, ranks, {.float64 = false, .seed = 1});
  const comm::Range own = network.own_data();
  Trainer trainer(network, ranks,
                  {.learning_rate = {.peak = 1e-3, .warmup_steps = 50, .total_steps = 300},
                   .adamw = {.weight_decay = 5},
                   .clip = {.norm = 1},
                   .scalers = {node_weights(graph.data_weights, own.begin, own.size())},
                   .precision = problem.precision});
  auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const auto fields = [&](int steps) {
    return at::randn({problem.batch, steps, graph.data.size(), num_variables}, generator)
        .narrow(2, own.begin, own.size());
  };
  const Batch batch = {.input = fields(2), .target = fields(1)};
  double used = 0;
  for (int s = 0; s < num_steps; ++s) {
    if (s == 2) used = processor_time();
    const Nanoseconds begin = steady_clock().now();
    const StepResult result = trainer.train_step(batch);
    const std::chrono::duration<double, std::milli> took = steady_clock().now() - begin;
    if (timing == nullptr) continue;
    timing->losses.push_back(result.loss);
    timing->steps.push_back(result);
    timing->milliseconds.push_back(took.count());
  }
  if (timing == nullptr) return;
  timing->peak_bytes = memory.read().peak_bytes;
  timing->processor_milliseconds = (processor_time() - used) / std::max(1, num_steps - 2);
}

Timing run(const Case& problem, int num_ranks, int num_threads, int num_steps) {
  Timing timing;
  auto group = comm::make_local_group(num_ranks);
  std::vector<std::thread> threads;
  for (int r = 0; r < num_ranks; ++r) {
    threads.emplace_back([&, r] {
      at::set_num_threads(num_threads);
      train(*group[static_cast<std::size_t>(r)], problem, num_steps, r == 0 ? &timing : nullptr);
    });
  }
  for (auto& thread : threads) thread.join();
  return timing;
}

template <typename T>
double median(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return static_cast<double>(values[values.size() / 2]);
}

void print(const char* name, const Timing& timing) {
  const auto part = [&](Nanoseconds StepResult::* member) {
    std::vector<double> values;
    for (const auto& step : timing.steps) {
      values.push_back(std::chrono::duration<double, std::milli>(step.*member).count());
    }
    return median(values);
  };
  const auto [least, most] =
      std::minmax_element(timing.milliseconds.begin(), timing.milliseconds.end());
  std::printf(
      "%s: %.1f ms/step (%.1f to %.1f); forward %.1f, backward %.1f, reduce %.2f, "
      "optimiser %.2f; processor %.1f; peak %.1f MiB a rank\n",
      name, median(timing.milliseconds), *least, *most, part(&StepResult::forward),
      part(&StepResult::backward), part(&StepResult::reduce), part(&StepResult::optimiser),
      timing.processor_milliseconds, static_cast<double>(timing.peak_bytes) / (1 << 20));
}

/// Whether the losses of `found` are those of `expected`, up to `tolerance` of them.
bool agree(const std::vector<double>& found,
           const std::vector<double>& expected,
           double tolerance) {
  for (std::size_t s = 0; s < std::min<std::size_t>(expected.size(), 20); ++s) {
    if (std::abs(found[s] / expected[s] - 1) <= tolerance) continue;
    std::printf("losses differ at step %zu: %.9g and %.9g\n", s, expected[s], found[s]);
    return false;
  }
  return true;
}

int main(const Case& problem, int num_steps) {
  const Graph& graph = problem.graph;
  std::printf("edges: %lld + %lld + %lld\n", static_cast<long long>(graph.data_to_hidden.size()),
              static_cast<long long>(graph.hidden_to_hidden.size()),
              static_cast<long long>(graph.hidden_to_data.size()));
  constexpr int kTurns = 3;
  std::array<Timing, 2> timings;
  if (problem.precision != Precision::kModel) {
    Case exact = problem;
    exact.precision = Precision::kModel;
    if (!agree(run(problem, 1, 2, num_steps).losses, run(exact, 1, 2, num_steps).losses, 1e-2)) {
      return EXIT_FAILURE;
    }
  }
  for (int turn = 0; turn < kTurns; ++turn) {
    const std::array<Timing, 2> now = {run(problem, 1, 2, num_steps),
                                       run(problem, 2, 1, num_steps)};
    // Sums in another order; parameters drift apart slowly.
    const double tolerance = problem.precision == Precision::kModel ? 1e-5 : 5e-3;
    if (!agree(now[1].losses, now[0].losses, tolerance)) return EXIT_FAILURE;
    for (std::size_t i = 0; i < 2; ++i) timings[i].add(now[i]);
  }
  print("1 rank, 2 threads", timings[0]);
  print("2 ranks, 1 thread", timings[1]);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace askos::model

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "storm";
  const std::string last = argc > 1 ? argv[argc - 1] : "";
  const bool bfloat16 = last == "--bfloat16";
  if (name != "storm" && name != "globe") {
    std::fprintf(stderr, "usage: step_bench [storm|globe] [STEPS] [--bfloat16]\n");
    return 2;
  }
  askos::model::Case problem = name == "storm" ? askos::model::storm() : askos::model::globe();
  if (bfloat16) problem.precision = askos::model::Precision::kBFloat16;
  return askos::model::main(problem, argc > (bfloat16 ? 3 : 2) ? std::atoi(argv[2]) : 12);
}
