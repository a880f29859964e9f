// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "parity/cases.hpp"
#include "parity/json_object.hpp"

namespace askos::apps {

/// Normalises the stored raw input by the stored statistics, forecasts and compares the normaliser
/// and the forecast in physical units.
void run_prediction(const ModelCase& model,
                    const std::filesystem::path& folder,
                    const JsonObject& json,
                    const ParityOptions& options,
                    std::vector<Comparison>& rows);

}  // namespace askos::apps
