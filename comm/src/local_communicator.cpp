// SPDX-License-Identifier: Apache-2.0
#include "calling_communicator.hpp"
#include "group_work.hpp"
#include "local_group.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>

#include <utility>

namespace askos::comm {
namespace {

using LocalWork = GroupWork<LocalGroup, LocalCollective>;

class LocalCommunicator final : public CallingCommunicator {
 public:
  LocalCommunicator(std::shared_ptr<LocalGroup> group, int rank) noexcept
      : group_(std::move(group)), rank_(rank) {}
  ~LocalCommunicator() override { group_->leave(rank_); }

  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return group_->size(); }
  [[nodiscard]] const std::string& name() const noexcept override { return group_->name(); }

  [[nodiscard]] std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    const auto collective =
        group_->enter(rank_, {.kind = CallKind::kSplit, .color = color, .name = name});
    LocalWork(group_, collective).wait();
    auto& membership = collective->memberships[static_cast<std::size_t>(rank_)];
    return std::make_unique<LocalCommunicator>(std::move(membership.group), membership.rank);
  }

  void abort(const std::string& reason) noexcept override { group_->abort(reason); }

 private:
  [[nodiscard]] WorkPtr enter(Call call) override {
    return std::make_unique<LocalWork>(group_, group_->enter(rank_, std::move(call)));
  }

  std::shared_ptr<LocalGroup> group_;
  int rank_;
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
