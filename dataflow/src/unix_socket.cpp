// SPDX-License-Identifier: Apache-2.0
#include "unix_socket.hpp"

#include <askos/base/error.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace askos::dataflow {
namespace {

constexpr int kBacklog = 128;
constexpr int kMaxInspectors = 100;  // of one process

Error environment_error(const char* text, const std::filesystem::path& path) {
  return Error(Errc::kEnvironment, text)
      .with("path", path.string())
      .with("reason", std::strerror(errno));
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.size() >= sizeof(address.sun_path)) {
    throw Error(Errc::kEnvironment, "path is too long for a socket")
        .with("path", text)
        .with("most", sizeof(address.sun_path) - 1);
  }
  std::ranges::copy(text, address.sun_path);
  return address;
}

Descriptor open_socket() {
  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor.is_open()) {
    throw environment_error("cannot open a socket", "");
  }
  return descriptor;
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) {
    ::close(number_);
  }
}

void prepare_socket_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    throw environment_error("cannot make the folder of sockets", folder);
  }
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0) {
    throw environment_error("cannot look at the folder of sockets", folder);
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() ||
      (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw Error(Errc::kEnvironment, "folder of sockets is not this user's own")
        .with("path", folder.string());
  }
}

std::pair<Descriptor, std::filesystem::path> listen_in(const std::filesystem::path& folder) {
  Descriptor descriptor = open_socket();
  // Linux gives the socket file the mode of the descriptor, so nobody else can connect even before
  // a chmod could follow.
  if (::fchmod(descriptor.get(), S_IRUSR | S_IWUSR) != 0) {
    throw environment_error("cannot restrict a socket to its user", folder);
  }
  // It gets its name only when it listens: until then it would be taken for one of the dead.
  const std::string pid = std::to_string(::getpid());
  const auto nameless = folder / ("." + pid + "-" + std::to_string(::gettid()) + ".new");
  std::error_code ignored;
  std::filesystem::remove(nameless, ignored);
  const sockaddr_un address = address_of(nameless);
  if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(descriptor.get(), kBacklog) != 0) {
    throw environment_error("cannot listen on a socket", nameless);
  }
  for (int i = 1; i <= kMaxInspectors; ++i) {
    const auto path = folder / (pid + (i == 1 ? "" : "-" + std::to_string(i)) + ".sock");
    (void)address_of(path);  // or nobody could connect
    Descriptor peer;
    if (connect_to(path, peer) == Reach::kDead) {  // a former process of this id left it
      std::filesystem::remove(path, ignored);
    }
    if (::renameat2(AT_FDCWD, nameless.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
      return {std::move(descriptor), path};
    }
    if (errno != EEXIST) {
      throw environment_error("cannot name a socket", path);
    }
  }
  throw Error(Errc::kEnvironment, "too many inspectors in one process")
      .with("most", kMaxInspectors);
}

Reach connect_to(const std::filesystem::path& socket, Descriptor& descriptor) {
  Descriptor candidate = open_socket();
  const sockaddr_un address = address_of(socket);
  if (::connect(candidate.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
      0) {
    descriptor = std::move(candidate);
    return Reach::kConnected;
  }
  switch (errno) {
    case EAGAIN: return Reach::kBusy;
    case ECONNREFUSED: return Reach::kDead;
    default: return Reach::kOther;
  }
}

}  // namespace askos::dataflow
