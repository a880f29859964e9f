// SPDX-License-Identifier: Apache-2.0
// The only file that knows which CAF it is compiled against: 0.18.7 or 1.x. Whatever is not here is
// written alike for both.
#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/behavior.hpp>
#include <caf/byte_buffer.hpp>
#include <caf/config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/scoped_actor.hpp>

#include <chrono>

#if CAF_MAJOR_VERSION >= 1  // `CAF_VERSION` is 0100 in 1.1.0
#include <caf/anon_mail.hpp>
#else
#include <caf/send.hpp>
#endif

namespace askos::dataflow::caf_compat {

/// Puts `message` into the mailbox of `to`; any thread.
template <typename Message>
void send(const caf::actor& to, const Message& message) {
#if CAF_MAJOR_VERSION >= 1
  caf::anon_mail(message).send(to);
#else
  caf::anon_send(to, message);
#endif
}

/// As `send`, but not before `delay` of real time has passed.
template <typename Message>
void send_after(const caf::actor& to, std::chrono::nanoseconds delay, const Message& message) {
#if CAF_MAJOR_VERSION >= 1
  caf::anon_mail(message).delay(delay).send(to);
#else
  caf::delayed_anon_send(to, delay, message);
#endif
}

/// Asks `to`. `receive` on the result of a `caf::scoped_actor` waits for the answer, `then` on that
/// of a `caf::event_based_actor*` is called with it.
template <typename Self, typename... Message>
auto request(const Self& self,
             const caf::actor& to,
             std::chrono::nanoseconds deadline,
             const Message&... message) {
#if CAF_MAJOR_VERSION >= 1
  return self->mail(message...).request(to, deadline);
#else
  return self->request(to, deadline, message...);
#endif
}

/// Ends an actor; any thread.
inline void stop(const caf::actor& actor) {
  caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
}

using ByteBuffer = caf::byte_buffer;

}  // namespace askos::dataflow::caf_compat
