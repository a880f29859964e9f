// SPDX-License-Identifier: Apache-2.0
// What the stages of the weather pipeline hand to each other.
#pragma once

#include <askos/base/shape.hpp>
#include <askos/comm/partition.hpp>
#include <askos/comm/slot_pool.hpp>
#include <askos/dataflow/fault_kind.hpp>
#include <askos/dataflow/payload_description.hpp>
#include <askos/dataflow/stored_arrays.hpp>
#include <askos/io/calendar.hpp>
#include <askos/io/sample_schedule.hpp>
#include <askos/model/parameters.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace askos::actors {

/// A batch as read: `[sample, row, cell, var]` of one dtype, normalised, in a slot of the reader's
/// pool; the reader's slice of the grid. The slot goes back when the last handle dies.
struct Window {
  std::optional<comm::Slot> slot;  ///< nothing: no row was asked for
  DType dtype = DType::kFloat32;
  std::int64_t num_rows = 0;
  std::int64_t num_inputs = 0;  ///< leading rows that are input; the others are targets
  std::int64_t num_cells = 0;
  std::int64_t num_variables = 0;
  std::vector<double> weights;        ///< [sample] 0: a null sample
  std::vector<io::Time> times;        ///< [sample] valid time of the first target
  std::vector<std::int64_t> samples;  ///< [sample] its name, for noise
  io::SchedulePosition next;          ///< the schedule's position once this batch is done
};

/// The same batch on the rank that computes it: its own shard of the grid, as views of the window
/// wherever possible.
struct Sample {
  model::Batch batch;           ///< input, target, its truth as later input, weights
  std::vector<io::Time> times;  ///< [sample]
  io::SchedulePosition next;
};

/// Makes one input value not a number, or flips its sign: what injected faults do to a sample.
[[nodiscard]] std::shared_ptr<const Sample> damaged(const Sample& sample,
                                                    dataflow::FaultKind kind,
                                                    std::uint64_t seed);

/// What one training step gave; the same on all ranks of a group that shares its samples.
struct StepReport {
  model::StepResult result;
  /// Valid times of the first targets of the group's samples, in order, null samples left out.
  std::vector<io::Time> samples = {};
  Nanoseconds at{};  ///< when it was done, by the session's clock
};

/// Everything that a later run needs to go on, or one rank's shard of it.
struct Snapshot {
  std::int64_t step = 0;  ///< number of steps made
  io::SchedulePosition position;
  model::NamedTensors state;
  double loss = 0;       ///< mean of the steps since the snapshot before
  Nanoseconds copied{};  ///< time that the copy took
};

/// A forecast of one batch on one rank's shard, normalised. With an ensemble, `forecast` is the
/// mean of its members.
struct Prediction {
  at::Tensor forecast = {};     ///< [sample, time, cell, var]
  at::Tensor members = {};      ///< [sample, time, member, cell, var], or undefined
  at::Tensor truth = {};        ///< the same, or undefined where there is none
  at::Tensor persistence = {};  ///< [sample, cell, var]: the last input step, or undefined
  std::vector<double> weights;
  std::vector<io::Time> times;
  comm::Range cells;  ///< what the grid axis covers
};

/// What inspectors and breakpoints see: `window`; `input`, `target`, `later`; `loss`; `forecast`,
/// `members`, `truth`.
[[nodiscard]] dataflow::PayloadDescription describe_payload(const Window& window);
[[nodiscard]] dataflow::PayloadDescription describe_payload(const Sample& sample);
[[nodiscard]] dataflow::PayloadDescription describe_payload(const StepReport& report);
[[nodiscard]] dataflow::PayloadDescription describe_payload(const Prediction& prediction);

/// What recordings keep of them: everything but clock readings.
[[nodiscard]] dataflow::StoredArrays store_payload(const Sample& sample);
void restore_payload(const dataflow::StoredArrays& arrays, Sample& sample);
[[nodiscard]] dataflow::StoredArrays store_payload(const StepReport& report);
void restore_payload(const dataflow::StoredArrays& arrays, StepReport& report);
[[nodiscard]] dataflow::StoredArrays store_payload(const Snapshot& snapshot);
void restore_payload(const dataflow::StoredArrays& arrays, Snapshot& snapshot);

}  // namespace askos::actors
