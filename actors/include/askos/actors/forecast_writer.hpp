// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/io/dataset_writer.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace askos::actors {

/// A forecast's dataset while its shards are written; shared by the writers of this process.
class ForecastFile {
 public:
  /// Lays out `num_steps` rows from `first` on, of the model's output variables in physical units.
  /// Of several processes, given by `processes`, the first one does; then collective.
  ForecastFile(const RunContext& run,
               const std::filesystem::path& path,
               io::Time first,
               std::int64_t num_steps,
               comm::Communicator* processes);

  [[nodiscard]] const io::WritePlan& plan() const noexcept { return plan_; }
  /// Takes one writer's result. Any thread.
  void add(io::ShardResult result);
  /// Completes the file when all writers of this process have ended. With several processes
  /// collective: their results are brought together.
  void finish();

 private:
  comm::Communicator* processes_;
  std::optional<io::DatasetWriter> writer_;  // of the process that owns the file
  io::WritePlan plan_;
  std::mutex mutex_;
  std::vector<io::ShardResult> results_;
};

/// Writes forecasts, step by step, as rows of one file: the cells that arrive, in physical units.
class ForecastWriter final : public dataflow::Stage {
 public:
  /// `cells` are those that this rank's packets cover; empty: this rank writes nothing.
  ForecastWriter(const RankContext& rank, std::shared_ptr<ForecastFile> file, comm::Range cells);

  dataflow::In<Prediction> prediction;

  void run(dataflow::Context& context) override;
  void finish(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override {
    return dataflow::Threading::kDedicated;
  }

 private:
  std::shared_ptr<ForecastFile> file_;
  std::optional<io::ShardWriter> writer_;
  std::vector<io::Affine> to_physical_;
  std::int64_t next_row_ = 0;
};

}  // namespace askos::actors
