// SPDX-License-Identifier: Apache-2.0
#include "run_control.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/agreement.hpp>
#include <askos/dataflow/control_network.hpp>
#include <askos/dataflow/inspector.hpp>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>

namespace askos::apps {
namespace {

void try_to(const std::function<void()>& step) {
  try {
    step();
  } catch (const Error& error) {
    std::cerr << "askos: warning: ps, top and why do not see all of this run: " << error.what()
              << "\n";
  }
}

/// The IPv4 address of the interface `name`, or of the first one that is up and no loopback.
std::optional<std::string> interface_address(const std::string& name) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) {
    return std::nullopt;
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const auto* each = first; each != nullptr; each = each->ifa_next) {
    const bool wanted =
        name.empty() ? (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_LOOPBACK) == 0
                     : name == each->ifa_name;
    if (wanted && each->ifa_addr != nullptr && each->ifa_addr->sa_family == AF_INET) {
      std::array<char, INET_ADDRSTRLEN> text{};
      const auto* place = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
      ::inet_ntop(AF_INET, &place->sin_addr, text.data(), text.size());
      return text.data();
    }
  }
  return std::nullopt;
}

}  // namespace

struct RunControl::Impl {
  std::shared_ptr<dataflow::ControlHub> hub;
  std::unique_ptr<dataflow::ControlMember> member;
  std::optional<dataflow::Inspector> inspector;
};

RunControl::RunControl(comm::Communicator* processes, const std::string& host)
    : impl_(std::make_unique<Impl>()) {
  const bool is_first = processes == nullptr || processes->rank() == 0;
  if (processes != nullptr) {
    if (is_first) {
      try_to([&] {
        impl_->hub = std::make_shared<dataflow::ControlHub>(host, processes->size() - 1);
      });
    }
    const auto address =
        comm::exchange_texts(*processes, impl_->hub ? impl_->hub->address().to_text() : "").front();
    if (!is_first && !address.empty()) {
      try_to([&] {
        impl_->member = std::make_unique<dataflow::ControlMember>(
            dataflow::ControlAddress::of(address), processes->rank());
      });
    }
  }
  if (is_first) {
    try_to([&] { impl_->inspector.emplace(dataflow::InspectorOptions{.peers = impl_->hub}); });
  }
}

RunControl::~RunControl() = default;

std::shared_ptr<void> RunControl::attach(const dataflow::Session& session) {
  if (impl_->inspector) {
    return std::make_shared<dataflow::Inspector::Attachment>(impl_->inspector->attach(session));
  }
  return impl_->member ? impl_->member->attach(session) : nullptr;
}

std::string control_host(comm::Communicator* processes) {
  constexpr const char* kLoopback = "127.0.0.1";
  if (processes == nullptr) {
    return kLoopback;
  }
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto hosts = comm::exchange_texts(*processes, host.data());
  if (std::ranges::all_of(hosts, [&](const auto& each) { return each == hosts.front(); })) {
    return kLoopback;
  }
  const char* name = std::getenv("ASKOS_INTERFACE");
  return interface_address(name == nullptr ? "" : name).value_or(kLoopback);
}

}  // namespace askos::apps
