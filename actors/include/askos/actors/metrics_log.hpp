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
  /// Keeps its lines in memory: another process has the file, and takes them from here.
  MetricsLog() = default;

  /// Throws `Errc::kEnvironment` if the line could not be written, for instance on a full disk.
  void write(const io::Metadata::Object& record);

  /// Returns the lines that were kept and forgets them.
  [[nodiscard]] std::string take();
  /// Writes lines that another log has kept; throws as `write` does.
  void append(const std::string& lines);

 private:
  std::filesystem::path path_;
  std::mutex mutex_;
  std::ofstream file_;
  std::string kept_;
};

}  // namespace askos::actors
