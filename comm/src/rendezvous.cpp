// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/rendezvous.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <sstream>
#include <utility>

namespace askos::comm {
namespace {

/// What all ranks of a local rendezvous share.
struct Board {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> values;
  std::map<std::string, std::int64_t> numbers;
};

class LocalRendezvous final : public Rendezvous {
 public:
  LocalRendezvous(std::shared_ptr<Board> board, int rank, int size) noexcept
      : board_(std::move(board)), rank_(rank), size_(size) {}

  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return size_; }

  void put(const std::string& key, const std::string& value) override {
    {
      const std::lock_guard lock(board_->mutex);
      board_->values[key] = value;
    }
    board_->changed.notify_all();
  }

  [[nodiscard]] std::optional<std::string> get(const std::string& key,
                                               Nanoseconds timeout) override {
    std::unique_lock lock(board_->mutex);
    if (board_->changed.wait_for(lock, timeout, [&] { return board_->values.contains(key); })) {
      return board_->values[key];
    }
    return std::nullopt;
  }

  [[nodiscard]] std::int64_t add(const std::string& key, std::int64_t amount) override {
    const std::lock_guard lock(board_->mutex);
    return board_->numbers[key] += amount;
  }

  void erase(const std::string& key) override {
    const std::lock_guard lock(board_->mutex);
    board_->values.erase(key);
  }

 private:
  std::shared_ptr<Board> board_;
  int rank_;
  int size_;
};

std::string of_rank(const std::string& key, int rank) {
  return key + "/" + std::to_string(rank);
}

}  // namespace

std::vector<std::shared_ptr<Rendezvous>> make_local_rendezvous(int num_ranks) {
  const auto board = std::make_shared<Board>();
  std::vector<std::shared_ptr<Rendezvous>> ranks;
  for (int rank = 0; rank < num_ranks; ++rank) {
    ranks.push_back(std::make_shared<LocalRendezvous>(board, rank, num_ranks));
  }
  return ranks;
}

std::vector<std::string> exchange(Rendezvous& rendezvous,
                                  const std::string& key,
                                  const std::string& value,
                                  Nanoseconds deadline) {
  rendezvous.put(of_rank(key, rendezvous.rank()), value);
  const Clock& clock = steady_clock();
  const auto until = clock.now() + deadline;
  std::vector<std::string> values;
  std::ostringstream missing;
  const char* separator = "";
  for (int rank = 0; rank < rendezvous.size(); ++rank) {
    const auto left = std::max(until - clock.now(), Nanoseconds::zero());
    auto found = rendezvous.get(of_rank(key, rank), left);
    if (!found) {
      missing << std::exchange(separator, ",") << rank;
    }
    values.push_back(std::move(found).value_or(""));
  }
  if (!missing.str().empty()) {
    throw Error(Errc::kRankLost, "ranks did not come to the rendezvous in time")
        .with("key", key)
        .with("missing", missing.str())
        .with("seconds", std::chrono::duration<double>(deadline).count());
  }
  return values;
}

}  // namespace askos::comm
