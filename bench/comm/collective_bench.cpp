// SPDX-License-Identifier: Apache-2.0
// Times collectives of the local backend, back to back and between uneven compute, beside a memcpy
// of the same bytes on one thread in the same run. Every result is checked before it is timed.
#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/base/unit.hpp>
#include <askos/comm/communicator.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace askos;        // NOLINT(google-build-using-namespace): a program of its own
using namespace askos::comm;  // NOLINT(google-build-using-namespace)

using Values = std::vector<float>;
using Counts = std::vector<std::int64_t>;

Buffer buffer(Values& values) {
  return {values.data(), static_cast<std::int64_t>(values.size()), DType::kFloat32};
}

double microseconds(Nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

/// Median and spread of repeated measurements, in microseconds per call.
struct Timing {
  double p10 = 0;
  double median = 0;
  double p90 = 0;

  explicit Timing(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    const auto at = [&](double q) {
      return samples[static_cast<std::size_t>(q * static_cast<double>(samples.size() - 1))];
    };
    p10 = at(0.1);
    median = at(0.5);
    p90 = at(0.9);
  }
};

/// Runs `body(communicator)` on one thread per rank and returns what rank 0's gave.
template <typename Body>
auto on_ranks(int num_ranks, Body body) {
  const auto ranks = make_local_group(num_ranks);
  std::vector<std::thread> others;
  for (int r = 1; r < num_ranks; ++r) {
    others.emplace_back([&, r] { (void)body(*ranks[static_cast<std::size_t>(r)]); });
  }
  auto result = body(*ranks[0]);
  for (auto& other : others) {
    other.join();
  }
  return result;
}

constexpr int kNumBatches = 15;

/// Calls `call` in batches, one more to warm up, and returns the mean time per call of each.
template <typename Call>
std::vector<double> time_batches(int calls_per_batch, Call call) {
  std::vector<double> samples;
  for (int batch = -1; batch < kNumBatches; ++batch) {
    const auto start = steady_clock().now();
    for (int i = 0; i < calls_per_batch; ++i) {
      call();
    }
    if (batch >= 0) {
      samples.push_back(microseconds(steady_clock().now() - start) / calls_per_batch);
    }
  }
  return samples;
}

/// One rank's memory for a collective whose result has `bytes` bytes on each rank.
class Exchange {
 public:
  Exchange(const std::string& name, Communicator& comm, std::int64_t bytes)
      : name_(name),
        comm_(comm),
        counts_(static_cast<std::size_t>(comm.size()), bytes / 4 / comm.size()),
        result_(static_cast<std::size_t>(bytes / 4)),
        source_(name == "all_gather" ? result_.size() / counts_.size() : result_.size()) {}

  void run() {
    if (name_ == "all_reduce") {
      comm_.all_reduce(buffer(result_))->wait();
    } else if (name_ == "all_gather") {
      comm_.all_gather(buffer(source_), buffer(result_), counts_)->wait();
    } else {
      comm_.all_to_all(buffer(source_), counts_, buffer(result_), counts_)->wait();
    }
  }

  /// Throws unless each entry is what the ranks' contributions make of it.
  void check() {
    const auto rank = static_cast<float>(comm_.rank());
    std::fill(source_.begin(), source_.end(), rank + 1);
    std::fill(result_.begin(), result_.end(), rank + 1);
    run();
    const auto part = static_cast<std::size_t>(counts_[0]);
    const auto size = static_cast<float>(comm_.size());
    for (std::size_t i = 0; i < result_.size(); ++i) {
      const float expected =
          name_ == "all_reduce" ? size * (size + 1) / 2 : static_cast<float>(i / part + 1);
      if (result_[i] != expected) {
        throw Error(Errc::kCheckFailed, "collective left a wrong value")
            .with("collective", name_)
            .with("position", i)
            .with("found", result_[i])
            .with("expected", expected);
      }
    }
    std::fill(result_.begin(), result_.end(), 0.0f);  // sums of sums must not overflow
  }

 private:
  std::string name_;
  Communicator& comm_;
  Counts counts_;
  Values result_;
  Values source_;
};

/// Copies as many bytes as the collective leaves on all ranks, from and to memory of that size.
Timing time_memcpy(int num_ranks, std::int64_t bytes, int calls_per_batch) {
  const auto size = static_cast<std::size_t>(bytes);
  std::vector<std::vector<char>> from(static_cast<std::size_t>(num_ranks),
                                      std::vector<char>(size, 1));
  auto to = from;
  return Timing(time_batches(calls_per_batch, [&] {
    for (std::size_t r = 0; r < to.size(); ++r) {
      std::memcpy(to[r].data(), from[r].data(), size);
      asm volatile("" : : "r"(to[r].data()) : "memory");  // the copy must happen
    }
  }));
}

nlohmann::json to_json(const Timing& timing) {
  return {{"p10_us", timing.p10}, {"median_us", timing.median}, {"p90_us", timing.p90}};
}

nlohmann::json time_sizes(int num_ranks) {
  nlohmann::json rows;
  for (const std::string name : {"all_reduce", "all_gather", "all_to_all"}) {
    for (std::int64_t bytes = 8; bytes <= (16 << 20); bytes *= 8) {
      const int calls = static_cast<int>(std::clamp<std::int64_t>((8 << 20) / bytes, 2, 2000));
      const Timing timing(on_ranks(num_ranks, [&](Communicator& comm) {
        Exchange exchange(name, comm, bytes);
        exchange.check();
        return time_batches(calls, [&] { exchange.run(); });
      }));
      const Timing copy = time_memcpy(num_ranks, bytes, calls);
      rows.push_back({{"collective", name},
                      {"ranks", num_ranks},
                      {"bytes", bytes},
                      {"time", to_json(timing)},
                      {"memcpy", to_json(copy)},
                      {"ratio", timing.median / copy.median}});
    }
  }
  return rows;
}

/// Burns CPU for `time`.
void compute(Nanoseconds time) {
  const auto end = steady_clock().now() + time;
  while (steady_clock().now() < end) {
  }
}

/// Times 1 KiB sums between compute that differs from rank to rank, as in a step of a small model.
/// The overhead is what a step takes beyond its slowest rank's compute.
nlohmann::json time_steps(int num_ranks, Nanoseconds mean, Nanoseconds jitter) {
  constexpr int kSteps = 200;
  const auto work = [&](int rank, std::uint64_t step) {
    std::mt19937_64 random(step * 1000 + static_cast<std::uint64_t>(rank));
    const auto range = static_cast<std::uint64_t>(2 * jitter.count() + 1);
    return mean - jitter + Nanoseconds(static_cast<std::int64_t>(random() % range));
  };
  double slowest = 0;
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    Nanoseconds most{};
    for (int rank = 0; rank < num_ranks; ++rank) {
      most = std::max(most, work(rank, step));
    }
    slowest += microseconds(most) / kSteps;
  }
  const Timing timing(on_ranks(num_ranks, [&](Communicator& comm) {
    Values values(256);
    std::uint64_t step = 0;
    return time_batches(kSteps, [&] {
      compute(work(comm.rank(), step++ % kSteps));
      comm.all_reduce(buffer(values))->wait();
    });
  }));
  return {{"ranks", num_ranks},
          {"compute_us", microseconds(mean)},
          {"jitter_us", microseconds(jitter)},
          {"slowest_us", slowest},
          {"time", to_json(timing)},
          {"overhead_us", timing.median - slowest}};
}

std::string first_line(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) {
      return line.substr(line.find(':') == std::string::npos ? 0 : line.find(':') + 2);
    }
  }
  return "unknown";
}

void print(const nlohmann::json& result) {
  std::printf("%s, %d cores, load %s\n", result["cpu"].get<std::string>().c_str(),
              result["cores"].get<int>(), result["load"].get<std::string>().c_str());
  std::printf("\n%-12s %10s %22s %22s %7s\n", "collective", "bytes/rank", "us (p10 .. p90)",
              "memcpy us (p10 .. p90)", "ratio");
  const auto spread = [](const nlohmann::json& t) {
    char text[64];
    std::snprintf(text, sizeof text, "%.2f (%.2f .. %.2f)", t["median_us"].get<double>(),
                  t["p10_us"].get<double>(), t["p90_us"].get<double>());
    return std::string(text);
  };
  for (const auto& row : result["sizes"]) {
    std::printf("%-12s %10ld %22s %22s %7.2f\n", row["collective"].get<std::string>().c_str(),
                row["bytes"].get<long>(), spread(row["time"]).c_str(),
                spread(row["memcpy"]).c_str(), row["ratio"].get<double>());
  }
  std::printf("\n1 KiB sums between compute\n%5s %10s %9s %12s %22s %12s\n", "ranks", "compute us",
              "+- us", "slowest us", "step us (p10 .. p90)", "overhead us");
  for (const auto& row : result["steps"]) {
    std::printf("%5d %10.0f %9.0f %12.2f %22s %12.2f\n", row["ranks"].get<int>(),
                row["compute_us"].get<double>(), row["jitter_us"].get<double>(),
                row["slowest_us"].get<double>(), spread(row["time"]).c_str(),
                row["overhead_us"].get<double>());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc == 2 && std::strcmp(argv[1], "--json") == 0;
  if (argc > 1 && !json) {
    std::fprintf(stderr, "usage: %s [--json]\nexample: %s --json > collectives.json\n", argv[0],
                 argv[0]);
    return exit_code(Errc::kUsage);
  }
  try {
    using std::chrono::microseconds;
    nlohmann::json result{{"cpu", first_line("/proc/cpuinfo", "model name")},
                          {"cores", std::thread::hardware_concurrency()},
                          {"load", first_line("/proc/loadavg", "")},
                          {"sizes", time_sizes(2)}};
    result["steps"] = {time_steps(2, microseconds(20), microseconds(2)),
                       time_steps(2, microseconds(100), microseconds(10)),
                       time_steps(2, microseconds(100), microseconds(80)),
                       time_steps(2, microseconds(500), microseconds(250))};
    json ? void(std::cout << result.dump(2) << '\n') : print(result);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "collective_bench: %s\n", error.what());
    return exit_code(error.code());
  }
}
