// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include "embedded_files.hpp"

#include <askos/base/error.hpp>
#include <askos/base/whole_file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Json parse_record(const fs::path& path, std::string_view text, int line) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& fault) {
    throw Error(Errc::kInvalidInput, "record is not JSON")
        .with("file", path.string())
        .with("line", line)
        .with("found", fault.what());
  }
}

std::vector<Json> read_records(const fs::path& path) {
  std::vector<Json> records;
  std::ifstream file(path);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (!line.empty()) {
      records.push_back(parse_record(path, line, number));
    }
  }
  return records;
}

std::string with_digits(double value, int digits) {
  std::vector<char> text(64);
  const int length = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), static_cast<std::size_t>(length)};
}

/// Adds a stage's ledger. The second one of a stage begins a later run of its graph, which may have
/// another number of ranks: what the earlier run left goes.
void add_ledger(Json& ledgers, const Json& record) {
  const auto same = [&](const Json& other, const char* key) {
    return other.value(key, Json()) == record.value(key, Json());
  };
  const bool again = std::ranges::any_of(ledgers, [&](const Json& other) {
    return same(other, "graph") && same(other, "stage") && same(other, "rank");
  });
  Json kept = Json::array();
  for (const auto& other : ledgers) {
    if (!again || !same(other, "graph")) {
      kept.push_back(other);
    }
  }
  kept.push_back(record);
  ledgers = std::move(kept);
}

/// Splits the records by their `event`; the last score of each name and the last run of each graph
/// win, so that a resumed run shows its end.
Json collect(const std::vector<Json>& records) {
  Json data = {{"steps", Json::array()}, {"scores", Json::array()}, {"ledger", Json::array()}};
  double peak_bytes = 0;
  const auto replace = [](Json& list, const Json& record, auto... keys) {
    const auto same = [&](const Json& other) {
      return ((other.value(keys, Json()) == record.value(keys, Json())) && ...);
    };
    const auto found = std::find_if(list.begin(), list.end(), same);
    if (found != list.end()) {
      *found = record;
    } else {
      list.push_back(record);
    }
  };
  for (const auto& record : records) {
    const auto event = record.value("event", "");
    if (event == "step") {
      replace(data["steps"], {{"step", record["step"]}, {"loss", record["loss"]}}, "step");
    } else if (event == "score" && record.value("split", "") == "test") {
      replace(data["scores"], record, "variable", "cells", "lead_h");
    } else if (event == "ledger") {
      add_ledger(data["ledger"], record);
    } else if (event == "memory") {
      peak_bytes = std::max(peak_bytes, record.value("peak_resident_bytes", 0.0));
    }
  }
  Json tiles = Json::array();
  const auto tile = [&](const std::string& value, const char* name) {
    tiles.push_back(Json::array({value, name}));
  };
  if (!data["steps"].empty()) {
    tile(std::to_string(data["steps"].size()), "training steps");
    tile(with_digits(data["steps"].back()["loss"], 4), "last loss");
  }
  double change = 0;
  int num_scores = 0;
  for (const auto& score : data["scores"]) {
    if (score.value("cells", "") == "all") {
      change += 100 * (score.value("rmse", 0.0) / score.value("persistence_rmse", 1.0) - 1);
      ++num_scores;
    }
  }
  if (num_scores > 0) {
    tile(with_digits(change / num_scores, 1) + " %", "mean error against persistence");
  }
  if (peak_bytes > 0) {
    tile(with_digits(peak_bytes / 0x1p30, 2) + " GiB", "peak resident memory");
  }
  data["tiles"] = tiles;
  return data;
}

void replace_once(std::string& text, std::string_view mark, std::string_view value) {
  const auto at = text.find(mark);
  ASKOS_CHECK(at != std::string::npos);
  text.replace(at, mark.size(), value);
}

/// JSON inside a <script> must not hold the characters that end it.
std::string script_safe(const Json& json) {
  std::string text = json.dump();
  for (auto at = text.find("</"); at != std::string::npos; at = text.find("</", at + 3)) {
    text.replace(at, 2, "<\\/");
  }
  return text;
}

}  // namespace

fs::path write_report(const fs::path& run_folder) {
  Json data = collect(read_records(run_folder / "metrics.jsonl"));
  data["title"] = "askos: " + fs::absolute(run_folder).lexically_normal().filename().string();
  data["subtitle"] = fs::absolute(run_folder).lexically_normal().string();
  data["config"] = read_text(run_folder / "config.toml");
  const auto maps = run_folder / "maps.json";
  data["maps"] = fs::exists(maps) ? parse_record(maps, read_text(maps), 1) : Json();

  std::string page(kReportPage);
  replace_once(page, "/*__CHART_LIBRARY__*/", kChartLibrary);
  replace_once(page, "/*__DATA__*/", script_safe(data));

  const auto path = run_folder / "report.html";
  write_whole_file(path, "cannot write the report", [&](std::ostream& out) { out << page; });
  return path;
}

}  // namespace askos::apps
