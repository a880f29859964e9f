// SPDX-License-Identifier: Apache-2.0
#include "mpi/mpi_hub.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace askos::comm {
namespace {

constexpr int kAlertTag = 1;
constexpr int kBeatTag = 2;

// Each look takes some 40 us from the core's computing thread, if it has no core of its own. So it
// looks often only at first, as halos are wanted soon and sums of gradients later.
constexpr Nanoseconds kShortestNap = std::chrono::microseconds(50);
constexpr Nanoseconds kLongestUnattendedNap = std::chrono::milliseconds(1);
constexpr Nanoseconds kAttendedNap = std::chrono::milliseconds(5);
constexpr Nanoseconds kLongNap = std::chrono::milliseconds(20);
/// The thread naps long when nothing has been under way for this long.
constexpr Nanoseconds kStaysAwake = std::chrono::milliseconds(50);
constexpr Nanoseconds kLooksAfterRun = std::chrono::milliseconds(5);
/// Short, so that processes need not switch to another heartbeat at one moment.
constexpr Nanoseconds kLongestBeat = std::chrono::milliseconds(250);
/// Alerts of an ending process are given this long to leave it.
constexpr Nanoseconds kFarewell = std::chrono::milliseconds(200);

MPI_Comm duplicate_world() {
  MPI_Comm made = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &made), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(made, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return made;
}

void start_mpi() {
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_MULTIPLE) {
    throw Error(Errc::kEnvironment, "this MPI was built without support for threads")
        .with("expected", "MPI_THREAD_MULTIPLE")
        .with("found", provided);
  }
  constexpr int kMostTag = (1 << 26) - 1;
  int* most = nullptr;
  int found = 0;
  MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, static_cast<void*>(&most), &found);
  if (found == 0 || *most < kMostTag) {
    throw Error(Errc::kEnvironment, "this MPI has too few tags")
        .with("expected", kMostTag)
        .with("found", found == 0 ? 0 : *most);
  }
}

}  // namespace

MpiHub::MpiHub() {
  start_mpi();
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  envelopes_ = duplicate_world();
  payload_ = duplicate_world();
  alerts_ = duplicate_world();
  heartbeats_ = duplicate_world();
  const auto own = own_place();
  std::vector<PeerPlace> places(static_cast<std::size_t>(size_));
  check_mpi(MPI_Allgather(&own, sizeof own, MPI_BYTE, places.data(), sizeof own, MPI_BYTE, alerts_),
            "MPI_Allgather");
  watch_ = std::make_unique<PeerWatch>(places, rank_, steady_clock().now());
  beats_.assign(static_cast<std::size_t>(size_), MPI_REQUEST_NULL);
  thread_ = std::thread([this] { work(); });
}

MpiHub::~MpiHub() {
  const Clock& clock = steady_clock();
  // Nobody leaves before all have come here: an end that was not announced means a lost process.
  MPI_Request all_here = MPI_REQUEST_NULL;
  int done = 0;
  if (!failure()) {
    MPI_Ibarrier(alerts_, &all_here);
  }
  while (done == 0 && !failure()) {
    MPI_Test(&all_here, &done, MPI_STATUS_IGNORE);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop_ = true;
  wake();
  thread_.join();
  if (done != 0) {
    MPI_Finalize();
    return;
  }
  const auto until = clock.now() + kFarewell;
  for (auto& each : sending_) {
    for (int sent = 0; sent == 0 && clock.now() < until;) {
      MPI_Test(&each.request, &sent, MPI_STATUS_IGNORE);
    }
  }
}

std::shared_ptr<MpiGroup> MpiHub::add(int context,
                                      std::vector<int> processes,
                                      int rank,
                                      const MpiGroupOptions& options) {
  auto group =
      std::make_shared<MpiGroup>(shared_from_this(), context, std::move(processes), rank, options);
  std::optional<Error> failed;
  {
    const std::lock_guard lock(mutex_);
    groups_[context] = group;
    free_context_ = std::max(free_context_, context + 1);
    if (failure_ != nullptr) {
      failed = *failure_;
    } else if (const auto early = early_.find(context); early != early_.end()) {
      failed = std::move(early->second);
      early_.erase(early);
    }
  }
  if (failed) {
    group->fail(*failed);
  }
  return group;
}

void MpiHub::remove(int context) noexcept {
  const std::lock_guard lock(mutex_);
  groups_.erase(context);
}

void MpiHub::wait_until_released() {
  const std::lock_guard released(holding_groups_);
}

int MpiHub::free_context() const {
  const std::lock_guard lock(mutex_);
  return free_context_;
}

void MpiHub::tell(const std::vector<int>& processes, const Alert& alert) noexcept {
  try {
    const auto bytes = to_bytes(alert);
    const std::lock_guard lock(mutex_);
    for (const int process : processes) {
      if (process == rank_) continue;
      auto& sending = sending_.emplace_back(Sending{.bytes = bytes});
      check_mpi(MPI_Isend(sending.bytes.data(), static_cast<int>(sending.bytes.size()), MPI_BYTE,
                          process, kAlertTag, alerts_, &sending.request),
                "MPI_Isend");
    }
  } catch (...) {  // the others will see this process end
  }
}

void MpiHub::wake() noexcept {
  if (sleeps_long_.load(std::memory_order_seq_cst)) {
    const std::lock_guard lock(mutex_);
    woken_.notify_one();
  }
}

void MpiHub::expect_heartbeats(Nanoseconds heartbeat) {
  heartbeat_.store(heartbeat.count(), std::memory_order_relaxed);
}

void MpiHub::fail_run(const Error& error) noexcept {
  std::vector<int> all(static_cast<std::size_t>(size_));
  std::iota(all.begin(), all.end(), 0);
  tell(all, {.context = Alert::kWholeRun, .error = error});
  fail_here(error);
}

std::optional<Error> MpiHub::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_ == nullptr ? std::nullopt : std::optional(*failure_);
}

void MpiHub::fail_here(const Error& error) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (failure_ != nullptr) {
      return;
    }
    failure_ = std::make_unique<const Error>(error);
  }
  for (const auto& group : groups()) {
    group->fail(error);
  }
}

std::vector<std::shared_ptr<MpiGroup>> MpiHub::groups() const {
  std::vector<std::shared_ptr<MpiGroup>> alive;
  const std::lock_guard lock(mutex_);
  for (const auto& [context, group] : groups_) {
    if (auto one = group.lock()) {
      alive.push_back(std::move(one));
    }
  }
  return alive;
}

void MpiHub::work() {
  ::pthread_setname_np(::pthread_self(), "askos.mpi");
  ::prctl(PR_SET_TIMERSLACK, 1000UL);
  const Clock& clock = steady_clock();
  auto active_at = clock.now();
  auto attended_at = active_at;
  Nanoseconds looked_at{};
  while (!stop_) {
    const auto now = clock.now();
    auto activity = MpiGroup::Activity::kNone;
    {
      const std::lock_guard holding(holding_groups_);
      for (const auto& group : groups()) {
        activity = std::max(activity, group->advance_all());
      }
      if (activity != MpiGroup::Activity::kNone) {
        active_at = now;
      }
      if (activity != MpiGroup::Activity::kUnattended) {
        attended_at = now;
      }
      if (now - looked_at >= kLooksAfterRun) {
        looked_at = now;
        look_after_run(now);
      }
    }
    nap(activity, now - attended_at, now - active_at);
  }
}

void MpiHub::nap(MpiGroup::Activity activity, Nanoseconds unattended_for, Nanoseconds idle_for) {
  if (activity == MpiGroup::Activity::kUnattended) {
    std::this_thread::sleep_for(
        std::clamp(unattended_for / 4, kShortestNap, kLongestUnattendedNap));
  } else if (idle_for < kStaysAwake) {
    std::this_thread::sleep_for(kAttendedNap);
  } else {
    std::unique_lock lock(mutex_);
    sleeps_long_.store(true, std::memory_order_seq_cst);
    woken_.wait_for(lock, kLongNap);
    sleeps_long_.store(false, std::memory_order_relaxed);
  }
}

void MpiHub::look_after_run(Nanoseconds now) {
  try {
    receive_alerts();
    receive_heartbeats(now);
    send_heartbeats(now);
  } catch (...) {
    fail_here(current_error());
  }
  if (failure()) {
    return;
  }
  if (const auto lost = watch_->find_lost(now, heartbeat())) {
    fail_run(Error(Errc::kRankLost, "a rank was lost")
                 .with("lost", lost->rank)
                 .with("host", host(lost->rank))
                 .with("pid", watch_->peer(lost->rank).pid)
                 .with("reason", lost->reason));
  }
}

void MpiHub::receive_alerts() {
  for (int arrived = 0;;) {
    MPI_Status status;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, kAlertTag, alerts_, &arrived, &status), "MPI_Iprobe");
    if (arrived == 0) {
      break;
    }
    int num_bytes = 0;
    MPI_Get_count(&status, MPI_BYTE, &num_bytes);
    std::string bytes(static_cast<std::size_t>(num_bytes), '\0');
    check_mpi(MPI_Recv(bytes.data(), num_bytes, MPI_BYTE, status.MPI_SOURCE, kAlertTag, alerts_,
                       MPI_STATUS_IGNORE),
              "MPI_Recv");
    take(to_alert(bytes));
  }
  const std::lock_guard lock(mutex_);
  while (!sending_.empty()) {
    int sent = 0;
    MPI_Test(&sending_.front().request, &sent, MPI_STATUS_IGNORE);
    if (sent == 0) {
      break;
    }
    sending_.pop_front();
  }
}

void MpiHub::take(const Alert& alert) noexcept {
  if (alert.context == Alert::kWholeRun) {
    fail_here(alert.error);
    return;
  }
  std::shared_ptr<MpiGroup> group;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = groups_.find(alert.context); found != groups_.end()) {
      group = found->second.lock();
    } else if (alert.context >= free_context_) {
      early_.emplace(alert.context, alert.error);
    }
  }
  if (group) {
    group->fail(alert.error);
  }
}

void MpiHub::receive_heartbeats(Nanoseconds now) {
  for (int arrived = 0;;) {
    MPI_Status status;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, kBeatTag, heartbeats_, &arrived, &status), "MPI_Iprobe");
    if (arrived == 0) {
      return;
    }
    check_mpi(
        MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, kBeatTag, heartbeats_, MPI_STATUS_IGNORE),
        "MPI_Recv");
    watch_->heard_from(status.MPI_SOURCE, now);
  }
}

void MpiHub::send_heartbeats(Nanoseconds now) {
  if (now < next_beat_) {
    return;
  }
  next_beat_ =
      now + (heartbeat().count() > 0 ? std::min(heartbeat() / 5, kLongestBeat) : kLongestBeat);
  for (int process = 0; process < size_; ++process) {
    auto& beat = beats_[static_cast<std::size_t>(process)];
    int sent = 0;
    MPI_Test(&beat, &sent, MPI_STATUS_IGNORE);  // a process that hangs takes none
    if (process != rank_ && sent != 0) {
      check_mpi(MPI_Isend(nullptr, 0, MPI_BYTE, process, kBeatTag, heartbeats_, &beat),
                "MPI_Isend");
    }
  }
}

}  // namespace askos::comm
