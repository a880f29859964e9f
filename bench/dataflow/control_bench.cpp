// SPDX-License-Identifier: Apache-2.0
// What a debugger costs: how long a pause and a credit change take on a saturated chain, and how
// long a peek takes. Exits 7 if a target is missed.
#include "dataflow/hop_stages.hpp"
#include "dataflow/report.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/session.hpp>

#include <algorithm>
#include <iostream>
#include <limits>
#include <string_view>

namespace askos::dataflow::bench {
namespace {

constexpr int kRepetitions = 101;
constexpr Nanoseconds kLong = std::chrono::seconds(30);

double microseconds(Nanoseconds time) {
  return static_cast<double>(time.count()) * 1e-3;
}

Graph endless_chain(const std::shared_ptr<Sum>& sum) {
  Graph graph("control");
  auto& source = graph.add<Source>("source", std::numeric_limits<std::int64_t>::max(),
                                   make_blobs(64, 8), Threading::kShared);
  auto& work = graph.add<Work>("work", 1000, Threading::kShared);  // about a microsecond
  auto& sink = graph.add<Sink>("sink", sum, Nanoseconds(0), Threading::kShared);
  graph.connect(source.out, work.in, {.credit = 64});
  graph.connect(work.out, sink.in, {.credit = 64});
  return graph;
}

int run(bool as_json) {
  const auto session = start(Plan(endless_chain(std::make_shared<Sum>())), {.num_threads = 2});
  auto& control = session->control();
  std::vector<double> pause_us, credit_us, peek_us;
  const Clock& clock = steady_clock();
  for (int i = 0; i < kRepetitions; ++i) {
    (void)session->wait(std::chrono::milliseconds(2));
    const auto peek_began = clock.now();
    (void)control.peek({.edge = "source.out>work.in"});
    peek_us.push_back(microseconds(clock.now() - peek_began));

    const auto credit_began = clock.now();
    (void)control.change_credit("work.out>sink.in", 32 + i % 2);
    (void)control.wait_for_hold(kLong);
    credit_us.push_back(microseconds(clock.now() - credit_began));

    const auto pause_began = clock.now();
    control.pause({.name = "bench"});
    if (control.wait_for_hold(kLong).state != HoldState::kPaused) {
      throw Error(Errc::kStalled, "the pause is not reached");
    }
    pause_us.push_back(microseconds(clock.now() - pause_began));
    control.resume({.name = "bench"});
  }
  session->stop();
  Report report;
  report.add("pause of a chain of 1 us stages", "us", pause_us, 1000);
  report.add("credit change", "us", credit_us);
  report.add("peek of an edge of 64", "us", peek_us, 200);
  return report.print(as_json) ? 0 : 7;
}

}  // namespace
}  // namespace askos::dataflow::bench

int main(int argc, char** argv) {
  try {
    return askos::dataflow::bench::run(std::any_of(
        argv + 1, argv + argc, [](std::string_view argument) { return argument == "--json"; }));
  } catch (const askos::Error& error) {
    std::cerr << error.what() << "\n";
    return askos::exit_code(error.code());
  }
}
