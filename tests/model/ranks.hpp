// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "parity/ranks.hpp"

namespace askos::model::test {

using apps::run_ranks;

}  // namespace askos::model::test
