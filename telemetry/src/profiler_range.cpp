// SPDX-License-Identifier: Apache-2.0
#include <askos/telemetry/profiler_range.hpp>

#include <nvtx3/nvToolsExt.h>

namespace askos::telemetry {

ProfilerRange::ProfilerRange(const char* name) noexcept {
  ::nvtxRangePushA(name);
}

ProfilerRange::~ProfilerRange() {
  ::nvtxRangePop();
}

}  // namespace askos::telemetry
