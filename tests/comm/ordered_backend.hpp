// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conformance/backend.hpp"
#include "ordered/ordered_communicator.hpp"

#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace askos::comm::conformance {

/// A collective that a local communicator moves.
class LocalTransfer final : public Transfer {
 public:
  explicit LocalTransfer(WorkPtr work) : work_(std::move(work)) {}
  [[nodiscard]] bool is_done() const override { return work_->done(); }
  void hold_back(Stream /*stream*/) const override { work_->wait(); }

 private:
  WorkPtr work_;
};

class LocalLink final : public Link {
 public:
  explicit LocalLink(std::unique_ptr<Communicator> ranks) : ranks_(std::move(ranks)) {}

  [[nodiscard]] std::shared_ptr<Transfer> start(const Call& call, const Mark* /*after*/) override {
    return std::make_shared<LocalTransfer>(enter(call));
  }
  [[nodiscard]] std::unique_ptr<Link> split(const std::vector<int>& members) override {
    return std::make_unique<LocalLink>(ranks_->split(members.front(), "link"));
  }
  void cut() noexcept override { ranks_->abort("cut"); }
  [[nodiscard]] std::optional<Error> fault() override { return std::nullopt; }

 private:
  WorkPtr enter(const Call& call) {
    switch (call.kind) {
      case CallKind::kAllReduce: return ranks_->all_reduce(call.receive, call.op);
      case CallKind::kAllGather: return ranks_->all_gather(call.send, call.receive, call.counts);
      case CallKind::kReduceScatter:
        return ranks_->reduce_scatter(call.send, call.receive, call.counts);
      case CallKind::kAllToAll:
        return ranks_->all_to_all(call.send, call.counts, call.receive, call.receive_counts);
      case CallKind::kBroadcast: return ranks_->broadcast(call.receive, call.root);
      case CallKind::kBarrier:
      case CallKind::kSplit: break;
    }
    return ranks_->barrier();
  }

  std::unique_ptr<Communicator> ranks_;
};

/// Moves what is ordered by a local communicator, which fails if ranks enter in different orders.
class LocalMover final : public Mover {
 public:
  explicit LocalMover(std::unique_ptr<Communicator> ranks) : ranks_(std::move(ranks)) {}

  [[nodiscard]] std::unique_ptr<Link> connect(Rendezvous&, const std::atomic<bool>&) override {
    return std::make_unique<LocalLink>(std::move(ranks_));
  }
  [[nodiscard]] std::unique_ptr<Mark> mark(Stream) override { return nullptr; }

 private:
  std::unique_ptr<Communicator> ranks_;
};

/// Ranks are threads that agree on one order before a byte moves, as ranks with devices do.
class OrderedBackend final : public Backend {
 public:
  [[nodiscard]] std::string name() const override { return "ordered"; }

  void run(int num_ranks, Nanoseconds deadline, const RankBody& body) override {
    auto movers = make_local_group(num_ranks);
    const auto rendezvous = make_local_rendezvous(num_ranks);
    std::mutex mutex;
    std::exception_ptr first;
    std::vector<std::thread> threads;
    for (std::size_t r = 0; r < movers.size(); ++r) {
      threads.emplace_back([&, r] {
        OrderedRun run(rendezvous[r], std::make_unique<LocalMover>(std::move(movers[r])), {});
        const auto all = make_ordered_communicator(run, {.deadline = kLongDeadline, .name = "all"});
        const auto group = make_ordered_communicator(run, {.deadline = deadline, .name = "test"});
        try {
          body(*group);
        } catch (...) {
          group->abort("another rank's test body threw");
          const std::lock_guard lock(mutex);
          first = first != nullptr ? first : std::current_exception();
        }
        all->barrier()->wait();
      });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    if (first != nullptr) {
      std::rethrow_exception(first);
    }
  }
};

}  // namespace askos::comm::conformance
