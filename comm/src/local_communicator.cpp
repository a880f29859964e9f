// SPDX-License-Identifier: Apache-2.0
#include "local_group.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/telemetry/ledger.hpp>

#include <atomic>
#include <utility>

namespace askos::comm {
namespace {

using telemetry::ScopedState;
using telemetry::State;

class LocalWork final : public Work {
 public:
  LocalWork(std::shared_ptr<LocalGroup> group, std::shared_ptr<LocalCollective> collective) noexcept
      : group_(std::move(group)), collective_(std::move(collective)) {}

  ~LocalWork() override {
    try {
      LocalWork::wait();
    } catch (const Error&) {  // the group has failed, as the next wait on it will say
    }
  }

  [[nodiscard]] bool done() const noexcept override { return collective_->is_over(); }

  void wait() override {
    if (collective_->is_over()) {
      group_->wait(*collective_);
    } else {
      const ScopedState state(State::kWaitComm);
      group_->wait(*collective_);
    }
  }

 private:
  std::shared_ptr<LocalGroup> group_;
  std::shared_ptr<LocalCollective> collective_;
};

std::vector<std::int64_t> copy(std::span<const std::int64_t> counts) {
  return {counts.begin(), counts.end()};
}

class LocalCommunicator final : public Communicator {
 public:
  LocalCommunicator(std::shared_ptr<LocalGroup> group, int rank) noexcept
      : group_(std::move(group)), rank_(rank) {}
  ~LocalCommunicator() override { group_->leave(rank_); }

  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return group_->size(); }
  [[nodiscard]] const std::string& name() const noexcept override { return group_->name(); }
  [[nodiscard]] std::int64_t bytes_sent() const noexcept override {
    return bytes_sent_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] WorkPtr all_reduce(Buffer data, ReduceOp op) override {
    return enter({.kind = CallKind::kAllReduce, .op = op, .receive = data});
  }

  [[nodiscard]] WorkPtr all_gather(ConstBuffer send,
                                   Buffer receive,
                                   std::span<const std::int64_t> counts) override {
    return enter(
        {.kind = CallKind::kAllGather, .send = send, .receive = receive, .counts = copy(counts)});
  }

  [[nodiscard]] WorkPtr reduce_scatter(ConstBuffer send,
                                       Buffer receive,
                                       std::span<const std::int64_t> counts) override {
    return enter({.kind = CallKind::kReduceScatter,
                  .send = send,
                  .receive = receive,
                  .counts = copy(counts)});
  }

  [[nodiscard]] WorkPtr all_to_all(ConstBuffer send,
                                   std::span<const std::int64_t> send_counts,
                                   Buffer receive,
                                   std::span<const std::int64_t> receive_counts) override {
    return enter({.kind = CallKind::kAllToAll,
                  .send = send,
                  .receive = receive,
                  .counts = copy(send_counts),
                  .receive_counts = copy(receive_counts)});
  }

  [[nodiscard]] WorkPtr broadcast(Buffer data, int root) override {
    return enter({.kind = CallKind::kBroadcast, .root = root, .receive = data});
  }

  [[nodiscard]] WorkPtr barrier() override { return enter({.kind = CallKind::kBarrier}); }

  [[nodiscard]] std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    const auto collective =
        group_->enter(rank_, {.kind = CallKind::kSplit, .color = color, .name = name});
    LocalWork(group_, collective).wait();
    auto& membership = collective->memberships[static_cast<std::size_t>(rank_)];
    return std::make_unique<LocalCommunicator>(std::move(membership.group), membership.rank);
  }

  void abort(const std::string& reason) noexcept override { group_->abort(reason); }

 private:
  WorkPtr enter(Call call) {
    check(call, rank_, size());
    bytes_sent_.fetch_add(wire_bytes(call, rank_, size()), std::memory_order_relaxed);
    return std::make_unique<LocalWork>(group_, group_->enter(rank_, std::move(call)));
  }

  std::shared_ptr<LocalGroup> group_;
  int rank_;
  std::atomic<std::int64_t> bytes_sent_{0};
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> make_local_group(int num_ranks,
                                                            const LocalOptions& options) {
  if (num_ranks < 1) {
    throw Error(Errc::kInvalidInput, "a group needs at least one rank").with("ranks", num_ranks);
  }
  const auto group = std::make_shared<LocalGroup>(num_ranks, options);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int rank = 0; rank < num_ranks; ++rank) {
    ranks.push_back(std::make_unique<LocalCommunicator>(group, rank));
  }
  return ranks;
}

}  // namespace askos::comm
