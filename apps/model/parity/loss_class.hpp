// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/loss.hpp>

namespace askos::apps {

class JsonObject;

/// Reads a loss of the reference: its `class` from `json`, and what that class is made with
/// (`delta`, `alpha`, `fair`) from `arguments`. Refuses a class that askos does not compute.
[[nodiscard]] model::LossOptions read_loss_class(const JsonObject& json,
                                                 const JsonObject& arguments);

}  // namespace askos::apps
