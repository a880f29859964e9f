// SPDX-License-Identifier: Apache-2.0
#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <thread>
#include <utility>

namespace askos {
namespace {

using NamedUnit = std::pair<std::string_view, std::int64_t>;  // name, nanoseconds
constexpr std::array<NamedUnit, 6> kUnits{{{"h", 3'600'000'000'000},
                                           {"min", 60'000'000'000},
                                           {"s", 1'000'000'000},
                                           {"ms", 1'000'000},
                                           {"us", 1'000},
                                           {"ns", 1}}};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const noexcept override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  void sleep_until(Nanoseconds when) override {
    std::this_thread::sleep_until(std::chrono::steady_clock::time_point(when));
  }
};

}  // namespace

Nanoseconds parse_duration(std::string_view text) {
  double number = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view suffix(rest, text.data() + text.size() - rest);
  while (!suffix.empty() && suffix.front() == ' ') {
    suffix.remove_prefix(1);
  }
  std::int64_t factor = 0;
  for (const auto& [name, nanoseconds] : kUnits) {
    if (suffix == name) {
      factor = nanoseconds;
    }
  }
  const double duration = number * static_cast<double>(factor);
  if (fault != std::errc{} || factor == 0 || !(duration >= 0) || duration > 0x1p62) {
    throw Error(Errc::kInvalidInput, "not a duration (write for instance '5 ms')")
        .with("found", text);
  }
  return Nanoseconds(std::llround(duration));
}

std::string format_duration(Nanoseconds duration) {
  if (duration.count() == 0) {
    return "0 s";
  }
  for (const auto& [name, nanoseconds] : kUnits) {
    if (duration.count() % nanoseconds == 0) {
      return std::to_string(duration.count() / nanoseconds) + ' ' + std::string(name);
    }
  }
  return std::to_string(duration.count()) + " ns";
}

Clock& steady_clock() noexcept {
  static SteadyClock clock;
  return clock;
}

Nanoseconds ManualClock::now() const noexcept {
  return Nanoseconds(now_.load());
}

void ManualClock::sleep_until(Nanoseconds when) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [&] { return now() >= when; });
}

void ManualClock::advance(Nanoseconds step) {
  {
    const std::lock_guard lock(mutex_);
    now_ += step.count();
  }
  moved_.notify_all();
}

}  // namespace askos
