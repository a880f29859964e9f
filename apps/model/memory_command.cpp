// SPDX-License-Identifier: Apache-2.0
#include "command_line/table.hpp"
#include "commands.hpp"
#include "parity/cases.hpp"
#include "parity/ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/base/unit.hpp>
#include <askos/model/memory.hpp>
#include <askos/model/memory_plan.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

/// How far plan and measurement may be apart.
constexpr double kTolerance = 0.15;

struct Options {
  std::string folder;
  ParityOptions run;
  std::int64_t batch = 1;
  double budget_mib = 0;  ///< 0: as many chunks as were asked for
};

struct Planned {
  model::MemoryPlan plan;
  std::int64_t measured_bytes = 0;
};

/// Counts the numbers of the state; buffers and aliases, which count too, are few.
std::int64_t count_parameters(const ModelCase& model) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model.weights) {
    count += tensor.numel();
  }
  return count;
}

/// Plans, chooses and makes one training step on every rank; rank 0 has the largest shard.
Planned plan_and_measure(const ModelCase& model, const Options& options) {
  Planned result;
  auto config = with_layout(model.config, make_layout(model, options.run));
  run_ranks(options.run.ranks.num_ranks, [&](comm::Communicator& ranks) {
    const model::MemoryPlanOptions wanted = {.batch = options.batch,
                                             .num_parameters = count_parameters(model)};
    const auto graph_plan = model::make_graph_plan(model.graph, ranks);
    auto plan = options.budget_mib > 0
                    ? model::choose_chunks(config, graph_plan, wanted,
                                           std::llround(options.budget_mib * (1 << 20)))
                    : model::plan_memory(config, graph_plan, wanted);
    // The largest number that some rank needs counts for all.
    std::int64_t chosen[] = {plan.mapper_chunks, plan.processor_segments};
    ranks.all_reduce({chosen, 2, DType::kInt64}, comm::ReduceOp::kMax)->wait();
    auto own_config = config;
    own_config.encoder.num_chunks = own_config.decoder.num_chunks = static_cast<int>(chosen[0]);
    own_config.processor.num_chunks = static_cast<int>(chosen[1]);

    const model::MemoryMeter meter;
    model::Network network(own_config, model.graph, ranks);
    model::Trainer trainer(network, ranks, {});
    const auto fields = [&](int steps, const std::vector<std::string>& variables) {
      return at::rand({options.batch, steps, network.own_data().size(),
                       static_cast<std::int64_t>(variables.size())});
    };
    (void)trainer.train_step({.input = fields(config.num_input_steps, config.variables.input),
                              .target = fields(config.num_output_steps, config.variables.output)});
    if (ranks.rank() == 0) {
      result = {model::plan_memory(own_config, graph_plan, wanted), meter.read().peak_bytes};
    }
  });
  return result;
}

void print(const Planned& found, double ratio, bool json) {
  if (json) {
    nlohmann::ordered_json parts = nlohmann::ordered_json::object();
    for (const auto& part : found.plan.parts) {
      parts[part.name] = {{"kept_bytes", part.kept_bytes}, {"working_bytes", part.working_bytes}};
    }
    const nlohmann::ordered_json line = {{"mapper_chunks", found.plan.mapper_chunks},
                                         {"processor_segments", found.plan.processor_segments},
                                         {"parts", parts},
                                         {"planned_bytes", found.plan.peak_bytes},
                                         {"measured_bytes", found.measured_bytes}};
    std::cout << line.dump() << "\n";
    return;
  }
  const auto text = [](std::int64_t bytes) { return (std::ostringstream() << Bytes{bytes}).str(); };
  Table table({{"part", Align::kLeft}, {"kept"}, {"besides, while backward is in it"}});
  for (const auto& part : found.plan.parts) {
    table.add({part.name, text(part.kept_bytes), text(part.working_bytes)});
  }
  std::cout << table << found.plan.mapper_chunks << " mapper chunks, "
            << found.plan.processor_segments
            << " processor segments: " << text(found.plan.peak_bytes) << " planned, "
            << text(found.measured_bytes) << " measured (" << fixed(100 * (ratio - 1), 1)
            << " %)\n";
}

int memory(const Options& options, bool json) {
  const auto model = read_model_case(options.folder);
  const Planned found = plan_and_measure(model, options);
  const double ratio =
      static_cast<double>(found.plan.peak_bytes) / static_cast<double>(found.measured_bytes);
  print(found, ratio, json);
  if (std::abs(ratio - 1) > kTolerance) {
    throw Error(Errc::kCheckFailed, "a step takes another amount of memory than planned")
        .with("planned_bytes", found.plan.peak_bytes)
        .with("measured_bytes", found.measured_bytes);
  }
  return 0;
}

}  // namespace

void add_memory(const ModelLine& line) {
  auto& command = *line.app.add_subcommand(
      "memory", "plan the memory of a training step, choose chunks that fit, and measure it");
  auto options = std::make_shared<Options>();
  command.add_option("case", options->folder, "folder of a model case")->required();
  command.add_option("--ranks", options->run.ranks.num_ranks, "local ranks that share the model")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--batch", options->batch, "samples of a step")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.add_option("--chunks", options->run.chunks, "pieces of encoder and decoder");
  command.add_option("--segments", options->run.segments, "pieces of the processor's layers");
  command
      .add_option("--budget", options->budget_mib,
                  "MiB per rank: take the fewest chunks and segments that fit")
      ->check(CLI::PositiveNumber);
  add_common_options(command, line.common);
  command.footer(
      "Example: askos memory tests/parity/base --budget 16\n"
      "Exit code 6: nothing fits the budget; 7: plan and measurement differ by more than 15 %.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return memory(*options, common.json); };
  });
}

}  // namespace askos::apps
