// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace askos::apps {

/// Writes `report.html` into a run's folder from its `metrics.jsonl`, `maps.json` and `config.toml`
/// and returns its path: one self-contained page with loss, scores, maps and the pipeline's ledger.
///
/// Files that are missing leave their part of the page empty. Throws `Errc::kEnvironment` when the
/// page cannot be written, `Errc::kInvalidInput` naming file and line when a record is not JSON.
std::filesystem::path write_report(const std::filesystem::path& run_folder);

}  // namespace askos::apps
