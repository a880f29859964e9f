// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/io/checkpoint_store.hpp>

#include <optional>
#include <string>

namespace askos::actors {

/// Writes snapshots as checkpoints, beside the training, and keeps the newest few.
class Checkpointer final : public dataflow::Stage {
 public:
  explicit Checkpointer(const RankContext& rank);

  dataflow::In<Snapshot> snapshot;

  void run(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override {
    return dataflow::Threading::kDedicated;
  }

 private:
  RankContext rank_;
};

/// Returns the folder of a run's checkpoints.
[[nodiscard]] std::filesystem::path checkpoint_folder(const RunConfig& config);

/// Describes model, data and graph: a checkpoint fits a run if these are equal.
[[nodiscard]] io::Metadata model_identity(const RunContext& run);

/// Adds every key whose value differs to an error, with both values; returns whether any does.
bool add_differences(Error& error, const io::Metadata& expected, const io::Metadata& found);

/// Loads the newest valid checkpoint of the run's folder, or nothing if there is none. Throws
/// `Errc::kInvalidInput`, naming every key that differs and both values, if it is of another model.
[[nodiscard]] std::shared_ptr<const Snapshot> load_newest(const RunContext& run);

}  // namespace askos::actors
