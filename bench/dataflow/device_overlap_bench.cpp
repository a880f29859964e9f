// SPDX-License-Identifier: Apache-2.0
// As overlap_bench, with a GPU for each rank: a step reads a block and copies it to the device,
// multiplies it there, and sums it over the ranks by NCCL. Reading and communication then wait for
// the rest of their time as a slower disk or network would make them. Run it once per rank with
// RANK, WORLD_SIZE and an empty folder that all ranks see:
//   device_overlap_bench FOLDER
// Rank 0 prints. Exits 7 if less than nine tenths of what can be hidden are.
#include "dataflow/overlap.hpp"

#include <askos/comm/device_ranks.hpp>

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <numeric>

namespace askos::dataflow::bench {
namespace {

constexpr int kSize = 2048;  // of the square matrices
constexpr std::size_t kNumValues = std::size_t{kSize} * kSize;
constexpr std::size_t kBytes = kNumValues * sizeof(float);
constexpr int kNumBlocks = 8;  // of the file, read in turn
constexpr int kNumSummed = 4096;

void require(bool holds, const char* what) {
  if (!holds) throw Error(Errc::kCheckFailed, "a call failed").with("what", what);
}
void require(cudaError_t error, const char* what) {
  require(error == cudaSuccess, what);
}

class Queue {
 public:
  Queue() { require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStream"); }
  ~Queue() { (void)cudaStreamDestroy(stream_); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  [[nodiscard]] cudaStream_t get() const noexcept { return stream_; }
  void finish() const { require(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Device memory of one matrix, without the pause that cudaMalloc makes.
class Matrix {
 public:
  explicit Matrix(cudaStream_t stream) : stream_(stream) {
    require(cudaMallocAsync(&data_, kBytes, stream), "cudaMallocAsync");
  }
  ~Matrix() { (void)cudaFreeAsync(data_, stream_); }
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;

  [[nodiscard]] float* data() const noexcept { return static_cast<float*>(data_); }

 private:
  void* data_ = nullptr;
  cudaStream_t stream_;
};

class Gpu {
 public:
  using Values = std::shared_ptr<Matrix>;

  Gpu(std::unique_ptr<comm::Communicator> ranks, int device)
      : ranks_(std::move(ranks)), device_(device) {
    require(cudaHostAlloc(&pinned_, kBytes, cudaHostAllocDefault), "cudaHostAlloc");
    write_file();
    make_permutation();
    require(cublasCreate(&blas_) == CUBLAS_STATUS_SUCCESS, "cublasCreate");
    require(cublasSetStream(blas_, computing_.get()) == CUBLAS_STATUS_SUCCESS, "cublasSetStream");
    calibrate();
  }
  ~Gpu() {
    (void)cublasDestroy(blas_);
    (void)cudaFreeHost(pinned_);
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  [[nodiscard]] Values read(int step) {
    use_device();
    const auto began = steady_clock().now();
    const auto offset = static_cast<off_t>(kBytes * static_cast<std::size_t>(step % kNumBlocks));
    require(::pread(fileno(file_.get()), pinned_, kBytes, offset) == static_cast<ssize_t>(kBytes),
            "pread");
    auto values = std::make_shared<Matrix>(reading_.get());
    require(
        cudaMemcpyAsync(values->data(), pinned_, kBytes, cudaMemcpyHostToDevice, reading_.get()),
        "cudaMemcpyAsync");
    reading_.finish();
    wait_out(began);
    return values;
  }

  /// Multiplies by a permutation, there and on, so that whole numbers stay exact.
  void compute(const Values& values) {
    use_device();
    multiply(values->data(), num_products_);
    computing_.finish();
  }

  void exchange(const Values& values) {
    use_device();
    const auto began = steady_clock().now();
    ranks_->follow({exchanging_.get()});
    ranks_
        ->all_reduce({.data = values->data(),
                      .count = static_cast<std::int64_t>(kNumValues),
                      .dtype = DType::kFloat32})
        ->wait();
    wait_out(began);
  }

  [[nodiscard]] std::int64_t sum(const Values& values) {
    use_device();
    std::vector<float> some(kNumSummed);
    require(cudaMemcpyAsync(some.data(), values->data(), some.size() * sizeof(float),
                            cudaMemcpyDeviceToHost, exchanging_.get()),
            "cudaMemcpyAsync");
    exchanging_.finish();
    return static_cast<std::int64_t>(std::accumulate(some.begin(), some.end(), 0.0));
  }

 private:
  /// Each stage has a thread of its own.
  void use_device() const { require(cudaSetDevice(device_), "cudaSetDevice"); }

  void write_file() {
    require(file_ != nullptr, "tmpfile");
    std::vector<float> block(kNumValues);
    for (int number = 0; number < kNumBlocks; ++number) {
      for (std::size_t i = 0; i < kNumValues; ++i) {
        block[i] = static_cast<float>((i * 7 + static_cast<std::size_t>(number)) % 1021);
      }
      require(std::fwrite(block.data(), sizeof(float), kNumValues, file_.get()) == kNumValues,
              "fwrite");
    }
    std::fflush(file_.get());
  }

  void make_permutation() {
    std::vector<float> rows(kNumValues, 0.0F);
    for (int row = 0; row < kSize; ++row) {
      rows[static_cast<std::size_t>(row) * kSize +
           static_cast<std::size_t>((row * 5 + 3) % kSize)] = 1;
    }
    require(cudaMemcpy(permutation_.data(), rows.data(), kBytes, cudaMemcpyHostToDevice),
            "cudaMemcpy");
  }

  void multiply(float* values, int num_products) {
    const float one = 1;
    const float zero = 0;
    for (int i = 0; i < num_products; ++i) {
      float* const from = i % 2 == 0 ? values : scratch_.data();
      float* const to = i % 2 == 0 ? scratch_.data() : values;
      require(cublasSgemm(blas_, CUBLAS_OP_N, CUBLAS_OP_N, kSize, kSize, kSize, &one, from, kSize,
                          permutation_.data(), kSize, &zero, to, kSize) == CUBLAS_STATUS_SUCCESS,
              "cublasSgemm");
    }
  }

  void calibrate() {
    constexpr int kTried = 40;
    const Matrix values(computing_.get());
    require(cudaMemsetAsync(values.data(), 0, kBytes, computing_.get()), "cudaMemsetAsync");
    multiply(values.data(), kTried);
    computing_.finish();
    const auto began = steady_clock().now();
    multiply(values.data(), kTried);
    computing_.finish();
    const auto took = steady_clock().now() - began;
    num_products_ = std::max(2, static_cast<int>(kTried * kPart.count() / took.count()) / 2 * 2);
  }

  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  std::unique_ptr<comm::Communicator> ranks_;
  int device_;
  std::unique_ptr<std::FILE, Close> file_{std::tmpfile()};
  void* pinned_ = nullptr;
  Queue reading_;
  Queue computing_;
  Queue exchanging_;
  Matrix permutation_{computing_.get()};
  Matrix scratch_{computing_.get()};
  cublasHandle_t blas_ = nullptr;
  int num_products_ = 0;
};

int number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) {
    throw Error(Errc::kUsage, "an environment variable is missing").with("name", name);
  }
  return std::atoi(text);
}

bool run(const char* folder) {
  const int rank = number("RANK");
  const int size = number("WORLD_SIZE");
  int num_gpus = 0;
  require(cudaGetDeviceCount(&num_gpus), "cudaGetDeviceCount");
  const int device = rank % num_gpus;
  require(cudaSetDevice(device), "cudaSetDevice");
  const auto rendezvous = comm::open_folder_rendezvous(folder, rank, size);
  comm::DeviceRanks all(rendezvous, {.device = device});
  std::vector<std::unique_ptr<Gpu>> own;
  own.push_back(std::make_unique<Gpu>(all.make_communicator(), device));
  const Report report = compare(own, Rank{rank});
  own.clear();  // before the ranks
  return rank != 0 || report.print(/*as_json=*/false);
}

}  // namespace
}  // namespace askos::dataflow::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: RANK=r WORLD_SIZE=n device_overlap_bench FOLDER\n");
    return askos::exit_code(askos::Errc::kUsage);
  }
  try {
    return askos::dataflow::bench::run(argv[1]) ? 0 : 7;
  } catch (const askos::Error& error) {
    std::cerr << "device_overlap_bench: " << error.what() << "\n";
    return askos::exit_code(error.code());
  }
}
