// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "parity/comparison.hpp"

#include <filesystem>

namespace askos::apps {

/// Runs a folder with preprocessing.json: fields with gaps to the model's units and back, for
/// training and forecasting, the loss's mask, the state.
[[nodiscard]] std::vector<Comparison> run_preprocessing_case(const std::filesystem::path& folder);

}  // namespace askos::apps
