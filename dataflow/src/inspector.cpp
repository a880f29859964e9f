// SPDX-License-Identifier: Apache-2.0
#include "inspector_clients.hpp"
#include "inspector_verbs.hpp"
#include "peer_hold.hpp"
#include "unix_socket.hpp"

#include <askos/dataflow/inspector.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace askos::dataflow {
namespace {

/// How often to look after a hold that is on its way.
constexpr Nanoseconds kHoldInterval = std::chrono::milliseconds(1);

}  // namespace

std::filesystem::path socket_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && *runtime == '/'
             ? std::filesystem::path(runtime) / "askos"
             : std::filesystem::path("/tmp") / ("askos-" + std::to_string(::geteuid()));
}

/// The thread behind an inspector. Attachments share it, so that they may outlive the inspector.
class Inspector::Server {
 public:
  explicit Server(const InspectorOptions& options)
      : options_(options), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    prepare_socket_folder(options.folder);
    (void)find_processes(options.folder);  // removes what dead processes have left
    Descriptor listener;
    std::tie(listener, path_) = listen_in(options.folder);
    clients_ = std::make_unique<InspectorClients>(
        std::move(listener), options.max_clients,
        [this](std::string_view request) { return answer_one(request); });
    // The host's signals are for the host's threads.
    sigset_t all;
    sigset_t former;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &former);
    thread_ = std::thread([this] { serve(); });
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
  }

  ~Server() { close(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Ends the thread and removes the socket; later calls do nothing.
  void close() {
    if (!thread_.joinable()) {
      return;
    }
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  int attach(const Session& session) {
    const std::lock_guard lock(mutex_);
    ++num_attached_;
    sessions_.push_back(
        {.number = num_attached_,
         .session = &session,
         .history = {},
         .peers = options_.peers,
         .peer_hold =
             options_.peers == nullptr
                 ? nullptr
                 : std::make_shared<PeerHold>(num_attached_, session.control(), *options_.peers)});
    return num_attached_;
  }

  /// Returns when nobody looks at the session any more.
  void detach(int number) {
    const std::lock_guard lock(mutex_);
    std::erase_if(sessions_, [=](const auto& entry) { return entry.number == number; });
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::string answer_one(std::string_view request) {
    const std::lock_guard lock(mutex_);
    return answer(request, sessions_, {.read_only = options_.read_only, .token = options_.token});
  }

  void take_snapshots() {
    const std::lock_guard lock(mutex_);
    for (auto& inspected : sessions_) {
      inspected.history.push_back(inspected.status());
      const Nanoseconds newest = inspected.history.back().age;
      while (newest - inspected.history.front().age > options_.history) {
        inspected.history.pop_front();
      }
    }
  }

  /// Drives holds on and ends those whose debugger is gone; returns whether one is on its way.
  [[nodiscard]] bool tend_holds() {
    const std::lock_guard lock(mutex_);
    bool under_way = false;
    for (const auto& inspected : sessions_) {
      under_way = inspected.session->control().tend() || under_way;
      if (inspected.peer_hold) under_way = inspected.peer_hold->tend() || under_way;
    }
    return under_way;
  }

  void serve() {
    const Clock& clock = steady_clock();
    Nanoseconds next_snapshot = clock.now();
    std::vector<pollfd> polls;
    for (;;) {
      const Nanoseconds now = clock.now();
      if (now >= next_snapshot) {
        take_snapshots();
        next_snapshot = now + options_.snapshot_interval;
      }
      polls.clear();
      polls.push_back({.fd = stop_.get(), .events = POLLIN, .revents = 0});
      clients_->append_polls(polls, now);
      const Nanoseconds patience = tend_holds() ? kHoldInterval : InspectorClients::kPatience;
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(std::min(next_snapshot - now, patience));
      if (::poll(polls.data(), polls.size(), static_cast<int>(left.count())) < 0) {
        continue;  // interrupted
      }
      if (polls.front().revents != 0) {
        return;
      }
      clients_->serve(polls.data() + 1, clock.now());
    }
  }

  const InspectorOptions options_;
  Descriptor stop_;
  std::filesystem::path path_;
  std::unique_ptr<InspectorClients> clients_;  // of the thread
  std::mutex mutex_;                           // guards the two below
  std::vector<InspectedSession> sessions_;
  int num_attached_ = 0;
  std::thread thread_;
};

Inspector::Attachment::Attachment(std::shared_ptr<Server> server, int session) noexcept
    : server_(std::move(server)), session_(session) {}

Inspector::Attachment::Attachment(Attachment&& other) noexcept = default;

Inspector::Attachment& Inspector::Attachment::operator=(Attachment&& other) noexcept {
  std::swap(server_, other.server_);
  std::swap(session_, other.session_);
  return *this;
}

Inspector::Attachment::~Attachment() {
  if (server_ != nullptr) {
    server_->detach(session_);
  }
}

Inspector::Inspector(const InspectorOptions& options)
    : server_(std::make_shared<Server>(options)) {}

Inspector::~Inspector() {
  server_->close();
}

Inspector::Attachment Inspector::attach(const Session& session) const {
  return {server_, server_->attach(session)};
}

const std::filesystem::path& Inspector::socket() const noexcept {
  return server_->path();
}

}  // namespace askos::dataflow
