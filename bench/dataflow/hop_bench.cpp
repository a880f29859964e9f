// SPDX-License-Identifier: Apache-2.0
// What one hop of a packet costs, against one plain CAF message per packet in the same run; that
// the size of a payload does not matter; what the ledger and the trace ring cost. Every run checks
// counts and sums first. `--memory SECONDS` holds the resident size of a slow graph against its
// printed bound, `--idle SECONDS` the CPU time of a graph that waits. Exits 7 if a target is
// missed.
#include "dataflow/hop_stages.hpp"
#include "dataflow/plain_messages.hpp"
#include "dataflow/report.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/session.hpp>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

namespace askos::dataflow::bench {
namespace {

constexpr int kRepetitions = 7;

struct Setup {
  std::int64_t count = 0;
  int credit = 64;
  std::vector<BlobPtr> blobs = make_blobs(64, 8);
  Threading threading = Threading::kShared;
  int num_work = 0;        // stages between source and sink
  std::int64_t turns = 0;  // what each of them burns
  bool ledger = true;
};

struct Times {
  double wall_ns = 0;  // per packet
  double cpu_ns = 0;
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Graph make_chain(const Setup& setup, const std::shared_ptr<Sum>& sum, Nanoseconds pause = {}) {
  Graph graph("hop");
  auto& source = graph.add<Source>("source", setup.count, setup.blobs, setup.threading);
  const Out<Blob>* last = &source.out;
  for (int i = 0; i < setup.num_work; ++i) {
    auto& work = graph.add<Work>("work" + std::to_string(i), setup.turns, setup.threading);
    graph.connect(*last, work.in, {.credit = setup.credit});
    last = &work.out;
  }
  auto& sink = graph.add<Sink>("sink", sum, pause, setup.threading);
  graph.connect(*last, sink.in, {.credit = setup.credit});
  return graph;
}

void check_sum(const Sum& sum, const Setup& setup) {
  std::uint64_t numbers = 0;
  for (std::int64_t i = 0; i < setup.count; ++i) {
    numbers += setup.blobs[static_cast<std::size_t>(i) % setup.blobs.size()]->number;
  }
  if (sum.packets != setup.count || sum.samples != setup.count * (setup.count - 1) / 2 ||
      sum.numbers != numbers) {
    throw Error(Errc::kCheckFailed, "packets were lost or doubled")
        .with("arrived", sum.packets)
        .with("expected", setup.count);
  }
}

Times run_chain(const Setup& setup) {
  const auto sum = std::make_shared<Sum>();
  Plan plan(make_chain(setup, sum));
  const double cpu = cpu_seconds();
  const auto began = steady_clock().now();
  const auto session = start(std::move(plan), {.num_threads = 2, .ledger = setup.ledger});
  const auto outcome = session->wait(std::chrono::minutes(5));
  const auto wall = static_cast<double>((steady_clock().now() - began).count());
  const double used = cpu_seconds() - cpu;
  if (!outcome || !outcome->ok()) throw Error(Errc::kStalled, "chain did not end");
  check_sum(*sum, setup);
  const auto count = static_cast<double>(setup.count);
  return {wall / count, used * 1e9 / count};
}

/// Interleaves the kinds, so that other load on the machine meets them alike.
void compare_hops(Report& report) {
  const Setup wide{.count = 1'000'000};
  const Setup narrow{.count = 200'000, .credit = 1};
  const Setup large{.count = 1'000'000, .blobs = make_blobs(2, std::size_t{64} << 20)};
  const Setup small{.count = 1'000'000, .blobs = make_blobs(2, 8)};
  const Setup dedicated{.count = 200'000, .threading = Threading::kDedicated};
  PlainMessages plain(2);
  std::vector<double> plain_ns, wide_ns, narrow_ns, large_ns, small_ns, dedicated_ns;
  for (int i = 0; i < kRepetitions; ++i) {
    plain_ns.push_back(plain.nanoseconds_per_message(1'000'000));
    wide_ns.push_back(run_chain(wide).wall_ns);
    narrow_ns.push_back(run_chain(narrow).wall_ns);
    large_ns.push_back(run_chain(large).wall_ns);
    small_ns.push_back(run_chain(small).wall_ns);
    dedicated_ns.push_back(run_chain(dedicated).wall_ns);
  }
  report.add("plain CAF message", "ns", plain_ns);
  report.add("shared hop, credit 64", "ns", wide_ns);
  report.add("shared hop, credit 1", "ns", narrow_ns);
  report.add("dedicated hop, credit 64", "ns", dedicated_ns, 1500);
  report.add("hop with 8 bytes", "ns", small_ns);
  report.add("hop with 64 MiB", "ns", large_ns);
  report.ratio("credit 64 / plain message", wide_ns, plain_ns, 0.5);
  report.ratio("credit 1 / plain message", narrow_ns, plain_ns, 5);
  report.ratio("64 MiB / 8 bytes", large_ns, small_ns, 1.1);
}

/// Finds how many turns take a microsecond.
std::int64_t turns_per_microsecond() {
  constexpr std::int64_t kTurns = 20'000'000;
  const double began = cpu_seconds();
  volatile std::uint64_t sink = Work::burn(1, kTurns);
  (void)sink;
  return static_cast<std::int64_t>(kTurns * 1e-6 / (cpu_seconds() - began));
}

void compare_ledger(Report& report) {
  Setup with{.count = 200'000, .num_work = 3, .turns = turns_per_microsecond()};
  Setup without = with;
  without.ledger = false;
  std::vector<double> on, off;
  for (int i = 0; i < 2 * kRepetitions + 1; ++i) {
    on.push_back(run_chain(with).cpu_ns);
    off.push_back(run_chain(without).cpu_ns);
  }
  report.add("chain of 3 x 1 us, ledger on", "cpu ns", on);
  report.add("chain of 3 x 1 us, ledger off", "cpu ns", off);
  report.ratio("ledger and ring on / off", on, off, 1.02);
}

Bytes resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  statm >> total >> resident;
  return {resident * sysconf(_SC_PAGESIZE)};
}

/// A source that makes new payloads, 100 times faster than its sink takes them.
class FreshSource final : public Stage {
 public:
  static constexpr std::int64_t kBytes = std::int64_t{1} << 20;
  Out<Blob> out{*this, "out", {.host_bytes = {kBytes}}};

  void run(Context& context) override {
    if (context.stopping()) return context.end();
    context.emit(out, Blob{1, std::vector<char>(kBytes, 1)}, {.sample = SampleId{next_++}});
  }

 private:
  std::int64_t next_ = 0;
};

void check_memory(Report& report, int seconds) {
  // Payloads leave the process when they are freed. Else what the threads' arenas keep is counted
  // as well: on 16 cores half of the bound again.
  ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
  const auto sum = std::make_shared<Sum>();
  Graph graph("memory");
  auto& source = graph.add<FreshSource>("source");
  // Making a payload takes about 100 us, so the sink takes 100 times as long.
  auto& sink = graph.add<Sink>("sink", sum, std::chrono::milliseconds(10), Threading::kDedicated);
  graph.connect(source.out, sink.in, {.credit = 64});
  Plan plan(std::move(graph));
  const auto bound = plan.report().host_bound;
  std::cout << "printed bound: " << bound << "\n";
  const auto before = resident_bytes();
  const auto session = start(std::move(plan));
  Bytes largest;
  for (int i = 0; i < 10 * seconds; ++i) {
    if (session->wait(std::chrono::milliseconds(100))) break;
    largest = std::max(largest, resident_bytes() - before);
  }
  const auto outcome = session->drain(std::chrono::seconds(30));
  if (!outcome.ok() || outcome.num_undelivered != 0 || sum->packets == 0) {
    throw Error(Errc::kCheckFailed, "slow graph lost packets")
        .with("lost", outcome.num_undelivered);
  }
  const double allowed = static_cast<double>(bound.value) * 1.05 + 8 * (1 << 20);
  report.add("resident growth", "bytes", {static_cast<double>(largest.value)}, allowed);
}

/// Waits for a packet that never comes.
class SilentSource final : public Stage {
 public:
  Out<Blob> out{*this, "out"};
  void run(Context& context) override {
    if (context.stopping()) return context.end();
    context.wake_at(Nanoseconds::max());
  }
};

void check_idle(Report& report, int seconds) {
  const auto sum = std::make_shared<Sum>();
  Graph graph("idle");
  auto& source = graph.add<SilentSource>("source");
  auto& work = graph.add<Work>("work", 0, Threading::kShared);
  auto& sink = graph.add<Sink>("sink", sum, Nanoseconds{}, Threading::kDedicated);
  graph.connect(source.out, work.in);
  graph.connect(work.out, sink.in);
  const auto session = start(Plan(std::move(graph)));
  (void)session->wait(std::chrono::milliseconds(200));
  const double before = cpu_seconds();
  (void)session->wait(std::chrono::seconds(seconds));
  report.add("idle graph", "% of a core", {100 * (cpu_seconds() - before) / seconds}, 0.5);
}

int seconds_after(std::string_view option, int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == option) return std::atoi(argv[i + 1]);
  }
  return 0;
}

int run(int argc, char** argv) {
  Report report;
  const int memory = seconds_after("--memory", argc, argv);
  const int idle = seconds_after("--idle", argc, argv);
  if (memory > 0) check_memory(report, memory);
  if (idle > 0) check_idle(report, idle);
  if (memory == 0 && idle == 0) {
    compare_hops(report);
    compare_ledger(report);
  }
  const bool as_json = std::any_of(argv + 1, argv + argc,
                                   [](std::string_view argument) { return argument == "--json"; });
  return report.print(as_json) ? 0 : 7;
}

}  // namespace
}  // namespace askos::dataflow::bench

int main(int argc, char** argv) {
  try {
    return askos::dataflow::bench::run(argc, argv);
  } catch (const askos::Error& error) {
    std::cerr << error.what() << "\n";
    return askos::exit_code(error.code());
  }
}
