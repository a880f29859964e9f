// SPDX-License-Identifier: Apache-2.0
#include "nccl/staged_call.hpp"

namespace askos::comm {
namespace {

bool is_on_host(const void* memory) {
  cudaPointerAttributes attributes{};
  check_cuda(cudaPointerGetAttributes(&attributes, memory), "cudaPointerGetAttributes");
  return attributes.type == cudaMemoryTypeUnregistered || attributes.type == cudaMemoryTypeHost;
}

std::int64_t bytes_of(ConstBuffer buffer) {
  return buffer.count * size_of(buffer.dtype);
}

void copy(const CollectiveStream& stream, void* to, const void* from, std::int64_t num_bytes) {
  check_cuda(cudaMemcpyAsync(to, from, static_cast<std::size_t>(num_bytes), cudaMemcpyDefault,
                             stream.handle()),
             "cudaMemcpyAsync");
}

}  // namespace

StagedCall::StagedCall(const CollectiveStream& stream, const Call& call, int own_rank)
    : stream_(stream), on_device_(call) {
  if (call.send.count > 0 && is_on_host(call.send.data)) {
    send_.emplace(stream, bytes_of(call.send));
    copy(stream, send_->data(), call.send.data, bytes_of(call.send));
    on_device_.send.data = send_->data();
  }
  if (call.receive.count > 0 && is_on_host(call.receive.data)) {
    const bool is_read = call.kind == CallKind::kAllReduce ||
                         (call.kind == CallKind::kBroadcast && call.root == own_rank);
    host_result_ = call.receive.data;
    receive_.emplace(stream, bytes_of(call.receive));
    on_device_.receive.data = receive_->data();
    if (is_read) {
      copy(stream, receive_->data(), host_result_, bytes_of(call.receive));
    }
  }
}

void StagedCall::copy_back() {
  if (receive_) {
    copy(stream_, host_result_, receive_->data(), bytes_of(on_device_.receive));
  }
}

}  // namespace askos::comm
