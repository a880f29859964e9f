// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/metrics_log.hpp>
#include <askos/base/error.hpp>

#include <iterator>
#include <system_error>
#include <utility>

namespace askos::actors {
namespace {

/// Removes the unfinished last line that a killed run may have left.
const std::filesystem::path& mend(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto complete = text.rfind('\n') + 1;  // 0 if there is no line at all
  if (complete < text.size()) {
    std::error_code fault;
    std::filesystem::resize_file(path, complete, fault);
    if (fault) {
      throw Error(Errc::kEnvironment, "cannot mend metrics").with("file", path.string());
    }
  }
  return path;
}

}  // namespace

MetricsLog::MetricsLog(std::filesystem::path path)
    : path_(std::move(path)), file_(mend(path_), std::ios::app | std::ios::binary) {
  if (!file_) {
    throw Error(Errc::kEnvironment, "cannot write metrics").with("file", path_.string());
  }
}

void MetricsLog::write(const io::Metadata::Object& record) {
  append(io::to_json(io::Metadata(record), /*compact=*/true) + "\n");
}

std::string MetricsLog::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(kept_, {});
}

void MetricsLog::append(const std::string& lines) {
  const std::lock_guard lock(mutex_);
  if (path_.empty()) {
    kept_ += lines;
    return;
  }
  file_ << lines << std::flush;
  if (!file_) {
    throw Error(Errc::kEnvironment, "cannot write metrics").with("file", path_.string());
  }
}

}  // namespace askos::actors
