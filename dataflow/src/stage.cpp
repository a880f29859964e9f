// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>

namespace askos::dataflow {

void Stage::start(Context& /*context*/) {}

void Stage::finish(Context& /*context*/) {}

ArgumentChange Stage::change_argument(const std::string& name, const Argument& /*value*/) {
  throw Error(Errc::kNotFound, "stage has no argument that can change while it runs")
      .with("argument", name);
}

std::optional<StoredArrays> Stage::save_state() const {
  return StoredArrays{};
}

void Stage::load_state(const StoredArrays& state) {
  if (!state.empty()) {
    throw Error(Errc::kCorruptData, "recording gives a stage state that has none")
        .with("array", state.front().name);
  }
}

void Stage::supply_received(const StoredArrays& received) {
  if (!received.empty()) {
    throw Error(Errc::kCorruptData, "recording gives a stage what it cannot receive")
        .with("array", received.front().name);
  }
}

}  // namespace askos::dataflow
