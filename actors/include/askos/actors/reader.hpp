// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/io/shard_reader.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace askos::actors {

/// One batch to read: the rows of each sample, oldest first. A null sample repeats another's rows.
struct WindowRequest {
  std::vector<std::vector<std::int64_t>> rows = {};  ///< [sample][row]; the same number for each
  std::int64_t num_inputs = 0;                       ///< leading rows of each that are input
  std::vector<double> weights = {};                  ///< [sample]
  std::vector<io::Time> times = {};                  ///< [sample]
  std::vector<std::int64_t> samples = {};            ///< [sample] its name, for noise
  io::SchedulePosition next = {};
};

/// Says what to read next; nothing when all is read. Called on the reader's thread.
using WindowRequests = std::function<std::optional<WindowRequest>()>;

/// Reads this rank's slice of the grid, batch by batch, with the rows of the next samples under
/// way. A source on its own thread; slots of its pool are its credit.
class Reader final : public dataflow::Stage {
 public:
  Reader(const RankContext& rank, WindowRequests requests, int rows_per_sample, int batch_size);

  dataflow::Out<Window> window;

  void run(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override {
    return dataflow::Threading::kDedicated;
  }
  [[nodiscard]] bool opens_files() const override { return true; }

  /// What was read so far; call it once the session has ended.
  [[nodiscard]] const io::ReadCounters& counters() const noexcept { return reader_.counters(); }

 private:
  void look_ahead();
  void read_into(Window& target, const WindowRequest& request);

  std::shared_ptr<const RunContext> run_;
  std::unique_ptr<io::FileOperations> faulty_;  ///< null but for drills
  io::ShardReader reader_;
  comm::SlotPool slots_;
  WindowRequests requests_;
  std::size_t num_ahead_;  ///< batches
  std::deque<WindowRequest> ahead_;
};

}  // namespace askos::actors
