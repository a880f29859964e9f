// SPDX-License-Identifier: Apache-2.0
#include "command_line/table.hpp"
#include "commands.hpp"
#include "running_graphs.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/telemetry/overlap.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

struct TraceOptions {
  Selection selection;
  std::string last = "10 s";
  std::string operators;  ///< for so long; empty: not at all
  std::string output;
};

/// Events of several ranks, and how far their clocks may be apart.
struct Gathered {
  telemetry::Trace trace;
  Nanoseconds clock_error{};
};

/// Has the operators of all sessions traced from now on for so long, and waits for that.
void trace_operators(const std::vector<Found>& sessions, Nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  for (const auto& session : sessions) {
    (void)ask_session(session, {{"verb", "trace_operators"}, {"for_s", seconds}});
  }
  steady_clock().sleep_until(steady_clock().now() + duration);
}

/// A graph may be spread over processes, each with ranks of its own.
Gathered gather(const TraceOptions& options) {
  const bool operators = !options.operators.empty();
  const auto meanwhile = operators ? parse_duration(options.operators) : Nanoseconds::zero();
  const auto last = std::chrono::ceil<std::chrono::milliseconds>(
      std::max(parse_duration(options.last), meanwhile));
  const auto sessions = find_some(options.selection);
  if (operators) trace_operators(sessions, meanwhile);
  Gathered gathered;
  std::vector<int> ranks;
  for (const auto& session : sessions) {
    const Json answer = ask_session(
        session, {{"verb", "trace"}, {"last_ms", last.count()}, {"operators", operators}});
    const auto part = telemetry::trace_from_json(answer.dump());
    for (const int rank : part.ranks()) {
      if (std::ranges::find(ranks, rank) != ranks.end() ||
          session.row.at("graph") != sessions.front().row.at("graph")) {
        throw Error(Errc::kUsage, "several graphs are running: choose one with --pid or --graph");
      }
      ranks.push_back(rank);
    }
    merge(gathered.trace, part);
    const Nanoseconds error(answer.at("clock_error_ns").get<std::int64_t>());
    gathered.clock_error = std::max(gathered.clock_error, error);
  }
  return gathered;
}

int write(const TraceOptions& options, bool json) {
  telemetry::check_trace_path(options.output);
  const auto [trace, clock_error] = gather(options);
  const auto files = telemetry::write_trace(trace, options.output);
  std::uintmax_t num_bytes = 0;
  Json names = Json::array();
  for (const auto& file : files) {
    names.push_back(file.string());
    num_bytes += std::filesystem::file_size(file);
  }
  const auto figures = telemetry::overlaps(trace);
  const auto num_operators = std::ranges::count(trace.events, telemetry::TraceKind::kOperator,
                                                &telemetry::TraceEvent::kind);
  const auto seconds = [](Nanoseconds time) { return std::chrono::duration<double>(time).count(); };
  if (json) {
    Json rows = Json::array();
    for (const auto& overlap : figures) {
      rows.push_back({{"rank", overlap.rank},
                      {"communication_s", seconds(overlap.communication)},
                      {"overlapped_s", seconds(overlap.overlapped)},
                      {"exposed_s", seconds(overlap.exposed())},
                      {"fraction", overlap.fraction()},
                      {"busy_s", seconds(overlap.busy)}});
    }
    std::cout << Json({{"files", names},
                       {"events", trace.events.size()},
                       {"operators", num_operators},
                       {"lost_operators", trace.num_lost_operators},
                       {"bytes", num_bytes},
                       {"clock_error_s", seconds(clock_error)},
                       {"overlap", rows}})
                     .dump()
              << "\n";
    return 0;
  }
  for (const auto& file : files) {
    std::cout << file.string() << "\n";
  }
  std::cout << trace.events.size() << " events, ";
  if (num_operators > 0) {
    std::cout << num_operators << " of them operators, ";
  }
  std::cout << num_bytes << " bytes\n";
  if (trace.num_lost_operators > 0) {
    std::cout << trace.num_lost_operators
              << " older operators had no place: trace them for a shorter time\n";
  }
  if (clock_error.count() > 0) {
    std::cout << "clocks of the processes agree within " << format_duration(clock_error) << "\n";
  }
  for (const auto& overlap : figures) {
    if (overlap.communication.count() > 0) {
      std::cout << "rank " << overlap.rank << ": communication "
                << fixed(seconds(overlap.communication), 2) << " s, " << percent(overlap.fraction())
                << " of it behind work, exposed " << fixed(seconds(overlap.exposed()), 2) << " s\n";
    }
  }
  return 0;
}

}  // namespace

void add_trace(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "trace", "write the newest events of a running graph for a trace viewer");
  auto options = std::make_shared<TraceOptions>();
  add_graph_selection(command, options->selection);
  command.add_option("--last", options->last, "how far to look back, as far as the rings reach")
      ->capture_default_str();
  command
      .add_option("--operators", options->operators,
                  "first trace LibTorch's operators for so long; they lie within the runs of\n"
                  "their stages")
      ->type_name("TIME");
  command
      .add_option("-o,--output", options->output,
                  ".pftrace for Perfetto; .json for HolisticTraceAnalysis, with several ranks "
                  "one file each")
      ->type_name("FILE")
      ->required();
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos trace --last 5s -o storm.pftrace\n"
      "          askos trace --operators 2s --last 3s -o storm.pftrace");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return write(*options, common.json); };
  });
}

}  // namespace askos::apps
