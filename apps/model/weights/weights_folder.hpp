// SPDX-License-Identifier: Apache-2.0
// Weights outside a run: the reference's files, and askos checkpoints that hold the same.
#pragma once

#include <askos/model/parameters.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace askos::apps {

/// A model's tensors under the reference's names and, as far as there are, the files that describe
/// its graph and configuration.
struct Weights {
  model::NamedTensors tensors;
  std::map<std::string, std::string> files;  ///< by name: graph.safetensors, model.json; contents
  std::string source;                        ///< the file or checkpoint they are from
};

/// What `import_weights` reads.
struct ReferenceFiles {
  std::filesystem::path weights;  ///< safetensors
  std::filesystem::path graph;    ///< safetensors
  std::filesystem::path config;   ///< model.json
};

/// Reads reference files and checks that they make one model: builds the network, loads the weights
/// (throws one line with all that are missing, unknown, misshapen or not finite) and returns what
/// it then holds.
[[nodiscard]] Weights import_weights(const ReferenceFiles& files);

/// Reads a safetensors file, a folder with `weights.safetensors`, an askos checkpoint, or the
/// newest valid one of a folder of checkpoints or of a run. Of a training's checkpoint the
/// parameters and buffers are taken, not the optimiser's. Throws `Errc::kNotFound` where there is
/// none of these.
[[nodiscard]] Weights read_weights(const std::filesystem::path& source);

/// Writes `weights` as the checkpoint of step 0 in the folder `checkpoints` of `folder`.
void write_checkpoint(const std::filesystem::path& folder, const Weights& weights);

/// Writes `weights.safetensors` and the other files into `folder`, in the reference's format.
void write_reference_files(const std::filesystem::path& folder, const Weights& weights);

}  // namespace askos::apps
