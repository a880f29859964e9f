// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nccl/device_calls.hpp"
#include "nccl/nccl_comm.hpp"
#include "ordered/mover.hpp"
#include "pieces.hpp"

#include <memory>
#include <vector>

namespace askos::comm {

/// What a caller's stream held.
class StreamMark final : public Mark {
 public:
  explicit StreamMark(cudaStream_t stream) : event_(stream) {}
  [[nodiscard]] const Event& event() const noexcept { return event_; }

 private:
  Event event_;
};

/// A group's ranks, linked by NCCL; a group of one rank needs none.
class NcclLink final : public Link {
 public:
  NcclLink(std::shared_ptr<CollectiveStream> stream,
           std::unique_ptr<NcclComm> comm,
           int rank,
           int size) noexcept
      : stream_(std::move(stream)), comm_(std::move(comm)), rank_(rank), size_(size) {}

  [[nodiscard]] std::shared_ptr<Transfer> start(const Call& call, const Mark* after) override;
  [[nodiscard]] std::unique_ptr<Link> split(const std::vector<int>& members) override;
  void cut() noexcept override;
  [[nodiscard]] std::optional<Error> fault() override;

 private:
  void exchange(const Pieces& pieces);
  void keep_own(const Pieces& pieces);
  void sum(const Call& call);

  std::shared_ptr<CollectiveStream> stream_;
  std::unique_ptr<NcclComm> comm_;
  int rank_;
  int size_;
};

}  // namespace askos::comm
