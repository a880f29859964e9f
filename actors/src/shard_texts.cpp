// SPDX-License-Identifier: Apache-2.0
#include "shard_texts.hpp"

#include <askos/io/metadata.hpp>

#include <cstdint>

namespace askos::actors {
namespace {

using io::Metadata;

template <typename Number>
Metadata::Array to_array(const std::vector<Number>& numbers) {
  Metadata::Array array;
  for (const auto number : numbers) {
    array.emplace_back(std::int64_t{number});
  }
  return array;
}

template <typename Number>
std::vector<Number> to_numbers(const Metadata& array) {
  std::vector<Number> numbers;
  for (const auto& number : array.as_array()) {
    numbers.push_back(static_cast<Number>(number.as_integer()));
  }
  return numbers;
}

}  // namespace

std::string to_text(const io::WritePlan& plan) {
  const auto& layout = plan.layout;
  return io::to_json(Metadata::Object{{"file", plan.file.string()},
                                      {"rows", layout.num_rows},
                                      {"variables", layout.num_variables},
                                      {"ensembles", layout.num_ensembles},
                                      {"cells", layout.num_cells},
                                      {"chunk_cells", layout.chunk_cells},
                                      {"first_chunk_offset", plan.first_chunk_offset}});
}

io::WritePlan to_write_plan(const std::string& text) {
  const auto json = io::parse_json(text);
  return {.file = json.at("file").as_string(),
          .layout = {.num_rows = json.at("rows").as_integer(),
                     .num_variables = json.at("variables").as_integer(),
                     .num_ensembles = json.at("ensembles").as_integer(),
                     .num_cells = json.at("cells").as_integer(),
                     .chunk_cells = json.at("chunk_cells").as_integer()},
          .first_chunk_offset = json.at("first_chunk_offset").as_integer()};
}

std::string to_text(const std::vector<io::ShardResult>& results) {
  Metadata::Array array;
  for (const auto& result : results) {
    array.emplace_back(Metadata::Object{{"begin", result.cells.begin},
                                        {"end", result.cells.end},
                                        {"rows", to_array(result.rows)},
                                        {"chunk_crc", to_array(result.chunk_crc)},
                                        {"strip_crc", to_array(result.strip_crc)}});
  }
  return io::to_json(array, /*compact=*/true);
}

std::vector<io::ShardResult> to_shard_results(const std::string& text) {
  std::vector<io::ShardResult> results;
  const auto all = io::parse_json(text);
  for (const auto& json : all.as_array()) {
    results.push_back({.cells = {json.at("begin").as_integer(), json.at("end").as_integer()},
                       .rows = to_numbers<std::int64_t>(json.at("rows")),
                       .chunk_crc = to_numbers<std::uint32_t>(json.at("chunk_crc")),
                       .strip_crc = to_numbers<std::uint32_t>(json.at("strip_crc"))});
  }
  return results;
}

}  // namespace askos::actors
