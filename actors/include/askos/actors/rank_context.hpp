// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/run_config.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/comm/mesh.hpp>
#include <askos/comm/recorded_calls.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/io/normaliser.hpp>
#include <askos/model/graph.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace askos::actors {

/// What all ranks of a run share; immutable.
struct RunContext {
  RunConfig config;
  std::shared_ptr<const io::DatasetIndex> index;
  model::Graph graph;
  std::vector<io::Affine> normaliser;  ///< [var] of the dataset

  /// [cell] false in a limited area's frame; empty: no frame.
  std::vector<bool> interior;

  /// Positions of the model's input and output variables among the dataset's.
  std::vector<std::int64_t> input_variables;
  std::vector<std::int64_t> output_variables;
};

/// Opens the dataset, builds the graph and resolves the variables. Throws what those throw, and
/// `Errc::kInvalidInput` if rows of the configuration lie outside the dataset.
[[nodiscard]] std::shared_ptr<const RunContext> make_run_context(RunConfig config);

/// One rank's place in the run, with a communicator of its own for each stage that needs one.
struct RankContext {
  std::shared_ptr<const RunContext> run;
  comm::Mesh mesh;
  comm::Range own_cells;                          ///< this rank's shard of the grid
  comm::Range read_cells;                         ///< what its reader reads
  int num_threads = 1;                            ///< for its arithmetic
  std::string device = "cpu";                     ///< "cpu", "cuda" or "auto", as of the run
  std::shared_ptr<comm::Communicator> model;      ///< ranks of one model: forward and backward
  std::shared_ptr<comm::Communicator> members;    ///< ranks with other members of the own shard
  std::shared_ptr<comm::Communicator> gradients;  ///< all ranks
  std::shared_ptr<comm::Communicator> readers;    ///< ranks that read one copy of the grid
  std::shared_ptr<comm::Communicator> gather;     ///< ranks of one model, for output
  std::shared_ptr<comm::Communicator> scores;     ///< all ranks, for sums of scores or checkpoints

  /// Where collectives of `model`, `members` and `gradients` come from when a recorded stage is
  /// done again alone; null in a run.
  std::shared_ptr<comm::CallReplay> replay{};

  /// Members of an ensemble that this rank computes.
  [[nodiscard]] int num_own_members() const noexcept {
    return run->config.members / mesh.ensemble_members().size();
  }
  [[nodiscard]] bool is_root() const noexcept { return mesh.rank() == 0; }
  /// Frees every rank that waits for a peer: their waits throw `Errc::kCancelled`.
  void abort(const std::string& reason) const noexcept;
};

/// This process's place among others that run the same graphs, one rank each.
struct ProcessPlace {
  comm::Communicator* ranks = nullptr;     ///< of the run; the stages' are split from it
  comm::Communicator* settling = nullptr;  ///< over the same, for what may take any time
  int num_threads = 1;                     ///< that this process may use
  std::string device = "cpu";              ///< of this process, as `RunOptions::device`
  /// Ends the run on all processes; any thread.
  std::function<void(const Error&)> fail;
  /// Why the run has ended here or elsewhere; any thread.
  std::function<std::optional<Error>()> failure;
};

/// Makes the ranks of a run that live in this process: all of them as threads, or, if it has a
/// place among others, its own one; then collective.
[[nodiscard]] std::vector<RankContext> make_ranks(const std::shared_ptr<const RunContext>& run,
                                                  const ProcessPlace* place);

}  // namespace askos::actors
