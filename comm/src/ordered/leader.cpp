// SPDX-License-Identifier: Apache-2.0
#include "ordered/leader.hpp"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace askos::comm {
namespace {

constexpr Nanoseconds kLook = std::chrono::milliseconds(100);
/// Orders that were taken are forgotten this often.
constexpr Nanoseconds kTidy = std::chrono::seconds(1);
/// The last orders are given this long to be taken before the leader may leave.
constexpr Nanoseconds kFarewell = std::chrono::seconds(1);

}  // namespace

Leader::Leader(Control& control, std::function<void(const Error&)> on_error)
    : control_(control), on_error_(std::move(on_error)), coordinator_(control.size()) {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "askos.leader");
    try {
      lead();
    } catch (...) {
      on_error_(current_error());
    }
  });
}

Leader::~Leader() {
  stop_ = true;
  thread_.join();
  try {
    const Clock& clock = steady_clock();
    const auto until = clock.now() + kFarewell;
    while (num_taken_by_all() < control_.num_given() && clock.now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  } catch (...) {  // then nobody can be told anything
  }
}

void Leader::lead() {
  const Clock& clock = steady_clock();
  auto tidied = clock.now();
  while (!stop_) {
    const auto expiry = coordinator_.next_expiry().value_or(clock.now() + kLook);
    const auto timeout = std::clamp(expiry - clock.now(), Nanoseconds::zero(), kLook);
    const auto heard = control_.next_announcements(timeout);
    const auto now = clock.now();
    auto orders = coordinator_.expire(now);
    if (heard) {
      for (const auto& announcement : heard->all) {
        std::ranges::move(coordinator_.take(heard->rank, announcement, now),
                          std::back_inserter(orders));
      }
    }
    if (!orders.empty()) {
      control_.give(orders);
      if (orders.back().kind == Order::Kind::kEnd) {
        return;
      }
    }
    if (now - tidied > kTidy) {
      tidied = now;
      control_.forget(num_taken_by_all());
    }
  }
}

std::int64_t Leader::num_taken_by_all() {
  auto fewest = std::numeric_limits<std::int64_t>::max();
  for (int rank = 0; rank < control_.size(); ++rank) {
    fewest = std::min(fewest, control_.beat_of(rank).num_taken);
  }
  return fewest;
}

}  // namespace askos::comm
