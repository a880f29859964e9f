// SPDX-License-Identifier: Apache-2.0
// Own generator and distributions: those of the standard library differ between implementations.
#include "split_mix.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/synthetic.hpp>
#include <askos/telemetry/ledger.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace askos::dataflow::synthetic {
namespace {

double default_spread(Distribution distribution) {
  switch (distribution) {
    case Distribution::kConstant: return 0;
    case Distribution::kNormal: return 0.25;
    case Distribution::kLognormal: return 1;
    case Distribution::kPareto: return 1.5;
  }
  return 0;
}

}  // namespace

Service::Service(const ServiceOptions& options)
    : random_(static_cast<std::uint64_t>(options.seed)) {
  change(options);
}

void Service::change(const ServiceOptions& options) {
  const double spread = options.spread == 0 ? default_spread(options.distribution) : options.spread;
  if (options.distribution == Distribution::kPareto && !(spread > 1)) {
    throw Error(Errc::kInvalidInput, "a Pareto service time has no mean: its spread must exceed 1")
        .with("spread", spread);
  }
  options_ = options;
  options_.spread = spread;
}

double Service::uniform() {
  return (static_cast<double>(split_mix(random_) >> 11) + 0.5) * 0x1p-53;
}

double Service::normal() {  // Box and Muller 1958
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

Nanoseconds Service::draw() {
  const double spread = options_.spread;
  double factor = 1;  // of the mean
  switch (options_.distribution) {
    case Distribution::kConstant: break;
    case Distribution::kNormal: factor = std::max(0.0, 1 + spread * normal()); break;
    case Distribution::kLognormal:
      factor = std::exp(spread * normal() - spread * spread / 2);
      break;
    case Distribution::kPareto:
      factor = (spread - 1) / spread * std::pow(uniform(), -1 / spread);
      break;
  }
  const double mean = static_cast<double>(options_.time.count());
  return Nanoseconds(std::llround(mean * std::min(factor, 1000.0)));
}

bool Service::is_over(Context& context) {
  if (options_.time.count() == 0) {
    return true;
  }
  Clock& clock = context.clock();
  if (!due_) {
    due_ = clock.now() + draw();
    if (options_.burn) {
      while (clock.now() < *due_) {
      }
    } else if (options_.dedicated) {
      const telemetry::ScopedState state(telemetry::State::kWaitIo);
      clock.sleep_until(*due_);
    }
  }
  if (clock.now() < *due_) {
    context.wake_at(*due_);
    return false;
  }
  due_.reset();
  return true;
}

}  // namespace askos::dataflow::synthetic
