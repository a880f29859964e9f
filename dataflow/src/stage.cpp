// SPDX-License-Identifier: Apache-2.0
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>

namespace askos::dataflow {

void Stage::start(Context& /*context*/) {}

void Stage::finish(Context& /*context*/) {}

}  // namespace askos::dataflow
