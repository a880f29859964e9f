// SPDX-License-Identifier: Apache-2.0
#include "nccl/nccl_mover.hpp"

#include "nccl/nccl_link.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/rendezvous.hpp>

#include <cstring>
#include <string>

namespace askos::comm {
namespace {

constexpr int kOldestNccl = NCCL_VERSION(2, 18, 1);  // splits without blocking
constexpr const char* kIdKey = "nccl/id";
constexpr Nanoseconds kTurn = std::chrono::milliseconds(100);

ncclUniqueId agree_on_id(Rendezvous& rendezvous, const std::atomic<bool>& give_up) {
  ncclUniqueId id{};
  if (rendezvous.rank() == 0) {
    check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
    rendezvous.put(kIdKey, std::string(id.internal, sizeof id.internal));
    return id;
  }
  for (;;) {
    if (const auto bytes = rendezvous.get(kIdKey, kTurn)) {
      ASKOS_CHECK(bytes->size() == sizeof id.internal);
      std::memcpy(id.internal, bytes->data(), sizeof id.internal);
      return id;
    }
    if (give_up) {
      throw Error(Errc::kCancelled, "ranks were not connected");
    }
  }
}

}  // namespace

NcclMover::NcclMover(int device) : stream_(std::make_shared<CollectiveStream>(device)) {
  int version = 0;
  check_nccl(ncclGetVersion(&version), "ncclGetVersion");
  if (version < kOldestNccl) {
    throw Error(Errc::kEnvironment, "this NCCL is too old")
        .with("expected", kOldestNccl)
        .with("found", version);
  }
}

std::unique_ptr<Link> NcclMover::connect(Rendezvous& rendezvous, const std::atomic<bool>& give_up) {
  stream_->enter_thread();
  const int rank = rendezvous.rank();
  const int size = rendezvous.size();
  std::unique_ptr<NcclComm> comm;
  if (size > 1) {
    comm = std::make_unique<NcclComm>(agree_on_id(rendezvous, give_up), rank, size, give_up);
  }
  return std::make_unique<NcclLink>(stream_, std::move(comm), rank, size);
}

std::unique_ptr<Mark> NcclMover::mark(Stream stream) {
  stream_->enter_thread();
  return std::make_unique<StreamMark>(static_cast<cudaStream_t>(stream.handle));
}

}  // namespace askos::comm
