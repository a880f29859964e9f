// SPDX-License-Identifier: Apache-2.0
// What `askos parity` runs: one function per kind of folder (tests/parity/README.md).
#pragma once

#include "parity/comparison.hpp"
#include "parity/model_case.hpp"
#include "parity/ranks.hpp"
#include "parity/sharded_run.hpp"

#include <askos/base/shape.hpp>

#include <filesystem>
#include <optional>
#include <vector>

namespace askos::apps {

/// How cases are run. What is not given is as the reference ran the case.
struct ParityOptions {
  RankPlace ranks = {};
  std::optional<int> chunks = {};
  std::optional<int> segments = {};
  std::optional<model::ShardStrategy> strategy = {};
  DType dtype = DType::kFloat32;
  at::Device device = at::kCPU;
};

/// The loss that a case's model.json names.
[[nodiscard]] model::LossOptions read_loss(const ModelCase& model);

/// A model case as a problem: with the reference's weights, and its loss factors as stored.
[[nodiscard]] Problem make_problem(const ModelCase& model);

/// Returns how `options` spread `model`.
[[nodiscard]] Layout make_layout(const ModelCase& model, const ParityOptions& options);

/// Compares what a run of the case in `dtype` gave with what the case stores.
[[nodiscard]] std::vector<Comparison> compare_with_case(const ModelCase& model,
                                                        const Result& result,
                                                        DType dtype);

/// Runs forward, loss and backward of a folder with model.json and compares output, loss and
/// gradients.
[[nodiscard]] std::vector<Comparison> run_model_case(const ModelCase& model,
                                                     const ParityOptions& options);

/// Evaluates the losses of a folder with losses.json, the grid shared by the ranks.
[[nodiscard]] std::vector<Comparison> run_losses_case(const std::filesystem::path& folder,
                                                      const ParityOptions& options);

/// Makes the scalers of a folder with scalers.json.
[[nodiscard]] std::vector<Comparison> run_scalers_case(const std::filesystem::path& folder);

/// Runs what a folder with training.json holds: a rollout with gradients, steps of AdamW, a
/// forecast in physical units. The model is the case beside it that training.json names.
[[nodiscard]] std::vector<Comparison> run_training_case(const std::filesystem::path& folder,
                                                        const ParityOptions& options);

/// Runs a folder of any kind: what it holds says which. Throws one line on bad input.
[[nodiscard]] std::vector<Comparison> run_case(const std::filesystem::path& folder,
                                               const ParityOptions& options);

}  // namespace askos::apps
