// SPDX-License-Identifier: Apache-2.0
#include "window_requests.hpp"

#include <askos/base/error.hpp>
#include <askos/io/window_index.hpp>
#include <askos/model/input_advance.hpp>

#include <algorithm>
#include <utility>

namespace askos::actors {
namespace {

io::WindowShape window_shape(const DataConfig& data, int num_forecasts) {
  io::WindowShape shape{.inputs = {}, .targets = {}};
  for (int step = 1 - data.num_input_steps; step <= 0; ++step) {
    shape.inputs.push_back(step);
  }
  for (int step = 1; step <= num_forecasts * data.num_output_steps; ++step) {
    shape.targets.push_back(step);
  }
  return shape;
}

std::shared_ptr<const io::WindowIndex> find_windows(const RunContext& run,
                                                    const comm::Range& target_rows,
                                                    int num_forecasts,
                                                    const char* key) {
  auto windows = std::make_shared<const io::WindowIndex>(
      run.index->rows_present(), window_shape(run.config.data, num_forecasts), target_rows);
  if (windows->size() == 0) {
    throw Error(Errc::kInvalidInput, "no sample has all its rows")
        .with("file", run.index->path().string())
        .with("key", key)
        .with("found",
              std::to_string(target_rows.begin) + " to " + std::to_string(target_rows.end));
  }
  return windows;
}

/// One group's share of a step, `num_forecasts` in a row; null samples repeat sample 0 with weight
/// 0.
WindowRequest request_of(const RunContext& run,
                         const io::WindowIndex& windows,
                         const std::vector<io::ScheduledSample>& share,
                         int num_forecasts) {
  const auto& data = run.config.data;
  const auto num_rows = data.num_input_steps + num_forecasts * data.num_output_steps;
  WindowRequest request{.num_inputs = data.num_input_steps};
  for (const auto& sample : share) {
    const auto index = std::max<std::int64_t>(sample.index, 0);
    request.rows.push_back(windows.rows(index));
    request.rows.back().resize(static_cast<std::size_t>(num_rows));
    request.weights.push_back(sample.weight);
    request.samples.push_back(std::max<std::int64_t>(sample.id.value, 0));
    request.times.push_back(run.index->info().time_of(windows.target_rows(index).front()));
  }
  return request;
}

/// Ranks of one ensemble see the same samples; each ensemble its own.
const comm::Mesh::Group& sample_group(const RankContext& rank) {
  return rank.mesh.ensemble();
}

}  // namespace

bool StopGate::admit(std::int64_t step) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [this] { return !held_; });
  if (end_ && step >= *end_) {
    return false;
  }
  foremost_ = std::max(foremost_, step + 1);
  return true;
}

void StopGate::agree(comm::Communicator& ranks) {
  if (std::unique_lock lock(mutex_); end_) {
    return;
  }
  std::int64_t requested = requested_.load(std::memory_order_relaxed) ? 1 : 0;
  ranks.all_reduce({&requested, 1, DType::kInt64}, comm::ReduceOp::kMax)->wait();
  if (requested == 0) {
    return;
  }
  std::int64_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    held_ = true;
    end = foremost_;
  }
  ranks.all_reduce({&end, 1, DType::kInt64}, comm::ReduceOp::kMax)->wait();
  const std::lock_guard lock(mutex_);
  end_ = end;
  held_ = false;
  moved_.notify_all();
}

void StopGate::close() noexcept {
  const std::lock_guard lock(mutex_);
  end_ = 0;
  held_ = false;
  moved_.notify_all();
}

WindowRequests training_requests(const RankContext& rank,
                                 const Snapshot* from,
                                 std::shared_ptr<StopGate> gate) {
  const auto& config = rank.run->config;
  const auto windows = find_windows(*rank.run, config.data.train_rows,
                                    longest_rollout(config.training), "data.train_rows");
  const io::SampleSchedule schedule({.num_samples = windows->size(),
                                     .batch_size = config.training.batch_size,
                                     .num_groups = sample_group(rank).num_groups,
                                     .seed = config.training.seed});
  return [=, run = rank.run, group = sample_group(rank).index, gate = std::move(gate),
          position = from ? from->position : io::SchedulePosition{},
          batch = from ? from->step * config.training.accumulate
                       : 0]() mutable -> std::optional<WindowRequest> {
    const auto& training = run->config.training;
    const auto step = batch / training.accumulate;
    if (step >= training.steps || !gate->admit(step)) {
      return std::nullopt;
    }
    auto request = request_of(*run, *windows, schedule.share(position, group),
                              rollout_at(training, position.epoch));
    position = schedule.after(position);
    request.next = position;
    ++batch;
    return request;
  };
}

WindowRequests test_requests(const RankContext& rank) {
  const auto& config = rank.run->config;
  const auto windows =
      find_windows(*rank.run, config.data.test_rows, config.data.test_forecasts, "data.test_rows");
  const io::SampleSchedule schedule({.num_samples = windows->size(),
                                     .batch_size = config.training.batch_size,
                                     .num_groups = sample_group(rank).num_groups,
                                     .shuffle = false});
  return [=, run = rank.run, group = sample_group(rank).index,
          position = io::SchedulePosition{}]() mutable -> std::optional<WindowRequest> {
    if (position.epoch > 0) {
      return std::nullopt;
    }
    auto request = request_of(*run, *windows, schedule.share(position, group),
                              run->config.data.test_forecasts);
    position = schedule.after(position);
    request.next = position;
    return request;
  };
}

WindowRequests forecast_requests(const RankContext& rank, io::Time from, std::int64_t num_steps) {
  const auto& info = rank.run->index->info();
  const auto last_input = info.row_at(from);
  const auto& data = rank.run->config.data;
  if (last_input + 1 < data.num_input_steps) {
    throw Error(Errc::kInvalidInput, "forecast begins before its first input step")
        .with("expected", "at least " + io::format_time(info.time_of(data.num_input_steps - 1)))
        .with("found", io::format_time(from));
  }
  const bool needs_truth =
      model::InputAdvance(rank.run->config.model).needs_truth() || !rank.run->interior.empty();
  return [=, run = rank.run, step = std::int64_t{0}]() mutable -> std::optional<WindowRequest> {
    if (step == num_steps) {
      return std::nullopt;
    }
    const auto first_target = last_input + 1 + step * data.num_output_steps;
    const auto num_rows = step == 0     ? data.num_input_steps
                          : needs_truth ? data.num_output_steps
                                        : 0;
    std::vector<std::int64_t> rows;
    for (auto row = first_target - num_rows; row < first_target && num_rows > 0; ++row) {
      rows.push_back(row);
    }
    if (step > 0 && needs_truth) {
      // Forcings and boundaries belong to the steps that the previous forecast reached.
      for (auto& row : rows) {
        row = std::min(row, run->index->info().num_rows - 1) == row
                  ? row
                  : throw Error(Errc::kInvalidInput, "dataset ends before the forecast's forcings")
                        .with("last", io::format_time(run->index->info().time_of(
                                          run->index->info().num_rows - 1)));
      }
    }
    const auto num_inputs = step == 0 ? num_rows : 0;
    ++step;
    return WindowRequest{.rows = {rows},
                         .num_inputs = num_inputs,
                         .weights = {1},
                         .times = {run->index->info().time_of(first_target)},
                         .samples = {0},
                         .next = {}};
  };
}

}  // namespace askos::actors
