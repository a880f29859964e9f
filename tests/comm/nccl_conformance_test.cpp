// SPDX-License-Identifier: Apache-2.0
// Starts `--ranks=N` processes, each of which runs all tests as one rank.
#include "comm/conformance/collectives.hpp"
#include "comm/conformance/faults.hpp"
#include "comm/conformance/ordering.hpp"
#include "comm/process_backend.hpp"
#include "comm/rank_processes.hpp"

#include <askos/comm/device_ranks.hpp>

#include <cuda_runtime_api.h>

#include <iostream>
#include <memory>

namespace askos::comm::conformance {
namespace {

std::unique_ptr<DeviceRanks> device_ranks;  // of this process; made by `main`

void expect_success(cudaError_t code) {
  ASSERT_EQ(code, cudaSuccess) << cudaGetErrorString(code);
}

/// Makes this rank's GPU the calling thread's; tests start threads of their own.
void use_own_gpu() {
  expect_success(cudaSetDevice(RankPlace::take().device_options().device));
}

class NcclBackend final : public ProcessBackend<DeviceRanks> {
 public:
  NcclBackend() : ProcessBackend(*device_ranks) {}
  [[nodiscard]] std::string name() const override { return "nccl"; }

  [[nodiscard]] std::shared_ptr<std::byte[]> allocate(std::size_t num_bytes) override {
    void* memory = nullptr;
    use_own_gpu();
    expect_success(cudaMalloc(&memory, num_bytes));
    return {static_cast<std::byte*>(memory), [](std::byte* bytes) { (void)cudaFree(bytes); }};
  }
  void copy(std::byte* to, const std::byte* from, std::size_t num_bytes) override {
    expect_success(cudaMemcpy(to, from, num_bytes, cudaMemcpyDefault));
  }
};

/// Numbers of the host take their way through the GPU.
class NcclHostBackend final : public ProcessBackend<DeviceRanks> {
 public:
  NcclHostBackend() : ProcessBackend(*device_ranks) {}
  [[nodiscard]] std::string name() const override { return "nccl, host memory"; }
};

/// The two largest groups that this number of processes can make.
template <typename Kind = NcclBackend>
std::vector<Case> largest(int fewest) {
  const int size = RankPlace::is_given() ? RankPlace::take().size : 2;
  std::vector<Case> all;
  for (int num_ranks = std::max(fewest, size - 1); num_ranks <= size; ++num_ranks) {
    all.push_back({[] { return std::make_unique<Kind>(); }, num_ranks});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Nccl, CollectiveConformance, ::testing::ValuesIn(largest(1)), case_name);
INSTANTIATE_TEST_SUITE_P(NcclHost,
                         CollectiveConformance,
                         ::testing::ValuesIn(largest<NcclHostBackend>(2)),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Nccl, OrderConformance, ::testing::ValuesIn(largest(1)), case_name);
INSTANTIATE_TEST_SUITE_P(Nccl, FaultConformance, ::testing::ValuesIn(largest(2)), case_name);

class NcclStreams : public ConformanceTest {
 protected:
  void TearDown() override { expect_success(cudaStreamDestroy(stream_)); }
  [[nodiscard]] static cudaStream_t make_stream() {
    cudaStream_t stream = nullptr;
    expect_success(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
  }

  cudaStream_t stream_ = make_stream();
};

// The host never waits: what comes before a collective and what comes after it are on one stream.
TEST_P(NcclStreams, ACollectiveTakesItsPlaceInTheStreamThatItFollows) {
  constexpr std::int64_t kEntries = 16 << 20;
  constexpr int kNumRounds = 4;
  constexpr int kNumWrites = 500;  // some ms on the fastest GPUs: longer than ranks take to agree
  run([&](Communicator& comm) {
    comm.follow({stream_});
    const auto rank = comm.rank();
    const Array data(backend(), DType::kInt32, kEntries);
    std::vector<std::int32_t> found(kEntries);
    auto* const bytes = data.buffer().data;
    for (int round = 1; round <= kNumRounds; ++round) {
      for (int write = 1; write <= kNumWrites; ++write) {
        const int value = write == kNumWrites ? round + rank : 100;
        expect_success(cudaMemsetAsync(bytes, value, kEntries * 4, stream_));
      }
      comm.all_reduce(data.buffer())->wait_on({stream_});
      expect_success(
          cudaMemcpyAsync(found.data(), bytes, kEntries * 4, cudaMemcpyDefault, stream_));
      expect_success(cudaMemsetAsync(bytes, 0, kEntries * 4, stream_));
      expect_success(cudaStreamSynchronize(stream_));
      std::int64_t expected = 0;
      for (int r = 0; r < comm.size(); ++r) {
        expected += (round + r) * 0x01010101;
      }
      ASSERT_EQ(std::ranges::count(found, static_cast<std::int32_t>(expected)), kEntries);
    }
  });
}
INSTANTIATE_TEST_SUITE_P(Nccl, NcclStreams, ::testing::ValuesIn(largest(2)), case_name);

}  // namespace

int start_ranks(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  const int num_ranks = take_num_ranks(arguments);
  if (num_gpus() == 0) {
    std::cout << "skipped: no GPU\n";
    return kSkipped;
  }
  RankProcesses ranks(num_ranks, arguments);
  int failed = 0;
  for (const int code : ranks.wait(std::chrono::minutes(9))) {
    failed |= code;
  }
  return failed == 0 ? 0 : 1;
}

int run_rank(int argc, char** argv) {
  const auto place = RankPlace::take();
  ::testing::InitGoogleTest(&argc, argv);
  if (place.rank != 0) {
    GTEST_FLAG_SET(brief, true);
  }
  try {
    device_ranks = std::make_unique<DeviceRanks>(
        open_folder_rendezvous(place.folder / "meeting", place.rank, place.size),
        place.device_options());
    use_own_gpu();
    const int code = RUN_ALL_TESTS();
    device_ranks.reset();
    return code;
  } catch (const Error& error) {
    std::cerr << "rank " << place.rank << ": " << error.what() << '\n';
    return exit_code(error.code());
  }
}

}  // namespace askos::comm::conformance

int main(int argc, char** argv) {
  using namespace askos::comm;
  return RankPlace::is_given() ? conformance::run_rank(argc, argv)
                               : conformance::start_ranks(argc, argv);
}
