// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/metrics_log.hpp>
#include <askos/base/error.hpp>

namespace askos::actors {

MetricsLog::MetricsLog(std::filesystem::path path)
    : path_(std::move(path)), file_(path_, std::ios::app | std::ios::binary) {
  if (!file_) {
    throw Error(Errc::kEnvironment, "cannot write metrics").with("file", path_.string());
  }
}

void MetricsLog::write(const io::Metadata::Object& record) {
  const auto line = io::to_json(io::Metadata(record), /*compact=*/true) + "\n";
  const std::lock_guard lock(mutex_);
  file_ << line << std::flush;
  if (!file_) {
    throw Error(Errc::kEnvironment, "cannot write metrics").with("file", path_.string());
  }
}

}  // namespace askos::actors
