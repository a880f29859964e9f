// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/log.hpp>
#include <askos/base/log_text.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>

namespace askos {
namespace {

std::mutex& registry_mutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

std::shared_ptr<spdlog::logger> logger(const std::string& name) {
  const std::lock_guard lock(registry_mutex());
  if (auto existing = spdlog::get(name)) {
    return existing;
  }
  auto made = spdlog::stderr_color_mt(name);
  made->set_pattern("%H:%M:%S %^%l%$ %n: %v");
  return made;
}

void log_warning(const std::string& name, const std::string& text) {
  logger(name)->warn("{}", text);
}

void set_log_level(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off") {
    throw Error(Errc::kUsage, "unknown log level")
        .with("found", level)
        .with("expected", "debug, info, warn, error or off");
  }
  const std::lock_guard lock(registry_mutex());
  spdlog::set_level(parsed);
}

}  // namespace askos
