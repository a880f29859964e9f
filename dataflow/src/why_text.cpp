// SPDX-License-Identifier: Apache-2.0
#include <askos/dataflow/why.hpp>

#include <array>
#include <cstdio>

namespace askos::dataflow {
namespace {

using telemetry::State;

std::string print(const char* format, double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

std::string seconds(Nanoseconds time) {
  return print("%.2f s", static_cast<double>(time.count()) * 1e-9);
}

std::string percent(double fraction) {
  return print("%.0f %%", 100 * fraction);
}

/// Beyond a hundred times the number only says that the other stages are next to idle.
std::string times(double factor) {
  return factor < 100 ? print("%.1f times", factor) : "100 times or more";
}

std::string label(const std::string& stage, Rank rank, const WhyReport& report) {
  return report.num_ranks > 1 && stage != "scheduler" ? stage + "@" + std::to_string(rank.value)
                                                      : stage;
}

std::string print_wait(const WhyStep& step, const WhyReport& report) {
  std::string text = label(step.stage, step.rank, report);
  text += " waited " + seconds(step.time) + " of " + seconds(report.window);
  switch (step.state) {
    case State::kWaitCredit: return text + " for credit on " + step.edge;
    case State::kWaitComm: return text + " for other ranks in collectives of " + step.edge;
    case State::kWaitMem: return text + " for memory of a pool to be given back";
    default: return text + " for input on " + step.edge;
  }
}

std::string print_root(const WhyStep& step, const WhyReport& report) {
  const std::string text = label(step.stage, step.rank, report);
  if (step.stage == "scheduler") {
    return text + ": stages that could run waited " + seconds(step.time) + " for a thread";
  }
  return text + " was " + std::string(to_string(step.state)) + " " + seconds(step.time) + " of " +
         seconds(report.window);
}

std::string print_share(const WhyReport& report) {
  const std::string whole =
      report.victim.empty() ? "all stall time in the graph" : report.victim + "'s stall time";
  return "  <- root: " + percent(report.roots.front().share) + " of " + whole;
}

std::string print_conclusion(const WhyReport& report) {
  switch (report.verdict) {
    case Verdict::kPaced: return "the graph keeps up: its source sets the pace\n";
    case Verdict::kStuck:
      return "stuck: these stages wait for one another in a circle (askos check tells what credit "
             "or which initial packets are missing)\n";
    case Verdict::kLimited:
      if (const WhyRoot& root = report.roots.front(); !root.edge.empty()) {
        const bool initial = root.state == State::kWaitInput;
        return "root: no stage is busy all the time; " + std::to_string(root.credit) +
               (initial ? " initial packets" : " credit") + " of " + root.edge +
               " is too little, " + std::to_string(root.wanted_credit) +
               " would make the graph about " + times(report.speedup_at_most) + " as fast\n";
      }
      if (!report.victim.empty() || report.next_stage.empty()) return "";
      return "without it at most " + times(report.speedup_at_most) + " as fast: then " +
             report.next_stage + " limits\n";
    case Verdict::kBalanced:
    case Verdict::kEnded: break;
  }
  return "";
}

std::string print_balanced(const WhyReport& report) {
  std::string text;
  if (!report.victim.empty()) {
    return report.chain.empty()
               ? report.victim + " was not at work\n"
               : "waits for no other stage: " + print_root(report.chain.front(), report) + "\n";
  }
  text = "balanced: stages waited for one another " + percent(report.stalled_fraction) +
         " of their time, and no stage alone is the cause\n";
  for (std::size_t i = 0; i < report.roots.size() && i < 3 && report.roots[i].share >= 0.1; ++i) {
    const WhyRoot& root = report.roots[i];
    text += "  " + label(root.stage, root.rank, report) + " " + std::string(to_string(root.state)) +
            ": " + percent(root.share) + " of that\n";
  }
  return text;
}

}  // namespace

std::string to_text(const WhyReport& report) {
  if (report.verdict == Verdict::kEnded) {
    return "no stage was at work in the last " + seconds(report.window) + "\n";
  }
  if (report.verdict == Verdict::kBalanced) {
    return print_balanced(report);
  }
  std::string text;
  std::string indent;
  for (const auto& step : report.chain) {
    const bool is_root = step.edge.empty();
    text += indent +
            (is_root ? print_root(step, report) + print_share(report) : print_wait(step, report)) +
            "\n";
    indent += "  ";
  }
  return text + print_conclusion(report);
}

std::string root_phrase(const WhyReport& report) {
  if (report.verdict != Verdict::kLimited && report.verdict != Verdict::kPaced) {
    return std::string(to_string(report.verdict));
  }
  const WhyRoot& root = report.roots.front();
  if (!root.edge.empty()) {
    return (root.state == State::kWaitInput ? "initial packets of " : "credit of ") + root.edge +
           " " + percent(root.share);
  }
  return label(root.stage, root.rank, report) + " " + std::string(to_string(root.state)) + " " +
         percent(root.share);
}

}  // namespace askos::dataflow
