// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/run_config.hpp>
#include <askos/dataflow/recording.hpp>
#include <askos/dataflow/stage.hpp>

#include <memory>

namespace askos::actors {

/// The note of a recording that describes model, data and graph, as `model_identity` does.
inline constexpr const char* kIdentityNote = "identity";

/// Makes the recorded stage of a training run anew, so that `dataflow::replay` can do its runs
/// again: alone, on this thread, with what it had received from the other ranks. `config` is that
/// of the run; its dataset is opened for the grid and the statistics, no field is read.
///
/// Throws `Errc::kUsage` for a stage other than `compute`, and `Errc::kInvalidInput`, naming every
/// key that differs, if the recording is of another model or dataset.
[[nodiscard]] std::unique_ptr<dataflow::Stage> make_recorded_stage(
    const RunConfig& config, const dataflow::Recording& recording);

}  // namespace askos::actors
