// SPDX-License-Identifier: Apache-2.0
// How much of reading and communication a pipeline of three stages hides behind compute. `Machine`
// is what a rank computes with; it has
//   Values read(int step)            reads, and waits out the rest of its part's time
//   void compute(Values&)
//   void exchange(Values&)           sums over ranks, and waits out the rest of its part's time
//   std::int64_t sum(const Values&)  of a step, for the check
// each called by one thread at a time, but different ones at once.
#pragma once

#include "dataflow/report.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/session.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace askos::dataflow::bench {

inline constexpr int kNumSteps = 100;
inline constexpr Nanoseconds kPart = std::chrono::milliseconds(10);  // of each step's three parts

inline void wait_out(Nanoseconds began) {
  steady_clock().sleep_until(began + kPart);
}

template <typename Machine>
class Read final : public Stage {
 public:
  using Values = typename Machine::Values;
  explicit Read(Machine& machine) : machine_(machine) {}
  Out<Values> out{*this, "out"};

  void run(Context& context) override {
    context.emit(out, machine_.read(step_), {.sample = SampleId{step_}});
    if (++step_ == kNumSteps) context.end();
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }

 private:
  Machine& machine_;
  int step_ = 0;
};

template <typename Machine>
class Compute final : public Stage {
 public:
  using Values = typename Machine::Values;
  explicit Compute(Machine& machine) : machine_(machine) {}
  In<Values> in{*this, "in"};
  Out<Values> out{*this, "out"};

  void run(Context& context) override {
    const auto packet = context.take(in);
    Values values = *packet;
    machine_.compute(values);
    context.emit(out, std::move(values), packet.meta);
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }

 private:
  Machine& machine_;
};

template <typename Machine>
class Exchange final : public Stage {
 public:
  using Values = typename Machine::Values;
  Exchange(Machine& machine, std::int64_t& total) : machine_(machine), total_(total) {}
  In<Values> in{*this, "in"};

  void run(Context& context) override {
    Values values = *context.take(in);
    machine_.exchange(values);
    total_ += machine_.sum(values);
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }
  [[nodiscard]] std::string communicator() const override { return "sums"; }

 private:
  Machine& machine_;
  std::int64_t& total_;
};

enum class Parts { kAll, kRead, kCompute, kExchange };

inline double milliseconds_per_step(Nanoseconds began) {
  const std::chrono::duration<double, std::milli> took = steady_clock().now() - began;
  return took.count() / kNumSteps;
}

/// Runs parts of the steps one after another, a thread per rank; `totals` by rank.
template <typename Machine>
double run_serially(std::vector<std::unique_ptr<Machine>>& ranks,
                    Parts parts,
                    std::vector<std::int64_t>& totals) {
  const auto is_in = [&](Parts part) { return parts == Parts::kAll || parts == part; };
  const auto began = steady_clock().now();
  std::vector<std::jthread> threads;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    threads.emplace_back([&, rank] {
      Machine& machine = *ranks[rank];
      typename Machine::Values values = machine.read(0);
      for (int step = 0; step < kNumSteps; ++step) {
        if (is_in(Parts::kRead)) values = machine.read(step);
        if (is_in(Parts::kCompute)) machine.compute(values);
        if (is_in(Parts::kExchange)) machine.exchange(values);
        if (parts == Parts::kAll) totals[rank] += machine.sum(values);
      }
    });
  }
  threads.clear();
  return milliseconds_per_step(began);
}

template <typename Machine>
double run_graph(std::vector<std::unique_ptr<Machine>>& ranks,
                 Rank first,
                 std::vector<std::int64_t>& totals) {
  std::vector<Graph> graphs;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    Graph& graph = graphs.emplace_back("overlap");
    auto& read = graph.add<Read<Machine>>("read", *ranks[rank]);
    auto& work = graph.add<Compute<Machine>>("compute", *ranks[rank]);
    auto& sum = graph.add<Exchange<Machine>>("exchange", *ranks[rank], totals[rank]);
    graph.connect(read.out, work.in);
    graph.connect(work.out, sum.in);
  }
  const auto began = steady_clock().now();
  const auto session = start(Plan(std::move(graphs), {}, first));
  const auto outcome = session->wait(std::chrono::minutes(1));
  const double took = milliseconds_per_step(began);
  if (!outcome || !outcome->ok()) throw Error(Errc::kStalled, "the pipeline did not end");
  return took;
}

/// Compares the graph with its parts, turn by turn, after a check of its sums. `ranks` are those of
/// this process, `first` the number of the first one.
template <typename Machine>
Report compare(std::vector<std::unique_ptr<Machine>>& ranks, Rank first = {}) {
  constexpr int kRepetitions = 5;
  std::vector<double> serial, read, computed, exchanged, graph, hidden;
  for (int i = 0; i < kRepetitions; ++i) {
    std::vector<std::int64_t> expected(ranks.size()), found(ranks.size());
    serial.push_back(run_serially(ranks, Parts::kAll, expected));
    graph.push_back(run_graph(ranks, first, found));
    if (found != expected || std::ranges::count(found, found[0]) != std::ssize(found)) {
      throw Error(Errc::kCheckFailed, "the graph's sums are not those of the serial steps")
          .with("found", found[0])
          .with("expected", expected[0]);
    }
    read.push_back(run_serially(ranks, Parts::kRead, expected));
    computed.push_back(run_serially(ranks, Parts::kCompute, expected));
    exchanged.push_back(run_serially(ranks, Parts::kExchange, expected));
    const double longest = std::max({read.back(), computed.back(), exchanged.back()});
    hidden.push_back((serial.back() - graph.back()) / (serial.back() - longest));
  }
  Report report;
  report.add("reading alone", "ms a step", read);
  report.add("compute alone", "ms a step", computed);
  report.add("communication alone", "ms a step", exchanged);
  report.add("one after another", "ms a step", serial);
  report.add("as a graph", "ms a step", graph);
  report.add_least("hidden of what can be", "share", hidden, 0.9);
  return report;
}

}  // namespace askos::dataflow::bench
