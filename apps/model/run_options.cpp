// SPDX-License-Identifier: Apache-2.0
#include "run_options.hpp"

#include "command_line/common_options.hpp"
#include "command_line/stop_signal.hpp"
#include "command_line/table.hpp"
#include "device_option.hpp"
#include "run_config_file.hpp"
#include "run_processes.hpp"

#include <askos/base/error.hpp>
#include <askos/io/atomic_file.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/model/chunk_environment.hpp>
#include <askos/model/device.hpp>

#include <nlohmann/json.hpp>

#include <iostream>
#include <utility>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& text) {
  io::write_file_atomically(path, [&](io::ByteSink& sink) { sink.append(text); });
}

}  // namespace

void add_run_options(CLI::App& command, RunOptions& options, const std::string& source_help) {
  command.add_option("source", options.source, source_help)->type_name("PATH")->required();
  command
      .add_option(
          "--ranks", options.ranks,
          "ranks as threads of one process, instead of the configuration's; mpirun's\nprocesses "
          "are one rank each")
      ->check(CLI::Range(1, 1024));
  add_device_option(command, options.device);
  add_settings(command, options.settings);
}

actors::RunConfig load(const RunOptions& options, const RunProcesses& processes) {
  const fs::path source = options.source;
  const auto file = fs::is_directory(source) ? source / "config.toml" : source;
  auto settings = options.settings;
  if (processes.are_several() && options.ranks > 0) {
    throw Error(Errc::kUsage, "--ranks makes ranks of one process; here each process is one")
        .with("--ranks", options.ranks)
        .with("processes", processes.size());
  }
  if (processes.are_several()) {
    settings.push_back("run.ranks=" + std::to_string(processes.size()));
    if (processes.have_gpus()) settings.push_back("run.device=cuda");
  }
  if (options.ranks > 0) {
    settings.push_back("run.ranks=" + std::to_string(options.ranks));
  }
  if (processes.have_gpus() && options.device == "cpu") {
    throw Error(Errc::kUsage, "each of these processes was started for a GPU")
        .with("--device", options.device)
        .with("use", "askos launch without --gpus, or mpirun");
  }
  if (!options.device.empty()) {
    settings.push_back("run.device=" + options.device);
  }
  auto config = load_run_config(file, settings);
  if (fs::is_directory(source)) {
    config.run.folder = source;
  }
  config.run.folder = config.run.folder.lexically_normal();
  config.data.file = config.data.file.lexically_normal();
  config.model = model::with_environment_chunks(std::move(config.model));
  if (config.run.device == "cuda") (void)own_device(config, processes);
  return config;
}

c10::Device own_device(const actors::RunConfig& config, const RunProcesses& processes) {
  if (processes.have_gpus()) return model::find_device(config.run.device);
  return rank_device(config.run.device, config.run.ranks);
}

actors::RunHooks make_hooks(StopSignal& stop,
                            RunProcesses& processes,
                            std::shared_ptr<const actors::ProcessPlace> place) {
  actors::RunHooks hooks;
  hooks.place = std::move(place);
  hooks.stop_requested = [&stop] { return stop.arrived(); };
  hooks.on_session = [&processes](const dataflow::Session& session) {
    return processes.show(session);
  };
  return hooks;
}

void write_resolved(const actors::RunConfig& config) {
  std::error_code fault;
  fs::create_directories(config.run.folder, fault);
  if (fault) {
    throw Error(Errc::kEnvironment, "cannot make the run's folder")
        .with("folder", config.run.folder.string())
        .with("reason", fault.message());
  }
  write_file(config.run.folder / "config.toml", to_toml(config));
}

void print_scores(const actors::Evaluation& evaluation, bool json) {
  if (json) {
    for (const auto& score : evaluation.scores) {
      nlohmann::ordered_json line = {
          {"variable", score.variable},  {"unit", score.unit},
          {"lead_h", score.lead_hours},  {"cells", score.cells},
          {"rmse", score.rmse},          {"persistence_rmse", score.persistence_rmse},
          {"samples", score.num_samples}};
      if (score.spread > 0) {
        line["spread"] = score.spread;
        line["crps"] = score.crps;
      }
      std::cout << line.dump() << "\n";
    }
    return;
  }
  const bool is_ensemble = !evaluation.scores.empty() && evaluation.scores.front().spread > 0;
  std::vector<Table::Column> columns{{"variable", Align::kLeft},
                                     {"unit", Align::kLeft},
                                     {"lead"},
                                     {"cells", Align::kLeft},
                                     {"RMSE"},
                                     {"persistence"},
                                     {"change"},
                                     {"samples"}};
  if (is_ensemble) {
    columns.insert(columns.end(), {{"spread"}, {"CRPS"}});
  }
  Table table(columns);
  for (const auto& score : evaluation.scores) {
    const int digits = score.rmse >= 100 ? 1 : 3;
    std::vector<std::string> row{score.variable,
                                 score.unit,
                                 std::to_string(score.lead_hours) + " h",
                                 score.cells,
                                 fixed(score.rmse, digits),
                                 fixed(score.persistence_rmse, digits),
                                 fixed(100 * (score.rmse / score.persistence_rmse - 1), 1) + " %",
                                 std::to_string(score.num_samples)};
    if (is_ensemble) {
      row.insert(row.end(), {fixed(score.spread, digits), fixed(score.crps, digits)});
    }
    table.add(row);
  }
  std::cout << table;
}

void write_maps(const actors::RunConfig& config, const actors::Evaluation& evaluation) {
  const auto& map = evaluation.map;
  if (map.forecast.empty()) {
    return;
  }
  const auto index = io::DatasetIndex::open(config.data.file);
  const auto& info = index->info();
  nlohmann::json variables = nlohmann::json::array();
  const auto num_variables = map.forecast.size() / static_cast<std::size_t>(info.num_cells());
  for (std::size_t v = 0; v < num_variables; ++v) {
    const auto column = [&](const std::vector<float>& field) {
      std::vector<float> values;
      for (std::size_t i = v; i < field.size(); i += num_variables) {
        values.push_back(field[i]);
      }
      return values;
    };
    const auto position = info.variable_at(evaluation.scores.at(v).variable);
    const auto& variable = info.variables[static_cast<std::size_t>(position)];
    variables.push_back({{"name", variable.name},
                         {"unit", variable.unit},
                         {"truth", column(map.truth)},
                         {"forecast", column(map.forecast)}});
  }
  const double point_size = info.num_cells() < 2000 ? 4.5 : 2;
  const nlohmann::json maps = {{"date", io::format_time(map.valid)},
                               {"lead_h", map.lead_hours},
                               {"lat", info.latitudes},
                               {"lon", info.longitudes},
                               {"point_size", point_size},
                               {"variables", variables}};
  write_file(config.run.folder / "maps.json", maps.dump());
}

}  // namespace askos::apps
