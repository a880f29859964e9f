// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/metadata.hpp>

#include <filesystem>
#include <fstream>
#include <mutex>

namespace askos::actors {

/// Appends one JSON object a line to `metrics.jsonl`; each line is complete once `write` returns.
/// Any thread.
class MetricsLog {
 public:
  /// Opens the file at its end, less an unfinished last line. Throws `Errc::kEnvironment` if it
  /// cannot be written.
  explicit MetricsLog(std::filesystem::path path);

  /// Throws `Errc::kEnvironment` if the line could not be written, for instance on a full disk.
  void write(const io::Metadata::Object& record);

 private:
  std::filesystem::path path_;
  std::mutex mutex_;
  std::ofstream file_;
};

}  // namespace askos::actors
