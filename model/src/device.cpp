// SPDX-License-Identifier: Apache-2.0
#include "device_name.hpp"

#include <askos/base/error.hpp>
#include <askos/model/device.hpp>

namespace askos::model {

c10::Device find_device(const std::string& name) {
  if (name == "cpu") return c10::kCPU;
  const std::string missing = missing_for_cuda();
  if (missing.empty()) return {c10::kCUDA, 0};
  if (name == "auto") return c10::kCPU;
  throw Error(Errc::kEnvironment, "no CUDA device can be used here")
      .with("reason", missing)
      .with("use", "--device cpu");
}

std::string describe(c10::Device device) {
  return device.is_cpu() ? "cpu" : "cuda (" + cuda_device_name() + ")";
}

}  // namespace askos::model
