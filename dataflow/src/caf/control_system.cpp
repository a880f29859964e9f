// SPDX-License-Identifier: Apache-2.0
#include "caf/control_messages.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/control_network.hpp>

#include <mutex>
#include <sstream>

namespace askos::dataflow {

std::string ControlAddress::to_text() const {
  return host + " " + std::to_string(port) + " " + token;
}

ControlAddress ControlAddress::of(const std::string& text) {
  ControlAddress address;
  std::istringstream(text) >> address.host >> address.port >> address.token;
  if (address.token.empty()) {
    throw Error(Errc::kInternal, "not the address of a control network");
  }
  return address;
}

ControlSystem::ControlSystem() {
  static std::once_flag once;
  std::call_once(once, [] {
    init_caf_types();
    caf::init_global_meta_objects<caf::id_block::askos_control>();
    caf::io::middleman::init_global_meta_objects();
  });
  config_.set("caf.scheduler.policy", "sharing");
  config_.set("caf.scheduler.max-threads", 1);
  config_.load<caf::io::middleman>();
  system_ = std::make_unique<caf::actor_system>(config_);
}

}  // namespace askos::dataflow
