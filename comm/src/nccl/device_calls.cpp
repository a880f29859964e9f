// SPDX-License-Identifier: Apache-2.0
#include "nccl/device_calls.hpp"

#include <askos/base/error.hpp>

#include <string_view>

namespace askos::comm {
namespace {

/// Scratch memory up to this size stays allocated between collectives.
constexpr std::uint64_t kKeptBytes = 256U << 20;

int num_devices() {
  int num = 0;
  const auto code = cudaGetDeviceCount(&num);
  if (code != cudaSuccess) {
    throw Error(Errc::kEnvironment, "no GPU can be used").with("reason", cudaGetErrorString(code));
  }
  return num;
}

}  // namespace

void check_cuda(cudaError_t code, const char* call) {
  if (code != cudaSuccess) {
    throw Error(Errc::kEnvironment, "CUDA failed")
        .with("call", call)
        .with("reason", cudaGetErrorString(code));
  }
}

void check_nccl(ncclResult_t code, const char* call) {
  if (code != ncclSuccess && code != ncclInProgress) {
    throw Error(Errc::kEnvironment, "NCCL failed")
        .with("call", call)
        .with("reason", ncclGetErrorString(code))
        .with("details", ncclGetLastError(nullptr));
  }
}

CollectiveStream::CollectiveStream(int device) : device_(device) {
  if (const int num = num_devices(); device < 0 || device >= num) {
    throw Error(Errc::kEnvironment, "there is no such GPU")
        .with("device", device)
        .with("gpus", num);
  }
  enter_thread();
  int least = 0;
  int greatest = 0;
  check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest),
             "cudaDeviceGetStreamPriorityRange");
  check_cuda(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest),
             "cudaStreamCreateWithPriority");
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {.type = cudaMemLocationTypeDevice, .id = device};
  check_cuda(cudaMemPoolCreate(&pool_, &properties), "cudaMemPoolCreate");
  std::uint64_t kept = kKeptBytes;
  check_cuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &kept),
             "cudaMemPoolSetAttribute");
}

CollectiveStream::~CollectiveStream() {
  (void)cudaSetDevice(device_);
  if (stream_ != nullptr) {
    (void)cudaStreamDestroy(stream_);
  }
  if (pool_ != nullptr) {
    (void)cudaMemPoolDestroy(pool_);
  }
}

void CollectiveStream::enter_thread() const {
  check_cuda(cudaSetDevice(device_), "cudaSetDevice");
}

Scratch::Scratch(const CollectiveStream& stream, std::int64_t num_bytes)
    : stream_(stream.handle()) {
  if (num_bytes > 0) {
    check_cuda(cudaMallocFromPoolAsync(&data_, static_cast<std::size_t>(num_bytes), stream.pool(),
                                       stream_),
               "cudaMallocFromPoolAsync");
  }
}

Scratch::~Scratch() {
  if (data_ != nullptr) {
    (void)cudaFreeAsync(data_, stream_);
  }
}

Event::Event(cudaStream_t stream) {
  check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord");
}

Event::~Event() {
  (void)cudaEventDestroy(event_);
}

bool Event::has_passed() const {
  const auto code = cudaEventQuery(event_);
  if (code == cudaErrorNotReady) {
    (void)cudaGetLastError();  // it is no error of whoever calls CUDA next
    return false;
  }
  check_cuda(code, "a collective");
  return true;
}

void Event::hold_back(cudaStream_t stream) const {
  check_cuda(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
}

}  // namespace askos::comm
