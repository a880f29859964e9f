// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <c10/core/Device.h>

#include <string>

namespace askos::apps {

/// Adds `--device cpu|cuda|auto`.
void add_device_option(CLI::App& command, std::string& device);

/// Returns the device of `num_ranks` local ranks. Throws `Errc::kEnvironment` if there is none, and
/// `Errc::kUsage` with the line to use for several ranks on GPUs: these are processes.
[[nodiscard]] c10::Device rank_device(const std::string& name, int num_ranks);

}  // namespace askos::apps
