// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstddef>
#include <cstdint>

namespace askos::comm {

/// Throw `Errc::kEnvironment` naming `call` and the reason unless it succeeded. NCCL's work in
/// progress is a success.
void check_cuda(cudaError_t code, const char* call);
void check_nccl(ncclResult_t code, const char* call);

/// The GPU of this process, and the stream on which all its collectives run, one after another.
class CollectiveStream {
 public:
  /// Throws `Errc::kEnvironment` if there is no such GPU.
  explicit CollectiveStream(int device);
  ~CollectiveStream();
  CollectiveStream(const CollectiveStream&) = delete;
  CollectiveStream& operator=(const CollectiveStream&) = delete;

  /// Makes the GPU the calling thread's.
  void enter_thread() const;
  [[nodiscard]] cudaStream_t handle() const noexcept { return stream_; }
  [[nodiscard]] cudaMemPool_t pool() const noexcept { return pool_; }

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;  // of scratch memory, which it keeps
};

/// Memory that is allocated and given back in the order of the collectives' stream.
class Scratch {
 public:
  Scratch(const CollectiveStream& stream, std::int64_t num_bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }

 private:
  cudaStream_t stream_;
  void* data_ = nullptr;
};

/// A moment of a stream.
class Event {
 public:
  explicit Event(cudaStream_t stream);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Throws what work before it on its stream has met.
  [[nodiscard]] bool has_passed() const;
  void hold_back(cudaStream_t stream) const;

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace askos::comm
