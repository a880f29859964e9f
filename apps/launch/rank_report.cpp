// SPDX-License-Identifier: Apache-2.0
#include "launch/rank_report.hpp"

#include <askos/base/error.hpp>

#include <sstream>

namespace askos::apps {

std::string to_text(const RankReport& report) {
  if (const auto* placed = std::get_if<RankPlaced>(&report)) {
    return "placed " + placed->host + " " + placed->placement;
  }
  const auto& end = std::get<RankEnded>(report).end;
  return "ended " + std::to_string(end.code) + " " + std::to_string(end.signal);
}

RankReport to_report(const std::string& text) {
  std::istringstream words(text);
  std::string kind;
  words >> kind;
  if (RankPlaced placed; kind == "placed" && words >> placed.host >> std::ws &&
                         std::getline(words, placed.placement)) {
    return placed;
  }
  if (RankEnded ended; kind == "ended" && words >> ended.end.code >> ended.end.signal) {
    return ended;
  }
  throw Error(Errc::kCorruptData, "not a report of a rank").with("text", text);
}

}  // namespace askos::apps
