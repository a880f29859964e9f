// SPDX-License-Identifier: Apache-2.0
// The commands about the edges of a running graph: peek, break, credit.
#include "command_line/table.hpp"
#include "commands.hpp"
#include "debugger_options.hpp"

#include <askos/base/error.hpp>

#include <array>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

namespace askos::apps {
namespace {

struct PeekOptions {
  Selection selection;
  std::string edge;
  int rank = 0;
  std::optional<int> index;
  bool statistics = false;
  int histogram = 0;
  std::string slice;
  std::string tensor;
};

struct BreakOptions {
  DebuggerOptions debugger;
  std::string edge;
  std::string when;
  std::optional<int> rank;
  std::optional<int> remove;
  bool remove_all = false;
};

struct CreditOptions {
  DebuggerOptions debugger;
  std::string edge;
  std::string credit;
};

std::string number(const Json& value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value.is_null() ? 0.0 : value.get<double>());
  return text.data();
}

void print_tensor(const Json& tensor) {
  std::cout << "     " << tensor.at("name").get<std::string>() << " " << tensor.at("shape").dump()
            << " " << tensor.at("dtype").get<std::string>() << " on "
            << tensor.at("device").get<std::string>();
  if (const auto found = tensor.find("statistics"); found != tensor.end()) {
    std::cout << "  min " << number(found->at("min")) << "  max " << number(found->at("max"))
              << "  mean " << number(found->at("mean")) << "  deviation "
              << number(found->at("deviation")) << "  nan " << found->at("nan") << "  inf "
              << found->at("inf");
    if (found->at("sampled") != found->at("count")) {
      std::cout << "  (" << found->at("sampled") << " of " << found->at("count") << " entries)";
    }
  }
  std::cout << "\n";
  if (const auto found = tensor.find("histogram"); found != tensor.end()) {
    const Json& counts = found->at("counts");
    for (std::size_t i = 0; i < counts.size(); ++i) {
      std::cout << "       " << number(found->at("edges")[i]) << " .. "
                << number(found->at("edges")[i + 1]) << ": " << counts[i] << "\n";
    }
  }
  if (const auto found = tensor.find("slice"); found != tensor.end()) {
    std::cout << "       " << found->at("shape").dump() << ":";
    for (const auto& value : found->at("values")) std::cout << " " << number(value);
    std::cout << "\n";
  }
}

void print_peek(const Json& peek) {
  std::cout << peek.at("edge").get<std::string>() << " on rank " << peek.at("rank") << ": "
            << peek.at("in_flight") << " of " << peek.at("credit") << " in flight, "
            << peek.at("depth") << " wait to be taken\n";
  for (const auto& packet : peek.at("packets")) {
    std::cout << "  #" << packet.at("index") << " sample " << packet.at("sample") << "  "
              << packet.at("host_bytes") << " B on the host, " << packet.at("device_bytes")
              << " B on devices  age " << fixed(1e3 * packet.at("age_s").get<double>(), 1)
              << " ms  " << packet.at("payload").at("type").get<std::string>() << "\n";
    for (const auto& tensor : packet.at("payload").at("tensors")) print_tensor(tensor);
  }
}

int peek(const PeekOptions& options, bool json) {
  Json request{{"verb", "peek"},
               {"edge", options.edge},
               {"rank", options.rank},
               {"statistics", options.statistics},
               {"histogram", options.histogram},
               {"slice", options.slice},
               {"tensor", options.tensor}};
  if (options.index) request["index"] = *options.index;
  const Json answer = ask_session(find_one(options.selection), std::move(request));
  if (json) {
    std::cout << answer.dump() << "\n";
  } else {
    print_peek(answer);
  }
  return 0;
}

void print_breaks(const Json& breaks, bool json) {
  if (json) {
    std::cout << breaks.dump() << "\n";
    return;
  }
  if (breaks.empty()) {
    std::cout << "no breakpoints\n";
    return;
  }
  Table table({{"NUMBER"},
               {"EDGE", Align::kLeft},
               {"RANK", Align::kLeft},
               {"HITS"},
               {"LAST", Align::kLeft},
               {"WHEN", Align::kLeft}});
  for (const auto& entry : breaks) {
    const Json& hit = entry.at("hit");
    const auto problem = entry.at("problem").get<std::string>();
    table.add(
        {entry.at("breakpoint").dump(), entry.at("edge"),
         entry.at("rank").is_null() ? "all" : entry.at("rank").dump(), entry.at("hits").dump(),
         hit.is_null() ? "-"
                       : "sample " + hit.at("sample").dump() + " on rank " + hit.at("rank").dump(),
         entry.at("when").get<std::string>() + (problem.empty() ? "" : "  (" + problem + ")")});
  }
  std::cout << table;
}

int break_on(const BreakOptions& options, bool json) {
  const auto found = find_one(options.debugger.selection);
  if (options.remove || options.remove_all) {
    Json request{{"verb", "unbreak"}};
    if (options.remove) request["breakpoint"] = *options.remove;
    print_breaks(ask_session(found, std::move(request)), json);
    return 0;
  }
  if (options.edge.empty() != options.when.empty()) {
    throw Error(Errc::kUsage, "a breakpoint needs an edge and --when")
        .with("found", options.edge.empty() ? "--when alone" : "an edge alone");
  }
  if (!options.edge.empty()) {
    Json request = debugger_request("break", options.debugger);
    request["edge"] = options.edge;
    request["when"] = options.when;
    if (options.rank) request["rank"] = *options.rank;
    (void)ask_session(found, std::move(request));
  }
  print_breaks(ask_session(found, {{"verb", "breaks"}}), json);
  return 0;
}

void print_tuning(const Json& edges, bool json) {
  if (json) {
    std::cout << edges.dump() << "\n";
    return;
  }
  if (edges.empty()) {
    std::cout << "no edge is tuned\n";
    return;
  }
  for (const auto& edge : edges) {
    const auto problem = edge.at("problem").get<std::string>();
    std::cout << edge.at("edge").get<std::string>() << ": credit " << edge.at("credit")
              << (problem.empty() ? "" : "  (" + problem + ")") << "\n";
    for (const auto& decision : edge.at("decisions")) {
      const auto outcome = decision.at("outcome").get<std::string>();
      std::cout << "  " << clock_time(decision.at("age_s").get<double>()) << "  "
                << decision.at("before") << " -> " << decision.at("after") << "  predicted "
                << number(decision.at("predicted_per_s")) << "/s, measured before "
                << number(decision.at("measured_per_s")) << "/s, after "
                << (outcome == "kept" || outcome == "undone"
                        ? number(decision.at("observed_per_s")) + "/s"
                        : "-")
                << ": " << outcome << "\n         " << decision.at("why").get<std::string>()
                << "\n";
      const auto reason = decision.at("reason").get<std::string>();
      if (!reason.empty()) std::cout << "         " << reason << "\n";
    }
  }
}

int change_credit(const CreditOptions& options, bool json) {
  const auto found = find_one(options.debugger.selection);
  if (options.edge.empty()) {
    print_tuning(ask_session(found, {{"verb", "tuning"}}), json);
    return 0;
  }
  if (options.credit.empty()) {
    throw Error(Errc::kUsage, "a credit is missing: a number, or auto").with("edge", options.edge);
  }
  Json request = debugger_request("credit", options.debugger);
  request["edge"] = options.edge;
  request["credit"] = options.credit == "auto" ? Json("auto") : Json(std::stoi(options.credit));
  const Json change = ask_session(found, std::move(request));
  (void)wait_for_hold(found, options.debugger);
  if (json) {
    std::cout << change.dump() << "\n";
  } else {
    std::cout << change.at("edge").get<std::string>() << ": credit " << change.at("before")
              << " -> " << change.at("credit") << "\n";
    if (const auto why = change.find("why"); why != change.end()) {
      std::cout << why->get<std::string>() << "\n";
    }
  }
  return 0;
}

}  // namespace

void add_peek(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "peek",
      "look at the packets that wait on an edge of a running graph, and into their tensors");
  const auto options = std::make_shared<PeekOptions>();
  command.add_option("edge", options->edge, "as top names it: read.out>part.in")
      ->type_name("EDGE")
      ->required();
  command.add_option("--rank", options->rank, "of which rank")->capture_default_str();
  command.add_option("--index", options->index, "this packet only; 0 is the oldest");
  command.add_flag("--statistics", options->statistics,
                   "least, largest, mean, deviation, how many NaN and infinite");
  command.add_option("--histogram", options->histogram, "of so many bins")->type_name("BINS");
  command.add_option("--slice", options->slice, "numbers themselves, at most 1000: 0,1:3,:");
  command.add_option("--tensor", options->tensor, "this tensor only");
  add_graph_selection(command, options->selection);
  add_common_options(command, line.common);
  command.footer("Example: askos peek 'a.out>b.in' --index 0 --statistics");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return peek(*options, common.json); };
  });
}

void add_break(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "break",
      "pause a running graph before a packet is taken that fulfils a condition; alone: list "
      "breakpoints");
  const auto options = std::make_shared<BreakOptions>();
  command.add_option("edge", options->edge, "whose packets to look at")->type_name("EDGE");
  command.add_option("--when", options->when, "the condition")->type_name("EXPR");
  command.add_option("--rank", options->rank, "of one rank only");
  command.add_option("--delete", options->remove, "remove this breakpoint")->type_name("NUMBER");
  command.add_flag("--delete-all", options->remove_all, "remove all breakpoints");
  add_debugger(command, options->debugger);
  command.add_option("--lease", options->debugger.lease, "of the pause, as askos pause has it")
      ->capture_default_str();
  add_common_options(command, line.common);
  command.footer(
      "Example: askos break 'a.out>b.in' --when 'nan(*) > 0 || age > 2s'\n"
      "Names: sample, trace, weight, cells.begin, cells.end, host_bytes, device_bytes, age; of a "
      "tensor T, or of\nall (*): nan(T), inf(T), count(T), min(T), max(T), mean(T), deviation(T). "
      "Operators: < <= > >= == != && ||\n! + - * / % ( ). Times: 2s, 5ms, 10us.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return break_on(*options, common.json); };
  });
}

void add_credit(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "credit",
      "change how many packets an edge of a running graph holds, if the proof still holds; alone: "
      "list the edges that are tuned");
  const auto options = std::make_shared<CreditOptions>();
  command.add_option("edge", options->edge, "which edge, on all ranks")->type_name("EDGE");
  command
      .add_option("credit", options->credit,
                  "packets, or auto: the least that is as fast as any, from now on")
      ->type_name("N|auto")
      ->check(CLI::Range(1, 1 << 20) | CLI::IsMember({"auto"}));
  add_holding_debugger(command, options->debugger);
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos credit 'a.out>b.in' 8\n"
      "          askos credit 'a.out>b.in' auto && askos credit\n"
      "auto goes on until the edge is given a number: every two seconds it asks what the last two "
      "speak for, changes\nthe credit where that is worth it, and undoes a change after which the "
      "graph is slower. The list shows for each\nchange its evidence, what was predicted, and what "
      "came of it.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return change_credit(*options, common.json); };
  });
}

}  // namespace askos::apps
