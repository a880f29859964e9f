// SPDX-License-Identifier: Apache-2.0
#include "parity/model_case.hpp"

#include "parity/json_object.hpp"
#include "parity/reference_config.hpp"
#include "parity/reference_graph.hpp"

#include <askos/model/migration.hpp>

namespace askos::apps {

ModelCase read_model_case(const std::filesystem::path& folder) {
  auto json = read_json(folder / "model.json");
  auto config = read_reference_config(json, (folder / "model.json").string() + ": ");
  auto graph = read_reference_graph(TensorFile(folder / "graph.safetensors"), json);
  auto weights = model::migrate(read_tensors(folder / "weights.safetensors"), config, graph).state;
  return {.folder = folder,
          .json = std::move(json),
          .config = std::move(config),
          .graph = std::move(graph),
          .weights = std::move(weights),
          .io = TensorFile(folder / "io.safetensors")};
}

}  // namespace askos::apps
