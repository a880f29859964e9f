// SPDX-License-Identifier: Apache-2.0
#include "nccl/nccl_link.hpp"

#include "nccl/combine_partials.hpp"
#include "nccl/staged_call.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <chrono>
#include <thread>
#include <utility>

namespace askos::comm {
namespace {

class StreamTransfer final : public Transfer {
 public:
  explicit StreamTransfer(cudaStream_t stream) : end_(stream) {}
  [[nodiscard]] bool is_done() const override { return end_.has_passed(); }
  void hold_back(Stream stream) const override {
    end_.hold_back(static_cast<cudaStream_t>(stream.handle));
  }

 private:
  Event end_;
};

Combination to_combination(ReduceOp op) noexcept {
  switch (op) {
    case ReduceOp::kSum: return Combination::kSum;
    case ReduceOp::kMax: return Combination::kMax;
    case ReduceOp::kMin: return Combination::kMin;
  }
  return Combination::kSum;
}

template <typename T>
void combine(const Call& call, const Partials<void>& partials, void* to, cudaStream_t stream) {
  check_cuda(combine_partials(to_combination(call.op),
                              Partials<T>{.own = static_cast<const T*>(partials.own),
                                          .others = static_cast<const T*>(partials.others),
                                          .rank = partials.rank,
                                          .size = partials.size,
                                          .count = partials.count},
                              static_cast<T*>(to), stream),
             "combine_partials");
}

void combine(const Call& call, const Partials<void>& partials, void* to, cudaStream_t stream) {
  switch (call.receive.dtype) {
    case DType::kFloat32: return combine<float>(call, partials, to, stream);
    case DType::kFloat64: return combine<double>(call, partials, to, stream);
    case DType::kFloat16: return combine<__half>(call, partials, to, stream);
    case DType::kBFloat16: return combine<__nv_bfloat16>(call, partials, to, stream);
    case DType::kInt32: return combine<std::int32_t>(call, partials, to, stream);
    case DType::kInt64: return combine<std::int64_t>(call, partials, to, stream);
    case DType::kUInt8: return combine<std::uint8_t>(call, partials, to, stream);
  }
}

}  // namespace

std::shared_ptr<Transfer> NcclLink::start(const Call& call, const Mark* after) {
  if (call.kind == CallKind::kBarrier) {
    return nullptr;
  }
  if (after != nullptr) {
    static_cast<const StreamMark*>(after)->event().hold_back(stream_->handle());
  }
  StagedCall staged(*stream_, call, rank_);
  if (is_sum(call)) {
    sum(staged.on_device());
  } else {
    const auto pieces = first_round(staged.on_device(), rank_, size_);
    keep_own(pieces);
    exchange(pieces);
  }
  staged.copy_back();
  return std::make_shared<StreamTransfer>(stream_->handle());
}

void NcclLink::exchange(const Pieces& pieces) {
  if (comm_ != nullptr) {
    comm_->exchange(pieces, rank_, stream_->handle());
  }
}

void NcclLink::keep_own(const Pieces& pieces) {
  const auto& from = pieces.outgoing[static_cast<std::size_t>(rank_)];
  const auto& to = pieces.incoming[static_cast<std::size_t>(rank_)];
  if (to.num_bytes > 0 && to.data != from.data) {
    check_cuda(cudaMemcpyAsync(to.data, from.data, static_cast<std::size_t>(to.num_bytes),
                               cudaMemcpyDeviceToDevice, stream_->handle()),
               "cudaMemcpyAsync");
  }
}

void NcclLink::sum(const Call& call) {
  auto pieces = first_round(call, rank_, size_);
  const auto own = pieces.outgoing[static_cast<std::size_t>(rank_)];
  const Scratch others(*stream_, own.num_bytes * (size_ - 1));
  auto* place = others.data();
  for (int rank = 0; rank < size_; ++rank) {
    if (rank != rank_) {
      pieces.incoming[static_cast<std::size_t>(rank)].data = place;
      place += own.num_bytes;
    }
  }
  exchange(pieces);
  combine(call,
          {.own = own.data,
           .others = others.data(),
           .rank = rank_,
           .size = size_,
           .count = own.num_bytes / size_of(call.receive.dtype)},
          call.kind == CallKind::kAllReduce ? own.data : call.receive.data, stream_->handle());
  if (has_two_rounds(call, size_)) {
    exchange(second_round(std::move(pieces), rank_));
  }
}

std::unique_ptr<Link> NcclLink::split(const std::vector<int>& members) {
  const int size = static_cast<int>(members.size());
  int rank = 0;
  while (members[static_cast<std::size_t>(rank)] != rank_) {
    ++rank;
  }
  std::unique_ptr<NcclComm> made;
  if (comm_ != nullptr) {
    // What is under way must be done before NCCL splits; an abort ends it.
    const Event all(stream_->handle());
    while (!all.has_passed()) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    made = comm_->split(size == 1 ? NCCL_SPLIT_NOCOLOR : members.front(), rank);
  }
  return std::make_unique<NcclLink>(stream_, std::move(made), rank, size);
}

void NcclLink::cut() noexcept {
  if (comm_ != nullptr) {
    comm_->abort();
  }
}

std::optional<Error> NcclLink::fault() {
  return comm_ != nullptr ? comm_->fault() : std::nullopt;
}

}  // namespace askos::comm
