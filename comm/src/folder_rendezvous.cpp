// SPDX-License-Identifier: Apache-2.0
// A value is a file that appears whole, by a rename; whoever waits for it is woken by inotify.
#include <askos/base/error.hpp>
#include <askos/comm/rendezvous.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace askos::comm {
namespace {

namespace fs = std::filesystem;

/// How long a wait looks before it blocks: what waking it would take.
constexpr Nanoseconds kSpin = std::chrono::microseconds(100);

Error failed(const char* what, const fs::path& path) {
  return Error(Errc::kEnvironment, "the folder of a rendezvous cannot be used")
      .with("call", what)
      .with("path", path.string())
      .with("reason", std::system_category().message(errno));
}

class Descriptor {
 public:
  Descriptor(int descriptor, const char* what, const fs::path& path) : descriptor_(descriptor) {
    if (descriptor < 0) {
      throw failed(what, path);
    }
  }
  ~Descriptor() { ::close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  operator int() const noexcept { return descriptor_; }  // NOLINT(google-explicit-constructor)

 private:
  int descriptor_;
};

std::string read_all(int descriptor, const fs::path& path) {
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const auto size = ::read(descriptor, part.data(), part.size());
    if (size < 0) {
      throw failed("read", path);
    }
    if (size == 0) {
      return text;
    }
    text.append(part.data(), static_cast<std::size_t>(size));
  }
}

void write_all(int descriptor, const std::string& text, const fs::path& path) {
  for (std::size_t at = 0; at < text.size();) {
    const auto size = ::write(descriptor, text.data() + at, text.size() - at);
    if (size < 0) {
      throw failed("write", path);
    }
    at += static_cast<std::size_t>(size);
  }
}

/// Tells when a file appears in a folder. Closing one takes long, so they are kept.
class Watcher {
 public:
  explicit Watcher(const fs::path& folder)
      : descriptor_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1", folder) {
    if (::inotify_add_watch(descriptor_, folder.c_str(), IN_MOVED_TO) < 0) {
      throw failed("inotify_add_watch", folder);
    }
  }

  /// Forgets what has appeared so far.
  void drain() const noexcept {
    std::array<char, 4096> events{};
    while (::read(descriptor_, events.data(), events.size()) > 0) {
    }
  }
  /// Returns whether something has appeared since `drain`, after `timeout` at most.
  [[nodiscard]] bool wait(Nanoseconds timeout) const noexcept {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
    pollfd entry{.fd = descriptor_, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left + 1, 1 << 30))) != 0;
  }

 private:
  Descriptor descriptor_;
};

class FolderRendezvous final : public Rendezvous {
 public:
  FolderRendezvous(fs::path folder, int rank, int size)
      : folder_(std::move(folder)), rank_(rank), size_(size) {}

  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return size_; }

  void put(const std::string& key, const std::string& value) override {
    const auto number = num_put_.fetch_add(1, std::memory_order_relaxed);
    // By rank: processes of two hosts may have one number, and ranks may share a process.
    const auto draft = folder_ / (".draft." + std::to_string(rank_) + "." + std::to_string(number));
    {
      const Descriptor file(::open(draft.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), "open",
                            draft);
      write_all(file, value, draft);
    }
    if (::rename(draft.c_str(), path(key).c_str()) != 0) {
      throw failed("rename", path(key));
    }
  }

  [[nodiscard]] std::optional<std::string> get(const std::string& key,
                                               Nanoseconds timeout) override {
    const Clock& clock = steady_clock();
    const auto start = clock.now();
    const auto until = start + timeout;
    auto value = find(key);
    while (!value && clock.now() < std::min(until, start + kSpin)) {
      std::this_thread::yield();
      value = find(key);
    }
    if (value || timeout <= kSpin) {
      return value;
    }
    auto watcher = take_watcher();
    for (bool goes_on = true; goes_on && !value;) {
      watcher->drain();
      value = find(key);
      const auto left = until - clock.now();
      goes_on = !value && left > Nanoseconds::zero() && watcher->wait(left);
    }
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(watcher));
    return value;
  }

  [[nodiscard]] std::int64_t add(const std::string& key, std::int64_t amount) override {
    const auto where = path(key + "#");
    const Descriptor file(::open(where.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600), "open", where);
    if (::flock(file, LOCK_EX) != 0) {
      throw failed("flock", where);
    }
    std::int64_t sum = 0;
    if (::pread(file, &sum, sizeof sum, 0) < 0) {
      throw failed("read", where);
    }
    sum += amount;
    if (::pwrite(file, &sum, sizeof sum, 0) != sizeof sum) {
      throw failed("write", where);
    }
    return sum;
  }

  void erase(const std::string& key) override { ::unlink(path(key).c_str()); }

 private:
  [[nodiscard]] std::unique_ptr<Watcher> take_watcher() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto watcher = std::move(idle_.back());
        idle_.pop_back();
        return watcher;
      }
    }
    return std::make_unique<Watcher>(folder_);
  }

  [[nodiscard]] fs::path path(const std::string& key) const {
    std::string name = key;
    for (auto& letter : name) {
      letter = letter == '/' ? ':' : letter;
    }
    return folder_ / name;
  }

  [[nodiscard]] std::optional<std::string> find(const std::string& key) const {
    const auto where = path(key);
    const int file = ::open(where.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) {
      return std::nullopt;
    }
    return read_all(Descriptor(file, "open", where), where);
  }

  fs::path folder_;
  int rank_;
  int size_;
  std::atomic<int> num_put_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Watcher>> idle_;  // one for each thread that has waited at once
};

}  // namespace

std::shared_ptr<Rendezvous> open_folder_rendezvous(const fs::path& folder, int rank, int size) {
  if (size < 1 || rank < 0 || rank >= size) {
    throw Error(Errc::kInvalidInput, "rank is none of the run's")
        .with("rank", rank)
        .with("size", size);
  }
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    throw failed("access", folder);
  }
  return std::make_shared<FolderRendezvous>(folder, rank, size);
}

}  // namespace askos::comm
