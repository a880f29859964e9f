// SPDX-License-Identifier: Apache-2.0
// Times collectives between GPUs, one process each, beside NCCL's own all_reduce of the same bytes.
// Run it once per rank with RANK, WORLD_SIZE and an empty folder that all ranks see:
//   device_collective_bench FOLDER
// Every result is checked before it is timed. Rank 0 prints.
#include <askos/base/error.hpp>
#include <askos/comm/device_ranks.hpp>

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <vector>

namespace {

using namespace askos;        // NOLINT(google-build-using-namespace): a program of its own
using namespace askos::comm;  // NOLINT(google-build-using-namespace)

constexpr int kWarmUps = 5;
constexpr int kRepeats = 30;

void require(bool holds, const char* what) {
  if (!holds) {
    throw Error(Errc::kCheckFailed, "a result is wrong or a call failed").with("what", what);
  }
}

int number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) {
    throw Error(Errc::kUsage, "an environment variable is missing").with("name", name);
  }
  return std::atoi(text);
}

class Memory {
 public:
  explicit Memory(std::int64_t count) : count_(count) {
    require(cudaMalloc(&data_, static_cast<std::size_t>(count) * sizeof(float)) == cudaSuccess,
            "cudaMalloc");
  }
  ~Memory() { (void)cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] Buffer buffer() const { return {data_, count_, DType::kFloat32}; }
  void fill(float value) {
    const std::vector<float> values(static_cast<std::size_t>(count_), value);
    require(cudaMemcpy(data_, values.data(), values.size() * sizeof(float), cudaMemcpyDefault) ==
                cudaSuccess,
            "cudaMemcpy");
  }
  void expect(float value) const {
    std::vector<float> values(static_cast<std::size_t>(count_));
    require(cudaMemcpy(values.data(), data_, values.size() * sizeof(float), cudaMemcpyDefault) ==
                cudaSuccess,
            "cudaMemcpy");
    require(std::ranges::all_of(values, [&](float each) { return each == value; }), "values");
  }

 private:
  void* data_ = nullptr;
  std::int64_t count_;
};

/// Median time of `run` in microseconds, all ranks beginning together.
double time_of(Communicator& ranks, const std::function<void()>& run) {
  std::vector<double> times;
  const Clock& clock = steady_clock();
  for (int i = 0; i < kWarmUps + kRepeats; ++i) {
    ranks.barrier()->wait();
    const auto start = clock.now();
    run();
    if (i >= kWarmUps) {
      times.push_back(std::chrono::duration<double, std::micro>(clock.now() - start).count());
    }
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

/// NCCL's own all_reduce, on a communicator and a stream of its own.
class PlainNccl {
 public:
  PlainNccl(Rendezvous& rendezvous, int rank, int size) {
    ncclUniqueId id{};
    if (rank == 0) {
      require(ncclGetUniqueId(&id) == ncclSuccess, "ncclGetUniqueId");
      rendezvous.put("bench/id", std::string(id.internal, sizeof id.internal));
    }
    const auto bytes = rendezvous.get("bench/id", std::chrono::minutes(1));
    require(bytes.has_value(), "the id of rank 0");
    std::memcpy(id.internal, bytes->data(), sizeof id.internal);
    require(ncclCommInitRank(&comm_, size, id, rank) == ncclSuccess, "ncclCommInitRank");
    require(cudaStreamCreate(&stream_) == cudaSuccess, "cudaStreamCreate");
  }
  ~PlainNccl() {
    (void)ncclCommDestroy(comm_);
    (void)cudaStreamDestroy(stream_);
  }
  PlainNccl(const PlainNccl&) = delete;
  PlainNccl& operator=(const PlainNccl&) = delete;

  void all_reduce(Buffer data) {
    require(ncclAllReduce(data.data, data.data, static_cast<std::size_t>(data.count), ncclFloat,
                          ncclSum, comm_, stream_) == ncclSuccess,
            "ncclAllReduce");
    require(cudaStreamSynchronize(stream_) == cudaSuccess, "cudaStreamSynchronize");
  }

 private:
  ncclComm_t comm_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

void print(const char* what, std::int64_t bytes, double microseconds) {
  std::printf("%-28s %12lld B %12.1f us %9.2f GB/s\n", what, static_cast<long long>(bytes),
              microseconds, static_cast<double>(bytes) / microseconds * 1e-3);
}

void bench(Rendezvous& rendezvous, DeviceRanks& all) {
  const auto ranks = all.make_communicator();
  const bool prints = ranks->rank() == 0;
  const int size = ranks->size();
  PlainNccl plain(rendezvous, ranks->rank(), size);
  const double barrier = time_of(*ranks, [&] { ranks->barrier()->wait(); });
  if (prints) {
    std::printf("%d ranks; bytes per rank and time of one call, its wait included\n", size);
    std::printf("%-28s %27.1f us\n", "barrier", barrier);
  }
  for (const std::int64_t count : {256L, 64L << 10, 1L << 20, 16L << 20, 64L << 20}) {
    Memory data(count);
    Memory exchanged(count);
    const auto bytes = count * static_cast<std::int64_t>(sizeof(float));
    data.fill(1);
    ranks->all_reduce(data.buffer())->wait();
    data.expect(static_cast<float>(size));
    data.fill(0);
    const double sum = time_of(*ranks, [&] { ranks->all_reduce(data.buffer())->wait(); });
    const double ready = time_of(*ranks, [&] {
      for (int i = 0; i < 10; ++i) {  // as layers of a model: the host goes ahead
        ranks->all_reduce(data.buffer())->wait_on({});
      }
      require(cudaStreamSynchronize(nullptr) == cudaSuccess, "cudaStreamSynchronize");
    });
    const double nccl = time_of(*ranks, [&] { plain.all_reduce(data.buffer()); });
    const std::vector<std::int64_t> parts(static_cast<std::size_t>(size), count / size);
    data.fill(3);
    const Buffer from{data.buffer().data, count / size * size, DType::kFloat32};
    const Buffer to{exchanged.buffer().data, count / size * size, DType::kFloat32};
    const double halo = time_of(*ranks, [&] { ranks->all_to_all(from, parts, to, parts)->wait(); });
    if (prints) {
      print("all_reduce", bytes, sum);
      print("all_reduce, each of 10", bytes, ready / 10);
      print("ncclAllReduce", bytes, nccl);
      print("all_to_all", bytes, halo);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) {
      throw Error(Errc::kUsage, "give the folder in which ranks meet");
    }
    const int rank = number("RANK");
    const int size = number("WORLD_SIZE");
    int num_gpus = 0;
    require(cudaGetDeviceCount(&num_gpus) == cudaSuccess && num_gpus > 0, "cudaGetDeviceCount");
    require(cudaSetDevice(rank % num_gpus) == cudaSuccess, "cudaSetDevice");
    const auto rendezvous = open_folder_rendezvous(argv[1], rank, size);
    DeviceRanks ranks(rendezvous, {.device = rank % num_gpus});
    bench(*rendezvous, ranks);
    return 0;
  } catch (const Error& error) {
    std::cerr << "device_collective_bench: " << error.what() << '\n';
    return exit_code(error.code());
  }
}
