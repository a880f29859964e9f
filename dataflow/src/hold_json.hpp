// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "status_json.hpp"

#include <askos/dataflow/control.hpp>

namespace askos::dataflow {

[[nodiscard]] Json hold_json(const HoldStatus& hold);

/// Reads what `hold_json` wrote; states of ledgers are left out. Throws `Json::exception` if it is
/// something else.
[[nodiscard]] HoldStatus hold_of(const Json& json);

/// Whether anything is held, for a row of `ps`; null if not.
[[nodiscard]] Json short_hold_json(const HoldStatus& hold);

}  // namespace askos::dataflow
