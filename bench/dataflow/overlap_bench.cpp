// SPDX-License-Identifier: Apache-2.0
// How much of reading and communication a pipeline hides behind compute, where each takes as long
// as compute does. Two ranks, each with a thread that computes; reading and communication are real,
// and then wait for the rest of their time as a slower disk or network would make them. Compared
// are one step after the other, the longest part alone, and the graph; what is summed over the
// ranks is checked each time. Exits 7 if less than nine tenths of what can be hidden are.
//
//   overlap_bench [--json]
#include "dataflow/report.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/session.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace askos::dataflow::bench {
namespace {

constexpr int kNumRanks = 2;
constexpr int kNumSteps = 100;
constexpr int kRepetitions = 5;
constexpr Nanoseconds kPart = std::chrono::milliseconds(10);  // of each step's three parts
constexpr std::size_t kNumValues = std::size_t{64} << 10;     // 512 KiB that a rank reads in a step

using Values = std::vector<std::int64_t>;

/// Waits until a part that began then has taken its time.
void wait_out(Nanoseconds began) {
  steady_clock().sleep_until(began + kPart);
}

/// A file of `kNumSteps` blocks for each rank, which is gone when the program ends.
class Blocks {
 public:
  Blocks() : file_(std::tmpfile()) {
    if (!file_) fail("make");
    Values block(kNumValues);
    for (std::int64_t number = 0; number < kNumRanks * kNumSteps; ++number) {
      std::iota(block.begin(), block.end(), number);
      if (std::fwrite(block.data(), sizeof(block[0]), kNumValues, file_.get()) != kNumValues) {
        fail("write");
      }
    }
    std::fflush(file_.get());
  }

  /// Takes one part's time.
  [[nodiscard]] Values read(int rank, int step) const {
    const auto began = steady_clock().now();
    Values block(kNumValues);
    const std::size_t bytes = kNumValues * sizeof(block[0]);
    const auto offset = static_cast<std::size_t>(rank * kNumSteps + step) * bytes;
    if (::pread(fileno(file_.get()), block.data(), bytes, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes)) {
      fail("read");
    }
    wait_out(began);
    return block;
  }

 private:
  [[noreturn]] static void fail(const std::string& verb) {
    throw Error(Errc::kEnvironment, "cannot " + verb + " a temporary file")
        .with("why", std::strerror(errno));
  }

  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

/// Goes over `values` so many times; the result, 30 bits each, depends on every pass.
void compute(Values& values, int num_passes) {
  constexpr std::int64_t kMask = (std::int64_t{1} << 30) - 1;
  for (int pass = 0; pass < num_passes; ++pass) {
    for (auto& value : values) value = ((value & kMask) * 1103515245 + 12345) & kMask;
  }
}

/// Returns how many passes take one part's time on a core.
int calibrated_passes() {
  Values values(kNumValues, 1);
  constexpr int kTried = 200;
  compute(values, kTried / 10);
  const auto began = steady_clock().now();
  compute(values, kTried);
  const auto took = steady_clock().now() - began;
  return std::max(1, static_cast<int>(kTried * kPart.count() / took.count()));
}

/// Sums of all blocks over ranks and steps.
struct Totals {
  std::array<std::int64_t, kNumRanks> of_rank{};

  void add(int rank, const Values& sums) {
    for (const auto value : sums) of_rank[static_cast<std::size_t>(rank)] += value;
  }
};

/// Sums over the ranks; takes one part's time.
void exchange(comm::Communicator& ranks, Values& values) {
  const auto began = steady_clock().now();
  ranks
      .all_reduce({.data = values.data(),
                   .count = static_cast<std::int64_t>(values.size()),
                   .dtype = DType::kInt64})
      ->wait();
  wait_out(began);
}

class Read final : public Stage {
 public:
  Read(const Blocks& blocks, int rank) : blocks_(blocks), rank_(rank) {}
  Out<Values> out{*this, "out", {.host_bytes = {kNumValues * sizeof(std::int64_t)}}};

  void run(Context& context) override {
    context.emit(out, blocks_.read(rank_, step_), {.sample = SampleId{step_}});
    if (++step_ == kNumSteps) context.end();
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }

 private:
  const Blocks& blocks_;
  int rank_;
  int step_ = 0;
};

class Compute final : public Stage {
 public:
  explicit Compute(int num_passes) : num_passes_(num_passes) {}
  In<Values> in{*this, "in"};
  Out<Values> out{*this, "out", {.host_bytes = {kNumValues * sizeof(std::int64_t)}}};

  void run(Context& context) override {
    const auto packet = context.take(in);
    Values values = *packet;
    compute(values, num_passes_);
    context.emit(out, std::move(values), packet.meta);
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }

 private:
  int num_passes_;
};

class Exchange final : public Stage {
 public:
  Exchange(comm::Communicator& ranks, Totals& totals) : ranks_(ranks), totals_(totals) {}
  In<Values> in{*this, "in"};

  void run(Context& context) override {
    Values values = *context.take(in);
    exchange(ranks_, values);
    totals_.add(ranks_.rank(), values);
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }
  [[nodiscard]] std::string communicator() const override { return ranks_.name(); }

 private:
  comm::Communicator& ranks_;
  Totals& totals_;
};

enum class Parts { kAll, kRead, kCompute, kExchange };

/// Runs parts of the steps one after another on a thread per rank; returns milliseconds per step.
double run_serially(const Blocks& blocks, int num_passes, Parts parts, Totals& totals) {
  const auto is_in = [&](Parts part) { return parts == Parts::kAll || parts == part; };
  const auto ranks = comm::make_local_group(kNumRanks);
  const auto began = steady_clock().now();
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < kNumRanks; ++rank) {
    threads.emplace_back([&, rank] {
      Values values(kNumValues);
      for (int step = 0; step < kNumSteps; ++step) {
        if (is_in(Parts::kRead)) values = blocks.read(rank, step);
        if (is_in(Parts::kCompute)) compute(values, num_passes);
        if (is_in(Parts::kExchange)) {
          exchange(*ranks[static_cast<std::size_t>(rank)], values);
          totals.add(rank, values);
        }
      }
    });
  }
  threads.clear();
  const std::chrono::duration<double, std::milli> took = steady_clock().now() - began;
  return took.count() / kNumSteps;
}

double run_graph(const Blocks& blocks, int num_passes, Totals& totals) {
  const auto ranks = comm::make_local_group(kNumRanks);
  std::vector<Graph> graphs;
  for (int rank = 0; rank < kNumRanks; ++rank) {
    Graph& graph = graphs.emplace_back("overlap");
    auto& read = graph.add<Read>("read", blocks, rank);
    auto& work = graph.add<Compute>("compute", num_passes);
    auto& sum = graph.add<Exchange>("exchange", *ranks[static_cast<std::size_t>(rank)], totals);
    graph.connect(read.out, work.in);
    graph.connect(work.out, sum.in);
  }
  const auto began = steady_clock().now();
  const auto session = start(Plan(std::move(graphs)));
  const auto outcome = session->wait(std::chrono::minutes(1));
  const std::chrono::duration<double, std::milli> took = steady_clock().now() - began;
  if (!outcome || !outcome->ok()) throw Error(Errc::kStalled, "the pipeline did not end");
  return took.count() / kNumSteps;
}

bool run(bool as_json) {
  const Blocks blocks;
  const int num_passes = calibrated_passes();
  std::vector<double> serial, read, computed, exchanged, graph, hidden;
  for (int i = 0; i < kRepetitions; ++i) {
    Totals expected, found, unused;
    serial.push_back(run_serially(blocks, num_passes, Parts::kAll, expected));
    graph.push_back(run_graph(blocks, num_passes, found));
    if (found.of_rank != expected.of_rank || found.of_rank[0] != found.of_rank[1]) {
      throw Error(Errc::kCheckFailed, "the graph's sums are not those of the serial steps")
          .with("found", found.of_rank[0])
          .with("expected", expected.of_rank[0]);
    }
    read.push_back(run_serially(blocks, num_passes, Parts::kRead, unused));
    computed.push_back(run_serially(blocks, num_passes, Parts::kCompute, unused));
    exchanged.push_back(run_serially(blocks, num_passes, Parts::kExchange, unused));
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
  return report.print(as_json);
}

}  // namespace
}  // namespace askos::dataflow::bench

int main(int argc, char** argv) {
  const bool as_json = argc == 2 && std::strcmp(argv[1], "--json") == 0;
  if (argc > 1 && !as_json) {
    std::fprintf(stderr, "usage: overlap_bench [--json]\n");
    return askos::exit_code(askos::Errc::kUsage);
  }
  try {
    return askos::dataflow::bench::run(as_json) ? 0 : 7;
  } catch (const askos::Error& error) {
    std::cerr << "overlap_bench: " << error.what() << "\n";
    return askos::exit_code(error.code());
  }
}
