// SPDX-License-Identifier: Apache-2.0
// Kills a training again and again, at seeded random moments, until it is through.
#pragma once

#include "apps/support/tiny_run.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace askos::apps {

/// One moment at which `kill -9` strikes, as the entries of a fault.
inline std::string random_kill(std::mt19937& engine) {
  struct Place {
    const char* stage;
    const char* operation;  ///< empty: a run of the stage
    int most;               ///< events to choose from
  };
  // Half of them are in the midst of a checkpoint.
  constexpr std::array<Place, 10> kPlaces{{{"read", "", 6},
                                           {"partition", "", 6},
                                           {"compute", "", 5},
                                           {"monitor", "", 5},
                                           {"checkpoint", "", 2},
                                           {"checkpoint", "create", 4},
                                           {"checkpoint", "write", 8},
                                           {"checkpoint", "sync", 4},
                                           {"checkpoint", "rename", 3},
                                           {"checkpoint", "sync_folder", 4}}};
  const auto draw = [&](int below) {
    return static_cast<int>(engine() % static_cast<unsigned>(below));
  };
  const auto& [stage, operation, most] = kPlaces[static_cast<std::size_t>(draw(10))];
  std::string entries = "kind = \"kill\", stage = \"" + std::string(stage) +
                        "\", packet = " + std::to_string(1 + draw(most));
  if (*operation != '\0') entries += ", operation = \"" + std::string(operation) + "\"";
  if (*operation == '\0' || std::string(operation) == "write") {
    entries += ", rank = " + std::to_string(draw(2));
  }
  return "{ " + entries + " }";
}

/// Kills the run `name` `num_kills` times, starting it over when it gets through, then lets it end.
inline void kill_and_finish(const TinyRun& tiny,
                            const std::string& name,
                            int num_kills,
                            unsigned seed) {
  std::mt19937 engine(seed);
  const auto config = tiny.write_config(name);
  int num_killed = 0;
  for (int tries = 0; num_killed < num_kills && tries < 4 * num_kills; ++tries) {
    const auto fault = random_kill(engine);
    const auto ended = tiny.run({"train", config, "--set", "faults=[" + fault + "]"});
    if (ended.exit_code == 128 + SIGKILL) {
      ++num_killed;
    } else {
      ASSERT_EQ(ended.exit_code, 0) << fault << "\n" << ended.err;
      std::filesystem::remove_all(tiny.folder() / name);  // it got through: start over
    }
  }
  ASSERT_EQ(num_killed, num_kills);
  const auto resumed = tiny.run({"train", config});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
}

}  // namespace askos::apps
