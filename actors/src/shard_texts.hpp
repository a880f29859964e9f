// SPDX-License-Identifier: Apache-2.0
// What writers of one file in several processes tell each other, as JSON.
#pragma once

#include <askos/io/dataset_writer.hpp>

#include <string>
#include <vector>

namespace askos::actors {

[[nodiscard]] std::string to_text(const io::WritePlan& plan);
[[nodiscard]] io::WritePlan to_write_plan(const std::string& text);

[[nodiscard]] std::string to_text(const std::vector<io::ShardResult>& results);
[[nodiscard]] std::vector<io::ShardResult> to_shard_results(const std::string& text);

}  // namespace askos::actors
