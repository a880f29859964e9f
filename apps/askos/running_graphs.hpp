// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace askos::apps {

using Json = nlohmann::ordered_json;

/// Which of the running graphs a question is about, and which time.
struct Selection {
  int pid = 0;
  int session = 0;
  std::string graph;
  std::string window = "10 s";
};

/// Adds `--pid`, `--session` and `--graph`.
void add_graph_selection(CLI::App& command, Selection& selection);

/// Adds those and `--window`.
void add_selection(CLI::App& command, Selection& selection);

/// A running graph and where to ask about it.
struct Found {
  std::filesystem::path socket;
  Json row;  ///< as `ps` answers it
};

[[nodiscard]] std::vector<Found> find_sessions(const Selection& selection);

/// As above; throws `Errc::kNotFound` if there is none.
[[nodiscard]] std::vector<Found> find_some(const Selection& selection);

/// Returns the only one; throws `Errc::kUsage` if there are several.
[[nodiscard]] Found find_one(const Selection& selection);

/// Makes a request about the selection's window.
[[nodiscard]] Json window_request(const char* verb, const Selection& selection);

/// Sends a request to a process and returns its result. Throws what the process answers as an
/// error, `Errc::kEnvironment` if it has gone.
[[nodiscard]] Json ask_json(const std::filesystem::path& socket, const Json& request);

/// As above, about this session.
[[nodiscard]] Json ask_session(const Found& found, Json request);

}  // namespace askos::apps
