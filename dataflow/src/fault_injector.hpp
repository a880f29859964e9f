// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::dataflow {

class StageRunner;

/// What happens to a run instead of what should.
enum class InjectedFault {
  kNone,
  kDrop,  ///< its packets are taken and nothing comes of them
  kFail,  ///< it throws before it begins
};

/// Decides before each run; for simulations.
class FaultInjector {
 public:
  virtual ~FaultInjector() = default;
  [[nodiscard]] virtual InjectedFault before_run(const StageRunner& runner) = 0;
};

}  // namespace askos::dataflow
