// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/peer_sessions.hpp>
#include <askos/dataflow/session.hpp>
#include <askos/dataflow/status.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

/// Returns the folder of the sockets of this user's processes: `$XDG_RUNTIME_DIR/askos`, or
/// `/tmp/askos-<uid>` where there is no such variable.
[[nodiscard]] std::filesystem::path socket_folder();

struct InspectorOptions {
  std::filesystem::path folder = socket_folder();
  Nanoseconds snapshot_interval = std::chrono::milliseconds(100);
  Nanoseconds history = std::chrono::seconds(10);  ///< how far back `why` and `top` can look
  int max_clients = 200;   ///< beyond this, newcomers wait for a client to leave or to fall idle
  bool read_only = false;  ///< refuse what holds or changes a graph
  std::string token{};     ///< what every request must bring as `token`; empty: nothing
  std::shared_ptr<const PeerSessions> peers = nullptr;  ///< the same sessions in other processes
};

/// Answers questions about the sessions of this process on a Unix socket that only its user may
/// open. The protocol is documented in docs/reference/inspector-protocol.md.
///
/// One thread reads the status of every attached session from time to time, so that questions
/// about the last seconds are answered at once, and ends the holds of debuggers that are gone; no
/// client can hold up the data path. Several inspectors may live in one process, each on its own
/// socket.
class Inspector {
  class Server;

 public:
  /// Keeps a session visible as long as it lives; must die before the session does.
  class Attachment {
   public:
    Attachment() = default;
    Attachment(std::shared_ptr<Server> server, int session) noexcept;
    Attachment(Attachment&& other) noexcept;
    Attachment& operator=(Attachment&& other) noexcept;
    ~Attachment();

   private:
    std::shared_ptr<Server> server_;
    int session_ = 0;
  };

  /// Opens the socket; removes those that dead processes have left. Throws `Errc::kEnvironment` if
  /// the folder cannot be made or belongs to somebody else.
  explicit Inspector(const InspectorOptions& options = {});
  ~Inspector();
  Inspector(const Inspector&) = delete;
  Inspector& operator=(const Inspector&) = delete;

  /// Makes a session visible. Sessions are numbered from 1 in the order of attachment. Any thread.
  [[nodiscard]] Attachment attach(const Session& session) const;

  [[nodiscard]] const std::filesystem::path& socket() const noexcept;

 private:
  std::shared_ptr<Server> server_;
};

/// Compares a token that a client gave with the right one, taking as long wherever they differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view given,
                                          std::string_view expected) noexcept;

/// A process that can be asked.
struct InspectedProcess {
  int pid = 0;
  std::filesystem::path socket;
};

/// Lists the processes whose inspector listens in `folder`, in order of their id, and removes the
/// sockets of those that have died. Does not block: a process too busy to take it is listed.
[[nodiscard]] std::vector<InspectedProcess> find_processes(
    const std::filesystem::path& folder = socket_folder());

/// Sends one request (a JSON object on one line) and returns the answer (the same). Throws
/// `Errc::kEnvironment` if nobody listens, `Errc::kStalled` after `deadline`.
[[nodiscard]] std::string ask(const std::filesystem::path& socket,
                              const std::string& request,
                              Nanoseconds deadline = std::chrono::seconds(5));

/// Returns the code whose name, as `to_string` has it, an inspector answered; `kInternal` for one
/// that is not known.
[[nodiscard]] Errc code_of(std::string_view name) noexcept;

/// Returns what the inspector's `top` answers about the time between two readings, as JSON: stages
/// with their share of time in each state, edges with their traffic, and why stages wait. `before`
/// may be empty: then it tells of the whole run.
[[nodiscard]] std::string top_json(const Plan& plan,
                                   const SessionStatus& before,
                                   const SessionStatus& after);

/// Prints a graph for Graphviz; with a `status` edges show depth and credit.
[[nodiscard]] std::string to_dot(const Graph& graph, const SessionStatus* status = nullptr);

}  // namespace askos::dataflow
