// SPDX-License-Identifier: Apache-2.0
#include "../page_locked.hpp"

#include <askos/base/error.hpp>

#include <cuda_runtime_api.h>

namespace askos::model {
namespace {

class PageLockedAllocator final : public comm::SlotAllocator {
 public:
  [[nodiscard]] std::byte* allocate(Bytes bytes, Bytes /*alignment*/) override {
    void* memory = nullptr;  // CUDA gives whole pages
    const auto error =
        cudaHostAlloc(&memory, static_cast<std::size_t>(bytes.value), cudaHostAllocPortable);
    if (error == cudaSuccess) return static_cast<std::byte*>(memory);
    throw Error(Errc::kEnvironment, "no page-locked memory for slots")
        .with("bytes", bytes)
        .with("reason", cudaGetErrorString(error));
  }
  void release(std::byte* memory, Bytes /*bytes*/, Bytes /*alignment*/) noexcept override {
    cudaFreeHost(memory);
  }
};

}  // namespace

std::unique_ptr<comm::SlotAllocator> make_page_locked_allocator() {
  return std::make_unique<PageLockedAllocator>();
}

}  // namespace askos::model
