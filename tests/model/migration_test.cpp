// SPDX-License-Identifier: Apache-2.0
// Older states of the reference, made from a stored one by undoing its renamings.
#include "parity/model_case.hpp"
#include "ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/model/migration.hpp>
#include <askos/model/network.hpp>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

namespace askos::model::test {
namespace {

const apps::ModelCase& stored() {
  static const apps::ModelCase kCase =
      apps::read_model_case(std::filesystem::path(ASKOS_PARITY_FOLDER) / "base");
  return kCase;
}

MigratedState migrated(const NamedTensors& state) {
  return migrate(state, stored().config, stored().graph);
}

void expect_stored(const MigratedState& found) {
  EXPECT_EQ(found.state.size(), stored().weights.size());
  for (const auto& [name, tensor] : stored().weights) {
    ASSERT_TRUE(found.state.contains(name)) << name;
    EXPECT_TRUE(found.state.at(name).equal(tensor)) << name;
  }
}

std::string replaced(std::string name, const std::string& from, const std::string& to) {
  const auto at = name.find(from);
  return at == std::string::npos ? name : name.replace(at, from.size(), to);
}

NamedTensors renamed(const NamedTensors& state,
                     const std::function<std::string(std::string)>& rename) {
  NamedTensors older;
  for (const auto& [name, tensor] : state) older[rename(name)] = tensor;
  return older;
}

/// Puts trainables into the graph's own order of edges, as before there was a layout version.
NamedTensors unsorted(NamedTensors state) {
  const Graph& graph = stored().graph;
  for (const auto& [provider, edges] :
       {std::pair{"encoder_graph_provider.data", &graph.data_to_hidden},
        std::pair{"processor_graph_provider", &graph.hidden_to_hidden},
        std::pair{"decoder_graph_provider.data", &graph.hidden_to_data}}) {
    state.erase(std::string(provider) + ".trainable_layout_version");
    at::Tensor& sorted = state.at(std::string(provider) + ".trainable.trainable");
    const at::Tensor order =
        std::get<1>(at::sort(at::tensor(edges->dst, at::kLong), /*stable=*/true, 0, false));
    sorted = at::empty_like(sorted).index_copy_(0, order, sorted.clone());
  }
  return state;
}

/// 0.18: encoder and decoder carry the dataset's name.
std::string name_0_18(std::string name) {
  return replaced(replaced(std::move(name), "encoder.0.", "encoder.data."), "decoder.0.",
                  "decoder.data.");
}

TEST(Migration, LeavesTodaysStateAsItIs) {
  const MigratedState found = migrated(stored().weights);
  expect_stored(found);
  EXPECT_THAT(found.changes, ::testing::IsEmpty());
}

TEST(Migration, NamesEncoderAndDecoderByTheirKeys) {
  const MigratedState found = migrated(renamed(stored().weights, name_0_18));
  expect_stored(found);
  EXPECT_THAT(found.changes, ::testing::ElementsAre("named encoder and decoder by their keys"));
}

TEST(Migration, SortsEdgeTrainablesOfOlderGraphProviders) {
  expect_stored(migrated(unsorted(renamed(stored().weights, name_0_18))));
  NamedTensors short_one = unsorted(stored().weights);
  at::Tensor& trainable = short_one.at("processor_graph_provider.trainable.trainable");
  trainable = trainable.narrow(0, 0, 7);
  EXPECT_THROW((void)migrated(short_one), Error);
}

TEST(Migration, NumbersChunkedProcessorsThrough) {
  // Two layers in one chunk, and in two.
  const MigratedState one = migrated(renamed(stored().weights, [](const std::string& name) {
    return replaced(replaced(name, "processor.proc.0.", "processor.proc.0.blocks.0."),
                    "processor.proc.1.", "processor.proc.0.blocks.1.");
  }));
  expect_stored(one);
  expect_stored(migrated(renamed(stored().weights, [](const std::string& name) {
    return replaced(replaced(name, "processor.proc.0.", "processor.proc.0.blocks.0."),
                    "processor.proc.1.", "processor.proc.1.blocks.0.");
  })));
}

TEST(Migration, ReadsACheckpointOfOneUnnamedDataset) {
  // As of 0.11: no dataset names, bare layers in node_dst_mlp, edge lists stored, all in a
  // training checkpoint beside what is not the network's.
  NamedTensors older =
      renamed(unsorted(stored().weights), [](const std::string& name) -> std::string {
        std::string old = replaced(name, "node_dst_mlp.mlp.", "node_dst_mlp.");
        old = replaced(replaced(old, "encoder.0.", "encoder."), "decoder.0.", "decoder.");
        for (const char* part : {"encoder", "processor", "decoder"}) {
          old = replaced(
              replaced(old, std::string(part) + "_graph_provider.data.", std::string(part) + "."),
              std::string(part) + "_graph_provider.", std::string(part) + ".");
        }
        return "model.model." + old;
      });
  older["model.model.encoder.edge_inc"] = at::zeros({2, 1});
  older["model.pre_processors.processors.normalizer._norm_mul"] = at::ones({8});
  older["loss.scaler"] = at::ones({1});
  const MigratedState found = migrated(older);
  expect_stored(found);
  EXPECT_EQ(found.others.size(), 2U);
  EXPECT_TRUE(found.others.contains("pre_processors.processors.normalizer._norm_mul"));
}

TEST(Migration, PutsAttributesOfNodesSideBySide) {
  expect_stored(migrated(renamed(stored().weights, [](const std::string& name) {
    return replaced(name, "node_attributes.", "node_attributes.data.");
  })));
}

TEST(Migration, LeavesNamesThatMeanNothing) {
  NamedTensors odd = stored().weights;
  for (const char* name :
       {"", ".", "encoder", "decoder.", "processor.proc.x.blocks.1.w", "encoder_graph_provider",
        "processor.proc.99999999999999999999.blocks.0.w.x", "node_attributes", "a..b"}) {
    odd[name] = at::zeros({1});
  }
  const MigratedState found = migrated(odd);
  for (const auto& [name, tensor] : stored().weights) EXPECT_TRUE(found.state.contains(name));
  EXPECT_TRUE(found.state.contains("processor.proc.x.blocks.1.w"));
}

TEST(Migration, GivesAStateThatANetworkTakes) {
  const MigratedState found = migrated(unsorted(renamed(stored().weights, name_0_18)));
  run_ranks(1, [&](comm::Communicator& ranks) {
    Network network(stored().config, stored().graph, ranks);
    network.parameters().load(found.state);
  });
}

}  // namespace
}  // namespace askos::model::test
