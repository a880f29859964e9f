// SPDX-License-Identifier: Apache-2.0
// Times the training step of the storm example's size on one rank with two threads and on two ranks
// with one thread each. Checks first that both follow the same losses.
//
//   step_bench [STEPS]
#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/graph_builders.hpp>
#include <askos/model/memory.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace askos::model {
namespace {

constexpr int kCells = 964;
constexpr int kHidden = 241;
constexpr int kBatch = 4;
constexpr double kDegree = 3.14159265358979323846 / 180;

/// 20 to 60 N, 140 to 52.5 W at 1.25 x 2.5 degrees, without its last cells.
Nodes storm_cells() {
  Nodes cells;
  for (int i = 0; i < kCells; ++i) {
    cells.lat.push_back((20 + 1.25 * (i / 30)) * kDegree);
    cells.lon.push_back((-140 + 2.5 * (i % 30)) * kDegree);
  }
  return cells;
}

ModelConfig storm_config() {
  ModelConfig config;
  config.variables.input = config.variables.output = {"p", "t", "u", "u500", "v", "v500"};
  config.num_channels = 128;
  config.num_layers = 4;
  config.encoder.num_heads = config.processor.num_heads = config.decoder.num_heads = 8;
  config.data_node_trainables = config.hidden_node_trainables = 0;
  config.zero_output_layer = true;
  return config;
}

struct Timing {
  std::vector<double> losses;
  std::vector<StepResult> steps;  // of rank 0
  std::vector<double> milliseconds;
  std::int64_t peak_bytes = 0;
  std::int64_t bytes_sent = 0;
};

void train(comm::Communicator& ranks, const Graph& graph, int num_steps, Timing* timing) {
  const MemoryMeter memory;
  Network network(storm_config(), graph, ranks, {.float64 = false, .seed = 1});
  const comm::Range own = network.own_data();
  Trainer trainer(network, ranks,
                  {.learning_rate = {.peak = 1e-3, .warmup_steps = 50, .total_steps = 300},
                   .adamw = {.weight_decay = 5},
                   .clip = {.norm = 1},
                   .scalers = {node_weights(graph.data_weights, own.begin, own.size())}});
  auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const auto fields = [&](int steps) {
    return at::randn({kBatch, steps, kCells, 6}, generator).narrow(2, own.begin, own.size());
  };
  const Batch batch = {.input = fields(2), .target = fields(1)};
  for (int s = 0; s < num_steps; ++s) {
    const Nanoseconds begin = steady_clock().now();
    const StepResult result = trainer.train_step(batch);
    const std::chrono::duration<double, std::milli> took = steady_clock().now() - begin;
    if (timing == nullptr) continue;
    timing->losses.push_back(result.loss);
    timing->steps.push_back(result);
    timing->milliseconds.push_back(took.count());
  }
  if (timing != nullptr) timing->peak_bytes = memory.read().peak_bytes;
}

Timing run(const Graph& graph, int num_ranks, int num_threads, int num_steps) {
  Timing timing;
  auto group = comm::make_local_group(num_ranks);
  std::vector<std::thread> threads;
  for (int r = 0; r < num_ranks; ++r) {
    threads.emplace_back([&, r] {
      at::set_num_threads(num_threads);
      train(*group[static_cast<std::size_t>(r)], graph, num_steps, r == 0 ? &timing : nullptr);
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
      "optimiser %.2f; peak %.1f MiB a rank\n",
      name, median(timing.milliseconds), *least, *most, part(&StepResult::forward),
      part(&StepResult::backward), part(&StepResult::reduce), part(&StepResult::optimiser),
      static_cast<double>(timing.peak_bytes) / (1 << 20));
}

int main(int num_steps) {
  const Nanoseconds begin = steady_clock().now();
  const Graph graph = regional_graph(storm_cells(), {.num_hidden = kHidden});
  const std::chrono::duration<double> built = steady_clock().now() - begin;
  std::printf("graph: %lld + %lld + %lld edges in %.3f s\n",
              static_cast<long long>(graph.data_to_hidden.size()),
              static_cast<long long>(graph.hidden_to_hidden.size()),
              static_cast<long long>(graph.hidden_to_data.size()), built.count());
  const Timing one = run(graph, 1, 2, num_steps);
  const Timing two = run(graph, 2, 1, num_steps);
  for (std::size_t s = 0; s < one.losses.size() && s < 20; ++s) {
    // Float32 sums in another order; parameters drift apart slowly.
    if (std::abs(two.losses[s] / one.losses[s] - 1) > 1e-5) {
      std::printf("losses differ at step %zu: %.9g and %.9g\n", s, one.losses[s], two.losses[s]);
      return EXIT_FAILURE;
    }
  }
  print("1 rank, 2 threads", one);
  print("2 ranks, 1 thread", two);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace askos::model

int main(int argc, char** argv) {
  return askos::model::main(argc > 1 ? std::atoi(argv[1]) : 40);
}
