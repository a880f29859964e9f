// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::telemetry {

/// A range of the calling thread in NVIDIA's profilers (NVTX), from here until it dies. Without
/// CUDA it is nothing; with it and no profiler attached, two calls through a null pointer.
class ProfilerRange {
 public:
#if defined(ASKOS_WITH_NVTX)
  explicit ProfilerRange(const char* name) noexcept;
  ~ProfilerRange();
#else
  explicit ProfilerRange(const char* /*name*/) noexcept {}
  ~ProfilerRange() {}  // NOLINT(modernize-use-equals-default): else the guard counts as unused
#endif
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};

}  // namespace askos::telemetry
