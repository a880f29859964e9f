// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/io/checkpoint_store.hpp>
#include <askos/io/file_operations.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace askos::actors {

class MetricsLog;

/// What a checkpoint has cost.
struct CheckpointReport {
  std::int64_t step = 0;
  Nanoseconds stall{};    ///< time that training stood still: for the copy of the state
  Nanoseconds written{};  ///< from the snapshot's arrival to the rename, beside training
  std::int64_t size_bytes = 0;
};

/// Writes snapshots as checkpoints, beside the training: each rank its shard of the state, then,
/// when all ranks have written and verified theirs, the first rank makes the whole visible by one
/// rename.
///
///   begin (rank 0) -> write and read back (all) -> agree -> commit (rank 0) -> agree -> tidy up
///
/// A checkpoint that cannot be written, on a full disk for instance, is left out with one warning
/// and the training goes on; if it was the last one, the stage fails with `Errc::kEnvironment`.
class Checkpointer final : public dataflow::Stage {
 public:
  struct Options {
    std::shared_ptr<MetricsLog> metrics;  ///< null: nothing is recorded
    io::Metadata::Object provenance;      ///< what checkpoints say of their making besides
    std::function<void(const CheckpointReport&)> on_checkpoint;  ///< on rank 0; may be empty
  };
  Checkpointer(const RankContext& rank, Options options);

  dataflow::In<Snapshot> snapshot;

  void run(dataflow::Context& context) override;
  void finish(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override {
    return dataflow::Threading::kDedicated;
  }
  [[nodiscard]] std::string communicator() const override { return "checkpoint"; }
  [[nodiscard]] bool opens_files() const override { return true; }

 private:
  /// Returns the checkpoint, on all ranks, or throws the same on all ranks.
  [[nodiscard]] io::CheckpointInfo write(const io::CheckpointStore& store, const Snapshot& next);
  [[nodiscard]] io::Metadata::Object describe(const Snapshot& next) const;
  void tidy_up(const io::CheckpointStore& store) const;

  RankContext rank_;
  Options options_;
  std::unique_ptr<io::FileOperations> faulty_;  ///< null but for drills
  std::optional<std::string> last_fault_;       ///< of the newest snapshot, if it was not written
};

/// Returns the folder of a run's checkpoints.
[[nodiscard]] std::filesystem::path checkpoint_folder(const RunConfig& config);

/// Describes model, data and graph: a checkpoint fits a run if these are equal.
[[nodiscard]] io::Metadata model_identity(const RunContext& run);

/// Adds every key whose value differs to an error, with both values; returns whether any does.
bool add_differences(Error& error, const io::Metadata& expected, const io::Metadata& found);

/// Loads the newest valid checkpoint of the run's folder, or nothing if there is none. Throws
/// `Errc::kInvalidInput`, naming every key that differs and both values, if it is of another model,
/// and what is wrong with the newest one if there are some but none is intact.
[[nodiscard]] std::shared_ptr<const Snapshot> load_newest(const RunContext& run);

/// Loads one checkpoint: its own folder, or that of a run, of which the newest is taken. Throws as
/// `load_newest`, and `Errc::kNotFound` if there is none.
[[nodiscard]] std::shared_ptr<const Snapshot> load_from(const RunContext& run,
                                                        const std::filesystem::path& path);

}  // namespace askos::actors
