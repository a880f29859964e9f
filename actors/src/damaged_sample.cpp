// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/payloads.hpp>

#include <ATen/ATen.h>

#include <limits>

namespace askos::actors {

std::shared_ptr<const Sample> damaged(const Sample& sample,
                                      dataflow::FaultKind kind,
                                      std::uint64_t seed) {
  auto copy = std::make_shared<Sample>(sample);
  copy->batch.input = sample.batch.input.clone(at::MemoryFormat::Contiguous);
  auto values = copy->batch.input.view({-1});
  if (values.numel() == 0) return nullptr;
  const auto at = static_cast<std::int64_t>(seed % static_cast<std::uint64_t>(values.numel()));
  if (kind == dataflow::FaultKind::kNan) {
    values[at] = std::numeric_limits<double>::quiet_NaN();
  } else {
    values[at] = -values[at];  // the sign bit
  }
  return copy;
}

}  // namespace askos::actors
