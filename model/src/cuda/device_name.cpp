// SPDX-License-Identifier: Apache-2.0
#include "../device_name.hpp"

#include <cuda_runtime_api.h>

#include <cstdio>

namespace askos::model {

std::string missing_for_cuda() {
  int count = 0;
  if (const auto error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    return cudaGetErrorString(error);
  }
  if (count == 0) return "no GPU";
  int major = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  return major >= 8 ? "" : "the GPU's compute capability is below 8.0";
}

std::string cuda_device_name() {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) return "unknown";
  char text[320];
  std::snprintf(text, sizeof text, "%s, %.0f GiB", properties.name,
                static_cast<double>(properties.totalGlobalMem) / (1U << 30U));
  return text;
}

}  // namespace askos::model
