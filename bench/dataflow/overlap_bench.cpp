// SPDX-License-Identifier: Apache-2.0
// How much of reading and communication a pipeline hides behind compute, where each takes as long
// as compute does. Two ranks, each with a thread that computes; reading and communication are real,
// and then wait for the rest of their time as a slower disk or network would make them. Compared
// are one step after the other, the longest part alone, and the graph; what is summed over the
// ranks is checked each time. Exits 7 if less than nine tenths of what can be hidden are.
//
//   overlap_bench [--json]
#include "dataflow/overlap.hpp"

#include <askos/comm/communicator.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <numeric>

namespace askos::dataflow::bench {
namespace {

constexpr int kNumRanks = 2;
constexpr std::size_t kNumValues = std::size_t{64} << 10;  // 512 KiB that a rank reads in a step

/// A file of `kNumSteps` blocks for each rank, which is gone when the program ends.
class Blocks {
 public:
  using Values = std::vector<std::int64_t>;

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

  [[nodiscard]] Values read(int rank, int step) const {
    Values block(kNumValues);
    const std::size_t bytes = kNumValues * sizeof(block[0]);
    const auto offset = static_cast<std::size_t>(rank * kNumSteps + step) * bytes;
    if (::pread(fileno(file_.get()), block.data(), bytes, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes)) {
      fail("read");
    }
    return block;
  }

 private:
  [[noreturn]] static void fail(const char* verb) {
    throw Error(Errc::kEnvironment, "cannot use a temporary file")
        .with("to", verb)
        .with("why", std::strerror(errno));
  }

  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

/// Goes over `values` so many times; the result, 30 bits each, depends on every pass.
void pass_over(Blocks::Values& values, int num_passes) {
  constexpr std::int64_t kMask = (std::int64_t{1} << 30) - 1;
  for (int pass = 0; pass < num_passes; ++pass) {
    for (auto& value : values) value = ((value & kMask) * 1103515245 + 12345) & kMask;
  }
}

/// Returns how many passes take one part's time on a core.
int calibrated_passes() {
  constexpr int kTried = 200;
  Blocks::Values values(kNumValues, 1);
  pass_over(values, kTried / 10);
  const auto began = steady_clock().now();
  pass_over(values, kTried);
  const auto took = steady_clock().now() - began;
  return std::max(1, static_cast<int>(kTried * kPart.count() / took.count()));
}

class Processor {
 public:
  using Values = Blocks::Values;

  Processor(const Blocks& blocks, int num_passes, std::unique_ptr<comm::Communicator> ranks)
      : blocks_(blocks), num_passes_(num_passes), ranks_(std::move(ranks)) {}

  [[nodiscard]] Values read(int step) const {
    const auto began = steady_clock().now();
    Values values = blocks_.read(ranks_->rank(), step);
    wait_out(began);
    return values;
  }
  void compute(Values& values) const { pass_over(values, num_passes_); }
  void exchange(Values& values) {
    const auto began = steady_clock().now();
    ranks_
        ->all_reduce({.data = values.data(),
                      .count = static_cast<std::int64_t>(values.size()),
                      .dtype = DType::kInt64})
        ->wait();
    wait_out(began);
  }
  [[nodiscard]] static std::int64_t sum(const Values& values) {
    return std::accumulate(values.begin(), values.end(), std::int64_t{0});
  }

 private:
  const Blocks& blocks_;
  int num_passes_;
  std::unique_ptr<comm::Communicator> ranks_;
};

bool run(bool as_json) {
  const Blocks blocks;
  const int num_passes = calibrated_passes();
  std::vector<std::unique_ptr<Processor>> ranks;
  for (auto& rank : comm::make_local_group(kNumRanks)) {
    ranks.push_back(std::make_unique<Processor>(blocks, num_passes, std::move(rank)));
  }
  return compare(ranks).print(as_json);
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
