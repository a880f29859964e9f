// SPDX-License-Identifier: Apache-2.0
#include "weights/weights_folder.hpp"

#include "parity/json_object.hpp"
#include "parity/ranks.hpp"
#include "parity/reference_config.hpp"
#include "parity/reference_graph.hpp"
#include "parity/tensor_file.hpp"

#include <askos/base/error.hpp>
#include <askos/io/atomic_file.hpp>
#include <askos/io/checkpoint_layout.hpp>
#include <askos/io/checkpoint_store.hpp>
#include <askos/io/safetensors.hpp>
#include <askos/model/migration.hpp>
#include <askos/model/network.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>

#include <fstream>
#include <iostream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::array kDescriptions = {"graph.safetensors", "model.json"};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void take_descriptions(Weights& weights, const fs::path& folder) {
  for (const char* name : kDescriptions) {
    if (exists(folder / name)) {
      weights.files[name] = read_file(folder / name);
    }
  }
}

Weights from_checkpoint(const io::CheckpointStore& store, const io::CheckpointInfo& checkpoint) {
  Weights weights = {.tensors = {}, .files = {}, .source = checkpoint.folder.string()};
  io::Safetensors state;
  state.arrays = io::read_state(checkpoint);
  weights.tensors = model::forecast_weights(to_tensors(state));
  for (const auto& part : checkpoint.parts) {
    if (!io::is_state_part(part.name)) {
      const auto bytes = store.read(checkpoint, part.name);
      weights.files[part.name] = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
  }
  return weights;
}

}  // namespace

Weights import_weights(const ReferenceFiles& files) {
  const auto json = read_json(files.config);
  const auto config = read_reference_config(json, files.config.string() + ": ");
  const auto graph = read_reference_graph(TensorFile(files.graph), json);
  const auto migrated = model::migrate(read_tensors(files.weights), config, graph);
  for (const auto& change : migrated.changes) {
    std::cerr << "askos: older weights: " << change << '\n';
  }
  if (!migrated.others.empty()) {
    std::cerr << "askos: left out " << migrated.others.size()
              << " tensors that are not the network's, such as " << migrated.others.begin()->first
              << '\n';
  }
  Weights weights = {.tensors = {},
                     .files = {{"graph.safetensors", read_file(files.graph)},
                               {"model.json", read_file(files.config)}},
                     .source = files.weights.string()};
  run_ranks(1, [&](comm::Communicator& ranks) {
    model::Network network(config, graph, ranks);
    try {
      network.parameters().load(migrated.state);
    } catch (Error& fault) {
      throw fault.with("weights", files.weights.string());
    }
    weights.tensors = network.parameters().state();
  });
  return weights;
}

Weights read_weights(const fs::path& source) {
  if (is_regular_file(source)) {
    return {.tensors = read_tensors(source), .files = {}, .source = source.string()};
  }
  if (exists(source / "weights.safetensors")) {
    Weights weights = {.tensors = read_tensors(source / "weights.safetensors"),
                       .files = {},
                       .source = (source / "weights.safetensors").string()};
    take_descriptions(weights, source);
    return weights;
  }
  const fs::path folder = exists(source / "checkpoints") ? source / "checkpoints" : source;
  if (is_directory(folder)) {
    const io::CheckpointStore store(folder);
    if (const auto newest = store.find_newest_valid()) {
      return from_checkpoint(store, *newest);
    }
  }
  throw Error(Errc::kNotFound, "no weights there")
      .with("source", source.string())
      .with("expected", "a safetensors file, a folder with weights.safetensors or checkpoints");
}

void write_checkpoint(const fs::path& folder, const Weights& weights) {
  fs::create_directories(folder);
  std::vector<io::CheckpointPart> parts = {
      {.name = io::kWholeState,
       .write = [&](io::ByteSink& sink) { write_tensors(sink, weights.tensors); }}};
  for (const auto& [name, contents] : weights.files) {
    parts.push_back({.name = name, .write = [&contents](io::ByteSink& sink) {
                       sink.append(std::string_view(contents));
                     }});
  }
  io::CheckpointStore(folder / "checkpoints")
      .write(0, parts,
             io::Metadata::Object{{"format", io::kCheckpointFormat},
                                  {"step", std::int64_t{0}},
                                  {"imported_from", weights.source}});
}

void write_reference_files(const fs::path& folder, const Weights& weights) {
  fs::create_directories(folder);
  io::write_file_atomically(folder / "weights.safetensors",
                            [&](io::ByteSink& sink) { write_tensors(sink, weights.tensors); });
  for (const auto& [name, contents] : weights.files) {
    io::write_file_atomically(folder / name, [&contents](io::ByteSink& sink) {
      sink.append(std::string_view(contents));
    });
  }
}

}  // namespace askos::apps
