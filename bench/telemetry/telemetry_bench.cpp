// SPDX-License-Identifier: Apache-2.0
// What the always-on account costs: a ledger transition and a trace record; and an operator's
// record, for those who ask for it. Prints a table, exits 7 if a target is missed.
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <numeric>

namespace {

using namespace askos;
using namespace askos::telemetry;

constexpr int kCalls = 2'000'000;

struct Cost {
  double median = 0;
  double least = 0;
  double most = 0;
};

/// Returns nanoseconds per call of `body(kCalls)`, of 9 repetitions.
Cost measure(const std::function<void(int)>& body) {
  std::array<double, 9> costs{};
  for (auto& cost : costs) {
    const auto began = steady_clock().now();
    body(kCalls);
    cost = static_cast<double>((steady_clock().now() - began).count()) / kCalls;
  }
  std::ranges::sort(costs);
  return {costs[costs.size() / 2], costs.front(), costs.back()};
}

bool report(const char* what, const Cost& cost, double target) {
  const bool met = target == 0 || cost.median <= target;
  std::printf("%-24s %8.1f %8.1f %8.1f   %s\n", what, cost.median, cost.least, cost.most,
              target == 0 ? ""
              : met       ? "met"
                          : "MISSED");
  return met;
}

}  // namespace

int main() {
  Ledger ledger;
  const auto transition = measure([&](int calls) {
    for (int i = 0; i < calls; ++i) ledger.enter(static_cast<State>(i % 2));
  });
  const auto reading = ledger.read();
  const auto sum = std::accumulate(reading.times.begin(), reading.times.end(), std::int64_t{0});
  TraceRing ring(TraceLog::kDefaultCapacity);
  const auto record = measure([&](int calls) {
    for (int i = 0; i < calls; ++i) ring.record({.end = ticks(), .id = static_cast<unsigned>(i)});
  });
  if (sum != (reading.at - reading.opened).count() || ring.num_recorded() != 9ULL * kCalls) {
    std::fputs("wrong result\n", stderr);
    return 7;
  }
  TraceLog log;
  const auto operators = measure([&](int calls) {
    constexpr std::array<const char*, 4> kNames{"aten::add", "aten::linear", "aten::addmm",
                                                "aten::view"};
    const CurrentLedger current(nullptr, &log);
    for (int i = 0; i < calls; ++i) {
      const auto now = ticks();
      record_operator(kNames[static_cast<std::size_t>(i) % kNames.size()], now, now);
    }
  });
  const auto clock = measure([](int calls) {
    for (int i = 0; i < calls; ++i) (void)steady_clock().now();
  });
  std::printf("%-24s %8s %8s %8s\n", "ns per call", "median", "least", "most");
  report("clock read", clock, 0);
  report("operator with its name", operators, 0);
  const bool transition_met = report("ledger transition", transition, 30);
  const bool record_met = report("trace record with ticks", record, 30);
  return transition_met && record_met ? 0 : 7;
}
