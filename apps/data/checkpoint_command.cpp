// SPDX-License-Identifier: Apache-2.0
#include "command_line/error_report.hpp"
#include "command_line/table.hpp"
#include "commands.hpp"

#include <askos/base/unit.hpp>
#include <askos/io/checkpoint_layout.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <sstream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Where a safetensors file of ours keeps what the checkpoint said of itself.
constexpr const char* kMetadataKey = "askos_checkpoint";

/// Finds the checkpoints that a path names: one, or all of a run or its folder of checkpoints,
/// oldest first.
std::vector<fs::path> find_checkpoints(const fs::path& path) {
  if (!fs::exists(path)) {
    throw Error(Errc::kNotFound, "no such checkpoint").with("path", path.string());
  }
  const fs::path folder = fs::exists(path / "checkpoints") ? path / "checkpoints" : path;
  std::vector<fs::path> found;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("step-") && entry.path().extension().empty()) {
        found.push_back(entry.path());
      }
    }
  }
  std::ranges::sort(found);
  return found.empty() ? std::vector{folder} : found;
}

std::int64_t size_of(const io::CheckpointInfo& checkpoint) {
  return std::accumulate(checkpoint.parts.begin(), checkpoint.parts.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& part) { return sum + part.size_bytes; });
}

std::string text_at(const io::Metadata& metadata, const char* key) {
  if (!metadata.has(key) || metadata.at(key).is_null()) return "-";
  const auto text = io::to_json(metadata.at(key), /*compact=*/true);
  return text.starts_with('"') ? metadata.at(key).as_string() : text;
}

Json to_json(const io::CheckpointInfo& checkpoint) {
  Json parts = Json::array();
  for (const auto& part : checkpoint.parts) {
    parts.push_back({{"name", part.name}, {"bytes", part.size_bytes}, {"crc32c", part.crc32c}});
  }
  return {{"path", checkpoint.folder.string()},
          {"step", checkpoint.step},
          {"bytes", size_of(checkpoint)},
          {"parts", parts},
          {"metadata", Json::parse(io::to_json(checkpoint.metadata))}};
}

int info(const std::string& path, bool json) {
  Table table({{"checkpoint", Align::kLeft},
               {"step"},
               {"epoch"},
               {"shards"},
               {"size"},
               {"loss"},
               {"askos", Align::kLeft}});
  for (const auto& folder : find_checkpoints(path)) {
    const auto checkpoint = io::open_checkpoint(folder);
    if (json) {
      std::cout << to_json(checkpoint).dump() << "\n";
      continue;
    }
    const auto num_shards = std::ranges::count_if(
        checkpoint.parts, [](const auto& part) { return io::is_state_part(part.name); });
    std::ostringstream size;
    size << Bytes{size_of(checkpoint)};
    const auto& said = checkpoint.metadata;
    table.add({folder.filename().string(), std::to_string(checkpoint.step), text_at(said, "epoch"),
               std::to_string(num_shards), size.str(), text_at(said, "loss"),
               text_at(said, "askos")});
  }
  if (!json) {
    std::cout << table;
  }
  return 0;
}

/// Reads a checkpoint in full; returns what is wrong with it, part by part.
std::vector<Error> faults_of(const fs::path& folder) {
  std::vector<Error> faults;
  try {
    const auto checkpoint = io::open_checkpoint(folder);
    for (const auto& part : checkpoint.parts) {
      try {
        (void)io::read_part(checkpoint, part.name);
      } catch (const Error& fault) {
        faults.push_back(fault);
      }
    }
    if (faults.empty()) {
      io::check_format(checkpoint);
      (void)io::read_state(checkpoint);
    }
  } catch (const Error& fault) {
    faults.push_back(fault);
  }
  return faults;
}

int verify(const std::string& path, bool json) {
  bool ok = true;
  for (const auto& folder : find_checkpoints(path)) {
    const auto faults = faults_of(folder);
    if (json) {
      Json list = Json::array();
      for (const auto& fault : faults) {
        list.push_back({{"code", to_string(fault.code())}, {"what", fault.what()}});
      }
      std::cout << Json{{"path", folder.string()}, {"ok", faults.empty()}, {"faults", list}}.dump()
                << "\n";
    } else {
      std::cout << folder.string() << ": " << (faults.empty() ? "intact" : "faulty") << "\n";
    }
    for (const auto& fault : faults) {
      (void)report(fault);
    }
    ok = ok && faults.empty();
  }
  return ok ? 0 : exit_code(Errc::kCheckFailed);
}

std::vector<io::NamedArrayView> views_of(const std::vector<io::NamedArray>& arrays) {
  return {arrays.begin(), arrays.end()};
}

void to_file(const io::CheckpointInfo& checkpoint, const fs::path& out) {
  io::Metadata said = checkpoint.metadata;
  said["step"] = checkpoint.step;
  io::write_safetensors(out, views_of(io::read_state(checkpoint)),
                        {{kMetadataKey, io::to_json(said, /*compact=*/true)}});
}

/// Writes a run's folder with one checkpoint of one part.
void to_folder(const std::vector<io::NamedArray>& arrays, io::Metadata said, const fs::path& out) {
  said["format"] = io::kCheckpointFormat;
  fs::create_directories(out);
  io::CheckpointStore(out / "checkpoints")
      .write(
          said.at("step").as_integer(),
          {{.name = io::kWholeState,
            .write = [&](io::ByteSink& sink) { io::write_safetensors(sink, views_of(arrays)); }}},
          said);
}

int convert(const std::string& source, const std::string& out, bool json) {
  if (fs::is_regular_file(source)) {
    const auto file = io::read_safetensors(source);
    const auto said = file.metadata.find(kMetadataKey);
    if (said == file.metadata.end()) {
      throw Error(Errc::kInvalidInput, "file was not made from a checkpoint")
          .with("file", source)
          .with("expected", std::string("metadata ") + kMetadataKey);
    }
    to_folder(file.arrays, io::parse_json(said->second), out);
  } else {
    const auto checkpoint = io::open_checkpoint(find_checkpoints(source).back());
    io::check_format(checkpoint);
    if (fs::path(out).extension() == ".safetensors") {
      to_file(checkpoint, out);
    } else {
      io::Metadata said = checkpoint.metadata;
      said["step"] = checkpoint.step;
      to_folder(io::read_state(checkpoint), said, out);
    }
  }
  if (json) {
    std::cout << Json{{"from", source}, {"to", out}}.dump() << "\n";
  } else {
    std::cout << "wrote " << out << "\n";
  }
  return 0;
}

void add_reading(CLI::App& group,
                 const CommandLine& line,
                 const char* name,
                 const char* help,
                 const char* footer,
                 int (*action)(const std::string&, bool)) {
  auto& command = *group.add_subcommand(name, help);
  auto path = std::make_shared<std::string>();
  command.add_option("path", *path, "a checkpoint, or a run with all of its checkpoints")
      ->required();
  add_common_options(command, line.common);
  command.footer(footer);
  command.callback([&common = line.common, &chosen = line.action, path, action] {
    chosen = [&common, path, action] { return action(*path, common.json); };
  });
}

}  // namespace

void add_checkpoint(const CommandLine& line) {
  auto& group = *line.app.add_subcommand("checkpoint", "look at checkpoints, check, convert them");
  group.require_subcommand(1);
  add_reading(group, line, "info", "list checkpoints: step, shards, size, loss; all with --json",
              "Examples: askos checkpoint info runs/storm\n"
              "          askos checkpoint info runs/storm/checkpoints/step-000000000300 --json",
              info);
  add_reading(group, line, "verify", "read checkpoints in full and compare with their CRCs",
              "Example: askos checkpoint verify runs/storm\n"
              "Exit code 7: a checkpoint is not what was written; one line for each fault.",
              verify);
  auto& command = *group.add_subcommand(
      "convert", "to or from one safetensors file, or from shards to one part");
  auto source = std::make_shared<std::string>();
  auto out = std::make_shared<std::string>();
  command.add_option("source", *source, "a checkpoint, a run (its newest), or a file made so")
      ->required();
  command.add_option("--out", *out, "FILE.safetensors, or the folder of a run")->required();
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos checkpoint convert runs/storm --out storm.safetensors\n"
      "          askos checkpoint convert storm.safetensors --out runs/copy");
  command.callback([&common = line.common, &action = line.action, source, out] {
    action = [&common, source, out] { return convert(*source, *out, common.json); };
  });
}

}  // namespace askos::apps
