// SPDX-License-Identifier: Apache-2.0
#include "nccl/nccl_comm.hpp"

#include "nccl/device_calls.hpp"

#include <askos/base/clock.hpp>

#include <thread>
#include <utility>

namespace askos::comm {
namespace {

/// Other ranks are given this long to take their end down too.
constexpr Nanoseconds kFarewell = std::chrono::seconds(5);

constexpr Nanoseconds kNap = std::chrono::microseconds(20);

Error cancelled() {
  return {Errc::kCancelled, "an NCCL communicator was given up"};
}

ncclConfig_t config() {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.splitShare = 0;  // so that one can be aborted alone
  return config;
}

}  // namespace

NcclComm::NcclComm(const ncclUniqueId& id, int rank, int size, const std::atomic<bool>& give_up)
    : give_up_(&give_up) {
  auto options = config();
  check_nccl(ncclCommInitRankConfig(&comm_, size, id, rank, &options), "ncclCommInitRankConfig");
  try {
    settle("ncclCommInitRankConfig");
  } catch (...) {
    abort();
    throw;
  }
}

NcclComm::~NcclComm() {
  try {
    if (comm_ != nullptr && !is_given_up() && ncclCommFinalize(comm_) <= ncclInProgress) {
      const Clock& clock = steady_clock();
      const auto until = clock.now() + kFarewell;
      while (state() == ncclInProgress && !is_given_up() && clock.now() < until) {
        std::this_thread::sleep_for(kNap);
      }
      if (state() == ncclSuccess) {
        (void)ncclCommDestroy(std::exchange(comm_, nullptr));
      }
    }
  } catch (const Error&) {  // NCCL has met something, or it was aborted meanwhile
  }
  abort();
}

ncclResult_t NcclComm::state() {
  const std::lock_guard lock(mutex_);
  if (comm_ == nullptr) {
    throw cancelled();
  }
  auto state = ncclSuccess;
  check_nccl(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError");
  return state;
}

void NcclComm::settle(const char* name) {
  const Clock& clock = steady_clock();
  const auto start = clock.now();
  for (;;) {
    const auto found = state();
    check_nccl(found, name);
    if (found != ncclInProgress) {
      return;
    }
    if (is_given_up()) {
      throw cancelled();
    }
    if (clock.now() - start < std::chrono::microseconds(100)) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kNap);
    }
  }
}

template <typename Call>
void NcclComm::run(Call call, const char* name) {
  {
    const std::lock_guard lock(mutex_);
    if (comm_ == nullptr) {
      throw cancelled();
    }
    check_nccl(call(comm_), name);
  }
  settle(name);
}

void NcclComm::exchange(const Pieces& pieces, int rank, cudaStream_t stream) {
  const auto size = pieces.outgoing.size();
  bool is_empty = true;
  for (std::size_t r = 0; r < size; ++r) {
    is_empty = is_empty && (static_cast<int>(r) == rank || (pieces.outgoing[r].num_bytes == 0 &&
                                                            pieces.incoming[r].num_bytes == 0));
  }
  if (is_empty) {
    return;
  }
  const auto queue_all = [&](ncclComm_t comm) {
    auto code = ncclGroupStart();
    // Each rank begins with its next neighbour, so that not all send to rank 0 first.
    for (std::size_t i = 1; i < size && code <= ncclInProgress; ++i) {
      const auto to = (static_cast<std::size_t>(rank) + i) % size;
      const auto from = (static_cast<std::size_t>(rank) + size - i) % size;
      if (const auto& piece = pieces.outgoing[to]; piece.num_bytes > 0) {
        code = ncclSend(piece.data, static_cast<std::size_t>(piece.num_bytes), ncclInt8,
                        static_cast<int>(to), comm, stream);
      }
      if (const auto& piece = pieces.incoming[from];
          piece.num_bytes > 0 && code <= ncclInProgress) {
        code = ncclRecv(piece.data, static_cast<std::size_t>(piece.num_bytes), ncclInt8,
                        static_cast<int>(from), comm, stream);
      }
    }
    const auto end = ncclGroupEnd();
    return code > ncclInProgress ? code : end;
  };
  run(queue_all, "ncclSend and ncclRecv");
}

std::unique_ptr<NcclComm> NcclComm::split(int color, int rank) {
  ncclComm_t made = nullptr;
  auto options = config();
  run([&](ncclComm_t comm) { return ncclCommSplit(comm, color, rank, &made, &options); },
      "ncclCommSplit");
  if (made == nullptr) {
    return nullptr;
  }
  auto owner = std::unique_ptr<NcclComm>(new NcclComm(made));
  owner->give_up_ = give_up_;
  owner->settle("ncclCommSplit");
  return owner;
}

void NcclComm::abort() noexcept {
  ncclComm_t comm = nullptr;
  {
    const std::lock_guard lock(mutex_);
    comm = std::exchange(comm_, nullptr);
  }
  if (comm != nullptr) {
    (void)ncclCommAbort(comm);
  }
}

std::optional<Error> NcclComm::fault() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || comm_ == nullptr) {
    return std::nullopt;
  }
  auto state = ncclSuccess;
  try {
    check_nccl(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError");
    check_nccl(state, "a collective");
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace askos::comm
