// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/shape.hpp>
#include <askos/base/unit.hpp>
#include <askos/comm/mesh.hpp>
#include <askos/dataflow/fault.hpp>
#include <askos/model/autocast.hpp>
#include <askos/model/config.hpp>
#include <askos/model/graph_builders.hpp>
#include <askos/model/loss.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace askos::actors {

/// Which samples a run sees. A sample is named by the row of its first target step.
struct DataConfig {
  std::filesystem::path file;
  int num_input_steps = 2;
  int num_output_steps = 1;
  comm::Range train_rows;  ///< targets used for training
  comm::Range test_rows;   ///< targets used for scores
  int test_forecasts = 1;  ///< forecasts in a row that are scored, each from the one before
  /// Width in cells of a limited area's frame: there a forecast's next input is the truth, and the
  /// loss does not count. 0: none.
  int boundary_cells = 0;
  std::string normalizer = "mean-std";             ///< for every variable but those below
  std::map<std::string, std::string> normalizers;  ///< by variable
};

enum class GraphKind { kRegional, kGlobal, kStretched };

/// A box on the globe, in degrees; `east` below `west` spans the date line.
struct Region {
  double south = 0;
  double north = 0;
  double west = 0;
  double east = 0;

  [[nodiscard]] bool contains(double latitude, double longitude) const noexcept;
};

struct GraphConfig {
  GraphKind kind = GraphKind::kRegional;
  model::RegionalGraphOptions regional;
  model::GlobalGraphOptions global;
  int region_level = 6;  ///< of the icosphere in the region of a stretched graph
  Region region;
};

/// Weight of each variable in the loss.
enum class VariableWeights {
  kOne,                ///< all the same
  kTendencyVariance,   ///< variance of the field over variance of its change in one time step
  kTendencyDeviation,  ///< the square root of that
};

/// The error that training makes small.
struct LossConfig {
  model::ErrorKind error = model::ErrorKind::kSquared;
  double huber_delta = 1;
  double crps_alpha = 0.95;
};

/// What happens to a step whose loss or gradient is not finite. The ranks agree; no parameter ever
/// takes such a value.
enum class NanPolicy {
  kStop,      ///< the run ends with `Errc::kCheckFailed`, naming step, rank and tensor
  kSkip,      ///< the step changes nothing
  kRollback,  ///< parameters and optimiser go back to the newest checkpoint, samples go on
};

/// So many steps in all may be skipped or gone back from; one more ends the run.
inline constexpr int kMostNanSteps = 10;

struct TrainingConfig {
  std::int64_t steps = 300;
  int batch_size = 4;
  std::uint64_t seed = 1;
  double learning_rate = 1e-3;
  double final_learning_rate = 0;
  std::int64_t warmup_steps = 50;
  double weight_decay = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double clip_norm = 0;   ///< 0: not clipped
  double clip_value = 0;  ///< 0: not clipped
  int accumulate = 1;     ///< batches whose gradients make one step
  int rollout = 1;        ///< forecasts in a row per sample in epoch 0, gradients through all
  int rollout_max = 0;    ///< reached by one more every `rollout_every` epochs; 0: `rollout`
  int rollout_every = 1;
  double average_decay = 0;  ///< of the running mean of the parameters; 0: none
  VariableWeights variable_weights = VariableWeights::kOne;
  /// Further factors by parameter, as `z` of `z_500`; 1 for those that are not listed.
  std::map<std::string, double> parameter_weights;
  LossConfig loss;
  NanPolicy on_nan = NanPolicy::kStop;
};

/// Returns how many forecasts in a row a sample of epoch `epoch` is trained on.
[[nodiscard]] int rollout_at(const TrainingConfig& training, std::int64_t epoch);
/// Returns the most of them in any epoch.
[[nodiscard]] int longest_rollout(const TrainingConfig& training);

/// Tells whether ranks share edges in all parts of a model, as a memory plan takes for granted.
[[nodiscard]] bool shares_edges(const model::ModelConfig& model);

struct RunOptions {
  std::filesystem::path folder;
  int ranks = 1;                  ///< local ranks: threads of this process
  std::string device = "cpu";     ///< or cuda, auto (CUDA where there is one); needs one rank
  int ranks_per_model = 0;        ///< 0: all ranks share one model, each with a shard of the grid
  int ranks_per_ensemble = 0;     ///< 0: as many as per model, each with all members
  int num_readers_per_model = 0;  ///< 0: one per rank
  int num_threads_per_rank = 0;   ///< 0: cores / ranks
  int prefetch_samples = 8;
  std::int64_t checkpoint_every = 100;      ///< steps; 0: at the end only
  int keep_checkpoints = 3;                 ///< the newest ones
  bool keep_best_checkpoint = false;        ///< the one of the least mean loss since the one before
  std::int64_t keep_checkpoints_every = 0;  ///< steps; multiples stay for good; 0: none
  Nanoseconds deadline = std::chrono::seconds(60);  ///< of any wait for a peer
  /// A process that is silent for so long is lost; 0: only one that has ended.
  Nanoseconds heartbeat = std::chrono::seconds(2);
};

/// Everything that decides a run, defaults included; one to one with a configuration file.
struct RunConfig {
  DataConfig data;
  GraphConfig graph;
  model::ModelConfig model;
  DType dtype = DType::kFloat32;
  model::Precision autocast = model::Precision::kModel;  ///< of linear layers
  /// Of one rank's tensors in a training step: the fewest chunks that fit are taken, at least those
  /// of `model`. 0: no more than those.
  Bytes memory_budget;
  int members = 1;  ///< of an ensemble, over all its ranks; more than 1 need noise
  TrainingConfig training;
  RunOptions run;
  std::vector<dataflow::Fault> faults;  ///< injected on purpose; no part of a resolved file
};

/// Throws one `Errc::kInvalidInput` that lists every value that makes no sense by itself.
void validate(const RunConfig& config);

}  // namespace askos::actors
