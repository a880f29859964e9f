// SPDX-License-Identifier: Apache-2.0
#include "top_view.hpp"

#include "command_line/table.hpp"

#include <askos/base/unit.hpp>

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Share {
  const char* title;
  std::array<std::string_view, 2> states;
};
constexpr std::array<Share, 7> kShares{{{"BUSY", {"busy.cpu", "busy.gpu"}},
                                        {"STARV", {"wait.input"}},
                                        {"CREDIT", {"wait.credit"}},
                                        {"COMM", {"wait.comm"}},
                                        {"IO", {"wait.io"}},
                                        {"MEM", {"wait.mem"}},
                                        {"SCHED", {"wait.sched"}}}};
constexpr std::size_t kNameWidth = 14;
constexpr std::size_t kShareWidth = 7;
constexpr std::size_t kEdgeWidth = 38;
constexpr int kGaugeCells = 8;
/// Everything in a row of a stage besides its strip.
constexpr int kFixedWidth =
    2 + static_cast<int>(kNameWidth) + 6 + 7 * static_cast<int>(kShareWidth) + 10;

std::string left(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text.size() > width && width > 1 ? text.substr(0, width - 1) + "~" : text;
}

std::string right(const std::string& text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

bool is_root(const Json& top, const Json& stage) {
  const Json& root = top.at("why").at("root");
  return root.is_object() && root.at("stage") == stage.at("stage") &&
         root.at("rank") == stage.at("rank");
}

Line title(const Json& top, int width) {
  std::string text = " " + top.at("graph").get<std::string>() + "   " +
                     top.at("state").get<std::string>() + " " +
                     clock_time(top.at("age_s").get<double>()) + "   " +
                     fixed(top.at("packets_per_s").get<double>(), 1) +
                     " packets/s   root cause: " + top.at("why").at("phrase").get<std::string>();
  return {{Style::kTitle, left(text, static_cast<std::size_t>(std::max(width, 1)))}};
}

Line stage_heading(int width) {
  std::string text = "  " + left("STAGE", kNameWidth) + right("RANK", 5) + " " +
                     left("last 10 s", static_cast<std::size_t>(strip_columns(width)));
  for (const auto& share : kShares) {
    text += right(share.title, kShareWidth);
  }
  return {{Style::kQuiet, text + right("RUNS/S", 9)}};
}

Line stage_row(const Json& top, const Json& stage, int width) {
  const bool root = is_root(top, stage);
  std::string shares;
  for (const auto& [heading, states] : kShares) {
    double sum = 0;
    for (const auto state : states) {
      sum += state.empty() ? 0 : stage.at("fraction").at(std::string(state)).get<double>();
    }
    shares += right(percent(sum), kShareWidth);
  }
  return {{root ? Style::kRoot : Style::kStrong,
           (root ? "> " : "  ") + left(stage.at("stage").get<std::string>(), kNameWidth)},
          {Style::kPlain, right(stage.at("rank").dump(), 5) + " "},
          {Style::kStrip, left(stage.value("strip", std::string()),
                               static_cast<std::size_t>(strip_columns(width)))},
          {Style::kPlain, shares + right(fixed(stage.at("runs_per_s").get<double>(), 1), 9)},
          {Style::kRoot, root ? "  <- root" : ""}};
}

/// `####....  2/2`; characters of ASCII, since a gauge has to be right in every locale.
std::string gauge(std::int64_t used, std::int64_t credit) {
  const auto filled = credit > 0 ? (used * kGaugeCells + credit - 1) / credit : 0;
  const auto cells = static_cast<std::size_t>(std::clamp<std::int64_t>(filled, 0, kGaugeCells));
  return std::string(cells, '#') + std::string(kGaugeCells - cells, '.') +
         right(std::to_string(used) + "/" + std::to_string(credit), 8);
}

Line edge_heading() {
  return {{Style::kQuiet, "  " + left("EDGE", kEdgeWidth) + right("RANK", 5) + "  " +
                              left("IN FLIGHT/CREDIT", 16) + right("WAITING", 9) +
                              right("BYTES", 11) + right("PACKETS/S", 11) +
                              right("HELD BACK", 11)}};
}

Line edge_row(const Json& edge) {
  std::ostringstream bytes;
  bytes << Bytes{edge.at("host_bytes").get<std::int64_t>() +
                 edge.at("device_bytes").get<std::int64_t>()};
  return {{Style::kPlain, "  " + left(edge.at("edge").get<std::string>(), kEdgeWidth) +
                              right(edge.at("rank").dump(), 5) + "  "},
          {Style::kStrong,
           gauge(edge.at("in_flight").get<std::int64_t>(), edge.at("credit").get<std::int64_t>())},
          {Style::kPlain,
           right(edge.at("depth").dump(), 9) + right(bytes.str(), 11) +
               right(fixed(edge.at("packets_per_s").get<double>(), 1), 11) +
               right(fixed(edge.at("waited_for_credit_s").get<double>(), 2) + " s", 11)}};
}

}  // namespace

int strip_columns(int width) noexcept {
  return std::clamp(width - kFixedWidth - 9, 10, 100);
}

std::vector<Line> lay_out_top(const Json& top, int width) {
  std::vector<Line> lines{title(top, width), {}, stage_heading(width)};
  for (const auto& stage : top.at("stages")) {
    lines.push_back(stage_row(top, stage, width));
  }
  lines.push_back({});
  lines.push_back(edge_heading());
  for (const auto& edge : top.at("edges")) {
    lines.push_back(edge_row(edge));
  }
  lines.push_back({});
  std::istringstream why(top.at("why").at("text").get<std::string>());
  for (std::string text; std::getline(why, text);) {
    const bool root = text.find("root") != std::string::npos;
    lines.push_back({{root ? Style::kRoot : Style::kPlain, "  " + text}});
  }
  return lines;
}

}  // namespace askos::apps
