// SPDX-License-Identifier: Apache-2.0
// Times whole training steps on a CUDA device: forward, loss, backward, gradient norm, AdamW.
// Checks first, on a small globe, that products in bfloat16 give the losses of float32.
//
//   device_step_bench [CASE] [--steps N] [--float32] [--chunks N] [--segments N]
//                    [--trace FILE]
//
// CASE: o32, o96 or n320, the sizes (evenly spread points, icosphere, cut-off 0.6, three nearest)
// of bench/peers/reference_step.py, which times the reference's model. Chunks and segments are
// recomputed in backward to save memory. Prints one line of JSON.
#include "model/step_cases.hpp"

#include <askos/base/clock.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/device.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

namespace askos::model::bench {
namespace {

struct Options {
  std::string name = "o32";
  int num_steps = 12;
  bool bfloat16 = true;
  int chunks = 0;
  int segments = 0;
  std::string trace;  ///< file for the kernels of the last step
};

ModelConfig config_of(const StepCase& sizes, const Options& options) {
  ModelConfig config;
  for (int v = 0; v < sizes.variables; ++v) {
    config.variables.input.push_back("v" + std::to_string(v));
  }
  config.variables.output = config.variables.input;
  config.num_channels = sizes.channels;
  config.num_layers = sizes.layers;
  for (BlockConfig* block : {&config.encoder, &config.processor, &config.decoder}) {
    block->num_heads = sizes.heads;
  }
  config.encoder.num_chunks = config.decoder.num_chunks = options.chunks;
  config.processor.num_chunks = options.segments;
  return config;
}

namespace profiler = torch::autograd::profiler;

/// Steps before it set libraries up and record the step's CUDA graph.
constexpr int kFirstTimed = 4;

void start_trace() {
  const std::set<torch::profiler::impl::ActivityType> activities = {
      torch::profiler::impl::ActivityType::CPU, torch::profiler::impl::ActivityType::CUDA};
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
}

struct Timing {
  std::vector<double> losses;
  std::vector<double> milliseconds;
};

Timing train(const Graph& graph, const StepCase& sizes, const Options& options, at::Device device) {
  at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCUDA, options.bfloat16);
  const auto group = comm::make_local_group(1);
  Network network(config_of(sizes, options), graph, *group[0], {.seed = 1, .device = device});
  const comm::Range own = network.own_data();
  Trainer trainer(network, *group[0],
                  {.learning_rate = {.peak = 1e-3, .warmup_steps = 50, .total_steps = 300},
                   .scalers = {node_weights(graph.data_weights, own.begin, own.size())}});
  auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const auto fields = [&](int steps) {
    return at::randn({1, steps, graph.data.size(), sizes.variables}, generator).to(device);
  };
  const Batch batch = {.input = fields(2), .target = fields(1)};
  Timing timing;
  for (int s = 0; s < options.num_steps; ++s) {
    const bool traces = !options.trace.empty() && s + 1 == options.num_steps;
    if (traces) start_trace();
    c10::cuda::device_synchronize();
    const Nanoseconds begin = steady_clock().now();
    timing.losses.push_back(trainer.train_step(batch).loss);
    c10::cuda::device_synchronize();
    const std::chrono::duration<double, std::milli> took = steady_clock().now() - begin;
    if (traces) {
      profiler::disableProfiler()->save(options.trace);
    } else if (s >= kFirstTimed)
      timing.milliseconds.push_back(took.count());
    at::autocast::clear_cache();
  }
  at::autocast::set_autocast_enabled(at::kCUDA, false);
  std::sort(timing.milliseconds.begin(), timing.milliseconds.end());
  return timing;
}

/// Whether a few steps of a small model give the same losses in both precisions.
bool check(at::Device device) {
  const StepCase sizes = step_case("toy");
  const Graph graph = graph_of(sizes);
  const Timing full = train(graph, sizes, {.num_steps = 5, .bfloat16 = false}, device);
  const Timing half = train(graph, sizes, {.num_steps = 5}, device);
  for (std::size_t s = 0; s < full.losses.size(); ++s) {
    if (!(std::abs(half.losses[s] / full.losses[s] - 1) < 1e-2)) {
      std::fprintf(stderr, "losses differ in step %zu: float32 %.9g, bfloat16 %.9g\n", s,
                   full.losses[s], half.losses[s]);
      return false;
    }
  }
  return true;
}

int main(const Options& options) {
  const at::Device device = find_device("cuda");
  if (!check(device)) return EXIT_FAILURE;
  const StepCase sizes = step_case(options.name);
  const Graph graph = graph_of(sizes);
  c10::cuda::CUDACachingAllocator::emptyCache();
  c10::cuda::CUDACachingAllocator::resetPeakStats(0);
  const Timing timing = train(graph, sizes, options, device);
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
  const auto& ms = timing.milliseconds;
  std::printf(
      "{\"case\": \"%s\", \"precision\": \"%s\", \"chunks\": %d, \"segments\": %d, \"edges\": "
      "[%lld, %lld, %lld], \"step_ms\": {\"median\": %.2f, \"p10\": %.2f, \"p90\": %.2f}, "
      "\"peak_GiB\": %.2f, \"loss\": %.6g, \"device\": \"%s\"}\n",
      options.name.c_str(), options.bfloat16 ? "bfloat16" : "float32", options.chunks,
      options.segments, static_cast<long long>(graph.data_to_hidden.size()),
      static_cast<long long>(graph.hidden_to_hidden.size()),
      static_cast<long long>(graph.hidden_to_data.size()), ms[ms.size() / 2], ms[ms.size() / 10],
      ms[ms.size() * 9 / 10], static_cast<double>(stats.allocated_bytes[0].peak) / (1 << 30),
      timing.losses.back(), describe(device).c_str());
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace askos::model::bench

int main(int argc, char** argv) {
  askos::model::bench::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "o32" || argument == "o96" || argument == "n320") {
      options.name = argument;
    } else if (argument == "--float32") {
      options.bfloat16 = false;
    } else if (argument == "--steps" && has_value) {
      options.num_steps = std::max(6, std::atoi(argv[++i]));
    } else if (argument == "--chunks" && has_value) {
      options.chunks = std::atoi(argv[++i]);
    } else if (argument == "--trace" && has_value) {
      options.trace = argv[++i];
    } else if (argument == "--segments" && has_value) {
      options.segments = std::atoi(argv[++i]);
    } else {
      std::fprintf(stderr,
                   "usage: device_step_bench [o32|o96|n320] [--steps N] [--float32] [--chunks N] "
                   "[--segments N] [--trace FILE]\n");
      return 2;
    }
  }
  try {
    return askos::model::bench::main(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "device_step_bench: %s\n", error.what());
    return 6;
  }
}
