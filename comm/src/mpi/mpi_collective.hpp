// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"
#include "mpi/envelope.hpp"
#include "mpi/mpi_calls.hpp"
#include "pieces.hpp"

#include <askos/base/error.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace askos::comm {

/// Where the messages of one collective go.
struct Wire {
  MPI_Comm envelopes = MPI_COMM_NULL;
  MPI_Comm payload = MPI_COMM_NULL;
  int tag = 0;
  std::span<const int> processes;  ///< MPI ranks, by rank of the group
  int rank = 0;                    ///< own rank in the group

  [[nodiscard]] int size() const noexcept { return static_cast<int>(processes.size()); }
};

/// One collective as this rank takes part in it.
///
///   kMoving -> kDone      an envelope and all payload of every other rank are here, all sent
///   kMoving -> kFailed    see `MpiGroup::failure`
///
/// Each rank sends each other one an envelope, with the payload in it if that is short. An
/// all_reduce of much data has two rounds. Sums are made in rank order
/// in either case, so the bits are those of the local backend.
///
/// All but `is_over`, `has_failed` and `finished_at` need the group's lock.
class MpiCollective {
 public:
  enum class State : std::uint32_t { kMoving, kDone, kFailed };

  MpiCollective(const Wire& wire, std::int64_t sequence, Call call, int free_context);

  ~MpiCollective();
  MpiCollective(const MpiCollective&) = delete;
  MpiCollective& operator=(const MpiCollective&) = delete;

  /// Posts the first round. Throws what MPI does.
  void start();
  /// Looks what has arrived and goes on. Returns what is wrong if the ranks do not fit together.
  [[nodiscard]] std::optional<Error> advance();
  /// Gives up and leaves the messages that nobody may ever take to MPI until the process ends.
  void fail() noexcept;

  [[nodiscard]] bool is_over() const noexcept { return state() != State::kMoving; }
  [[nodiscard]] bool has_failed() const noexcept { return state() == State::kFailed; }

  /// The tick at which it was done; 0 before.
  [[nodiscard]] std::uint64_t finished_at() const noexcept {
    return finished_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] std::int64_t sequence() const noexcept { return sequence_; }
  [[nodiscard]] const Call& call() const noexcept { return call_; }
  /// Ranks that have not entered yet as far as this rank knows; if all have, those that still owe
  /// payload.
  [[nodiscard]] std::vector<int> missing() const;
  /// What each rank sent, the own envelope included; complete once it is done.
  [[nodiscard]] const std::vector<Envelope>& envelopes() const noexcept { return envelopes_; }

  std::atomic<int> num_waiting{0};  ///< threads in `MpiGroup::wait`: they advance it

 private:
  struct Letter;

  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_own(int rank) const noexcept { return rank == wire_.rank; }
  void prepare_first_round();
  void post_letters();
  void post_payload();
  void begin_second_round();
  void sum_own_part();
  void finish();
  [[nodiscard]] std::optional<Error> take_letter(int rank, int num_bytes);
  [[nodiscard]] std::optional<Error> compare(int rank) const;
  [[nodiscard]] std::optional<Error> compare_pairs(int rank) const;

  Wire wire_;
  std::int64_t sequence_;
  Call call_;
  int free_context_;
  std::atomic<State> state_{State::kMoving};
  std::atomic<std::uint64_t> finished_{0};  // in ticks
  int round_ = 1;
  int num_rounds_ = 1;
  int num_letters_due_ = 0;
  bool transfer_failed_ = false;

  Pieces pieces_;  // of the round under way
  std::unique_ptr<std::byte[]> scratch_;
  std::unique_ptr<Letter[]> letters_;  // by rank: the one to it, the one from it
  std::vector<Envelope> envelopes_;    // by rank
  std::vector<bool> has_entered_;      // by rank
  std::vector<int> ranks_of_requests_;
  std::vector<MPI_Request> requests_;  // letters from others first, by rank without the own
  std::vector<MPI_Status> statuses_;
  std::vector<int> indices_;
};

}  // namespace askos::comm
