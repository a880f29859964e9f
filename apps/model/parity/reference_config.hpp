// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>

#include <nlohmann/json.hpp>

#include <string>

namespace askos::apps {

/// Turns a reference model's description (`model.json` of a case) into a configuration. Throws one
/// `Errc::kInvalidInput` line naming an option that is missing, unknown or has an unknown value;
/// `place` comes before its key, for instance `model.json: `.
[[nodiscard]] model::ModelConfig read_reference_config(const nlohmann::json& json,
                                                       const std::string& place);

}  // namespace askos::apps
