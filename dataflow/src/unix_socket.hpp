// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <utility>

namespace askos::dataflow {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// Makes the folder if need be; throws `Errc::kEnvironment` unless it is a folder of this user that
/// nobody else can write to.
void prepare_socket_folder(const std::filesystem::path& folder);

/// Listens on `<pid>.sock` in `folder`, or `<pid>-2.sock`, … where this process has one already.
[[nodiscard]] std::pair<Descriptor, std::filesystem::path> listen_in(
    const std::filesystem::path& folder);

enum class Reach {
  kConnected,
  kBusy,  ///< somebody listens, but the backlog is full
  kDead,  ///< the socket file is there, but nobody listens
  kOther,
};

/// Connects without blocking; `descriptor` is open only if somebody listens.
[[nodiscard]] Reach connect_to(const std::filesystem::path& socket, Descriptor& descriptor);

}  // namespace askos::dataflow
