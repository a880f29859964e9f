// SPDX-License-Identifier: Apache-2.0
// The yardstick: two CAF actors and one message per packet, without bounds or accounts.
#pragma once

#include "caf/caf_compat.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>

#include <cstdint>
#include <future>
#include <memory>

namespace askos::dataflow::bench {

class PlainMessages {
 public:
  explicit PlainMessages(int num_threads) : config_(configure(num_threads)), system_(config_) {}

  /// Sends `count` numbers from one actor to another and checks their sum.
  [[nodiscard]] double nanoseconds_per_message(std::uint64_t count) {
    const auto sum = std::make_shared<std::promise<std::uint64_t>>();
    const auto began = steady_clock().now();
    const auto receiver = system_.spawn([=](caf::event_based_actor* self) -> caf::behavior {
      return {[=, total = std::uint64_t{0}, seen = std::uint64_t{0}](std::uint64_t number) mutable {
        total += number;
        if (++seen == count) {
          sum->set_value(total);
          self->quit();
        }
      }};
    });
    const auto sender = system_.spawn([=](caf::event_based_actor* self) -> caf::behavior {
      return {[=, next = std::uint64_t{0}](caf::tick_atom) mutable {
        for (int i = 0; i < 256 && next < count; ++i) caf_compat::send(receiver, next++);
        if (next < count) {
          caf_compat::send(caf::actor(self), caf::tick_atom_v);
        } else {
          self->quit();
        }
      }};
    });
    caf_compat::send(sender, caf::tick_atom_v);
    auto result = sum->get_future();
    if (result.get() != count * (count - 1) / 2) {
      throw Error(Errc::kCheckFailed, "plain messages were lost");
    }
    return static_cast<double>((steady_clock().now() - began).count()) / static_cast<double>(count);
  }

 private:
  static caf::actor_system_config configure(int num_threads) {
    caf::core::init_global_meta_objects();
    caf::actor_system_config config;
    config.set("caf.scheduler.policy", "sharing");
    config.set("caf.scheduler.max-threads", num_threads);
    return config;
  }

  caf::actor_system_config config_;
  caf::actor_system system_;
};

}  // namespace askos::dataflow::bench
