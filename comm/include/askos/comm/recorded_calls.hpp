// SPDX-License-Identifier: Apache-2.0
// Keeps what one rank receives in its collectives, so that its work can be done again without the
// other ranks.
#pragma once

#include <askos/comm/communicator.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace askos::comm {

/// One collective as one rank saw it.
struct RecordedCall {
  std::string call;                   ///< `all_reduce(sum, float32 x 12)`
  std::vector<std::byte> received{};  ///< the buffer that it filled
};

/// Keeps the calls of all communicators that were wrapped with it, in the order of entering. All of
/// them are used by one thread.
class CallRecorder {
 public:
  /// Forgets what there is and keeps what comes.
  void start();
  /// Returns what has come since `start` and keeps no more. Throws `Errc::kUsage` if a collective
  /// was not waited for on the host, as those of device memory are not: what it received is not
  /// known here.
  [[nodiscard]] std::vector<RecordedCall> stop();
  [[nodiscard]] bool is_on() const noexcept { return is_on_; }

  // --- for the communicators ---

  /// Names a place for a call; `receive` is given again when it is complete.
  struct Place {
    std::int64_t start = 0;
    std::size_t index = 0;
  };
  [[nodiscard]] Place enter(std::string call);
  void complete(const Place& place, ConstBuffer received);

 private:
  struct Entry {
    RecordedCall call;
    bool complete = false;
  };

  bool is_on_ = false;
  std::int64_t num_starts_ = 0;
  std::vector<Entry> entries_;
};

/// Returns a communicator that does what `inner` does and lets `recorder` see it. While that is
/// off, this costs a comparison per call. Those split from it are wrapped as well.
[[nodiscard]] std::shared_ptr<Communicator> record_calls(std::shared_ptr<Communicator> inner,
                                                         std::shared_ptr<CallRecorder> recorder);

/// Recorded calls that are to be entered again.
class CallReplay {
 public:
  /// Adds calls to those that are left.
  void supply(std::vector<RecordedCall> calls);
  /// Returns the next call. Throws `Errc::kCheckFailed`, naming both, if it is not this one, and if
  /// there is none.
  [[nodiscard]] RecordedCall take(const std::string& call);

 private:
  std::vector<RecordedCall> calls_;
  std::size_t next_ = 0;
};

/// Returns rank `rank` of `size` in a group of which only this rank is there: its collectives
/// receive what `replay` has, at once.
[[nodiscard]] std::shared_ptr<Communicator> replay_calls(int rank,
                                                         int size,
                                                         std::string name,
                                                         std::shared_ptr<CallReplay> replay);

}  // namespace askos::comm
