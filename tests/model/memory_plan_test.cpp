// SPDX-License-Identifier: Apache-2.0
// The memory plan against what a training step takes.
#include "random_graph.hpp"
#include "ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/model/chunk_environment.hpp>
#include <askos/model/memory.hpp>
#include <askos/model/memory_plan.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <map>

namespace askos::model::test {
namespace {

ModelConfig config_of(int channels, int chunks, int segments) {
  ModelConfig config;
  config.variables = {.input = {"a", "b", "c", "f"}, .output = {"a", "b", "c", "d"}};
  config.num_channels = channels;
  config.num_layers = 4;
  for (auto* block : {&config.encoder, &config.processor, &config.decoder}) block->num_heads = 4;
  config.encoder.num_chunks = config.decoder.num_chunks = chunks;
  config.processor.num_chunks = segments;
  return config;
}

struct Measured {
  std::int64_t planned = 0;
  std::int64_t peak = 0;
};

/// Peak of a step after the first one, which makes what stays; of rank 0.
Measured measure(const ModelConfig& config, const Graph& graph, int num_ranks, std::int64_t batch) {
  Measured measured;
  run_ranks(num_ranks, [&](comm::Communicator& ranks) {
    const MemoryMeter meter;
    Network network(config, graph, ranks);
    Trainer trainer(network, ranks, {});
    const auto own = network.own_data().size();
    const Batch data = {.input = at::rand({batch, 2, own, 4}),
                        .target = at::rand({batch, 1, own, 4})};
    (void)trainer.train_step(data);
    if (ranks.rank() != 0) return;
    measured.peak = meter.read().peak_bytes;
    measured.planned =
        plan_memory(config, network.plan(),
                    {.batch = batch, .num_parameters = network.parameters().num_elements()})
            .peak_bytes;
  });
  return measured;
}

TEST(MemoryPlan, IsWithinFifteenPercentOfTheMeasuredPeak) {
  const Graph wide = RandomGraph(1).make(6000, 700);
  const Graph deep = RandomGraph(2).make(2000, 1500);
  for (const Graph* graph : {&wide, &deep}) {
    for (const auto& [chunks, segments] :
         {std::pair{0, 0}, std::pair{0, 4}, std::pair{1, 1}, std::pair{4, 2}, std::pair{16, 4}}) {
      for (const int num_ranks : {1, 3}) {
        SCOPED_TRACE(::testing::Message() << chunks << " chunks, " << segments << " segments, "
                                          << num_ranks << " ranks, " << graph->data.size());
        const Measured found = measure(config_of(48, chunks, segments), *graph, num_ranks, 1);
        EXPECT_NEAR(static_cast<double>(found.planned) / static_cast<double>(found.peak), 1, 0.15)
            << found.planned << " planned, " << found.peak << " measured";
      }
    }
  }
  const Measured two = measure(config_of(32, 2, 2), wide, 1, 2);
  EXPECT_NEAR(static_cast<double>(two.planned) / static_cast<double>(two.peak), 1, 0.15);
}

TEST(MemoryPlan, ChoosesTheLeastRecomputationThatFits) {
  const Graph graph = RandomGraph(1).make(3000, 300);
  run_ranks(1, [&](comm::Communicator& ranks) {
    const ModelConfig config = config_of(32, 0, 0);
    const GraphPlan plan = make_graph_plan(graph, ranks);
    const MemoryPlanOptions options = {.num_parameters = 100'000};
    const auto all = plan_memory(config, plan, options).peak_bytes;
    EXPECT_EQ(choose_chunks(config, plan, options, all).mapper_chunks, 0);
    const MemoryPlan half = choose_chunks(config, plan, options, all / 2);
    EXPECT_GT(half.mapper_chunks, 0);
    EXPECT_LE(half.peak_bytes, all / 2);
    EXPECT_THROW((void)choose_chunks(config, plan, options, 1000), Error);
  });
}

/// Sets variables until it dies.
class Environment {
 public:
  explicit Environment(std::map<std::string, std::string> variables)
      : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : variables_) unsetenv(name.c_str());
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::map<std::string, std::string> variables_;
};

TEST(ChunkEnvironment, RaisesChunksAndNeverLowersThem) {
  const ModelConfig config = config_of(32, 4, 0);
  EXPECT_EQ(with_environment_chunks(config).encoder.num_chunks, 4);
  {
    const Environment both({{"ASKOS_NUM_CHUNKS", "8"}, {"ASKOS_NUM_CHUNKS_MAPPER", "2"}});
    EXPECT_EQ(with_environment_chunks(config).encoder.num_chunks, 4);
    EXPECT_EQ(with_environment_chunks(config).processor.num_chunks, 4);  // as many as layers
  }
  {
    const Environment reference({{"ANEMOI_INFERENCE_NUM_CHUNKS_MAPPER", "16"},
                                 {"ANEMOI_INFERENCE_NUM_CHUNKS_PROCESSOR", "3"}});
    EXPECT_EQ(with_environment_chunks(config).decoder.num_chunks, 16);
    EXPECT_EQ(with_environment_chunks(config).processor.num_chunks, 4);  // 3 does not divide 4
  }
  const Environment wrong(std::map<std::string, std::string>{{"ASKOS_NUM_CHUNKS", "many"}});
  EXPECT_THROW((void)with_environment_chunks(config), Error);
}

}  // namespace
}  // namespace askos::model::test
