// SPDX-License-Identifier: Apache-2.0
#include "device_option.hpp"

#include <askos/base/error.hpp>
#include <askos/model/device.hpp>

namespace askos::apps {

void add_device_option(CLI::App& command, std::string& device) {
  command
      .add_option(
          "--device", device,
          "cpu, cuda (one rank a process) or auto: cuda where there is one; else as configured")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}));
}

c10::Device rank_device(const std::string& name, int num_ranks) {
  if (name == "cuda" && num_ranks > 1) {
    throw Error(Errc::kUsage, "ranks on GPUs are processes, not threads of one")
        .with("ranks", num_ranks)
        .with("use",
              "askos launch --gpus -n " + std::to_string(num_ranks) + " -- askos COMMAND ...");
  }
  return model::find_device(num_ranks > 1 ? "cpu" : name);
}

}  // namespace askos::apps
