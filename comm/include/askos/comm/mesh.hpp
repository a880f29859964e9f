// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>

#include <vector>

namespace askos::comm {

/// How ranks are arranged; the defaults put all ranks into one model.
struct MeshOptions {
  int num_ranks = 1;
  int num_ranks_per_model = 0;     ///< 0: all ranks
  int num_readers_per_model = 0;   ///< 0: as many as ranks per model
  int num_ranks_per_ensemble = 0;  ///< 0: as many as ranks per model
  bool keep_batch_sharded = true;  ///< needs as many readers as ranks per model
};

/// Names the groups that one rank belongs to. Model, reader and ensemble groups are contiguous
/// ranges of world ranks; data-parallel groups and ensemble members have the number of ranks per
/// model as stride. `index` makes a `color` for `Communicator::split`.
class Mesh {
 public:
  /// Throws one `Errc::kInvalidInput` that lists every constraint that does not hold.
  Mesh(const MeshOptions& options, int rank);

  struct Group {
    int index = 0;           ///< which group of its kind
    int num_groups = 1;      ///< how many there are
    int rank = 0;            ///< position in the group
    std::vector<int> ranks;  ///< world ranks, in order

    [[nodiscard]] int size() const noexcept { return static_cast<int>(ranks.size()); }
    bool operator==(const Group&) const = default;
  };

  [[nodiscard]] int rank() const noexcept { return rank_; }
  /// Returns the options with their defaults filled in.
  [[nodiscard]] const MeshOptions& options() const noexcept { return options_; }
  /// Shares one model instance: all collectives of the forward and backward pass.
  [[nodiscard]] const Group& model() const noexcept { return model_; }
  /// Reads one copy of the grid, each member its slice.
  [[nodiscard]] const Group& readers() const noexcept { return readers_; }
  /// Ranks of the same position in all models: they hold the same shard of different samples.
  [[nodiscard]] const Group& data_parallel() const noexcept { return data_parallel_; }
  /// Computes one ensemble; all its ranks see the same samples.
  [[nodiscard]] const Group& ensemble() const noexcept { return ensemble_; }
  /// Ranks of one ensemble that hold the same shard: the ensemble axis is gathered over them.
  [[nodiscard]] const Group& ensemble_members() const noexcept { return ensemble_members_; }

 private:
  MeshOptions options_;
  int rank_;
  Group model_;
  Group readers_;
  Group data_parallel_;
  Group ensemble_;
  Group ensemble_members_;
};

}  // namespace askos::comm
