// SPDX-License-Identifier: Apache-2.0
#include "command_line/progress_line.hpp"
#include "command_line/stop_signal.hpp"
#include "commands.hpp"
#include "import_recipe.hpp"

#include <askos/base/error.hpp>
#include <askos/base/unit.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;

struct ImportOptions {
  std::string recipe;
  std::string out;
  std::vector<std::string> settings;
};

std::int64_t row_of(const io::ImportReport& report, io::Time time) {
  return (time - report.first_time) / report.step;
}

Json to_json(const io::ImportReport& report) {
  Json missing = Json::array();
  for (const io::Time time : report.missing_rows) {
    missing.push_back({{"row", row_of(report, time)}, {"time", io::format_time(time)}});
  }
  return {{"path", report.path.string()},
          {"rows", report.num_rows},
          {"first_time", io::format_time(report.first_time)},
          {"step", io::format_step(report.step)},
          {"variables", report.num_variables},
          {"cells", report.num_cells},
          {"grid_cells", report.num_grid_cells},
          {"missing_rows", missing},
          {"bytes", report.size_bytes}};
}

void print(const io::ImportReport& report) {
  std::cout << report.path.string() << ": " << report.num_rows << " rows, one each "
            << io::format_step(report.step) << " from " << io::format_time(report.first_time)
            << "\n  " << report.num_variables << " variables, " << report.num_cells << " of "
            << report.num_grid_cells << " grid cells, " << Bytes{report.size_bytes} << "\n";
  for (const io::Time time : report.missing_rows) {
    std::cout << "  missing row " << row_of(report, time) << ": " << io::format_time(time) << "\n";
  }
}

/// Shows how far an import is, and gives it up after a signal.
class ImportProgress {
 public:
  ImportProgress(std::string out, bool quiet) : out_(std::move(out)), quiet_(quiet) {}

  void operator()(std::string_view phase, std::int64_t done, std::int64_t total) {
    if (stop_.arrived()) {
      throw Error(Errc::kEnvironment, "import was stopped by a signal; nothing is left of it")
          .with("file", out_);
    }
    const Nanoseconds now = steady_clock().now();
    if (quiet_ || now - shown_at_ < line_.interval()) {
      return;
    }
    shown_at_ = now;
    line_.show(progress_bar(done, total) + "  " + std::string(phase) + "  " + std::to_string(done) +
               "/" + std::to_string(total));
  }

  /// The bar has done its duty.
  void clear() { line_.clear(); }

 private:
  std::string out_;
  bool quiet_;
  StopSignal stop_;
  ProgressLine line_;
  Nanoseconds shown_at_ = steady_clock().now();
};

/// A fault of no file in particular is one of what the recipe asks for.
io::ImportReport import_as(const ImportOptions& options, const io::Progress& progress) {
  const auto recipe = load_import_recipe(options.recipe, options.settings);
  try {
    return io::import_netcdf(recipe, options.out, io::system_file_operations(), progress);
  } catch (Error& error) {
    const auto names_file = [](const auto& entry) { return entry.first == "file"; };
    if (std::ranges::none_of(error.values(), names_file)) {
      error.with("recipe", options.recipe);
    }
    throw;
  }
}

int import(const ImportOptions& options, bool json) {
  io::ImportReport report;
  {
    ImportProgress progress(options.out, json);
    report = import_as(options, std::ref(progress));
    progress.clear();
  }
  if (json) {
    std::cout << to_json(report).dump() << "\n";
  } else {
    print(report);
  }
  return 0;
}

}  // namespace

void add_import(const CommandLine& line) {
  auto& command =
      *line.app.add_subcommand("import", "turn NetCDF files into a dataset, as a recipe says");
  auto options = std::make_shared<ImportOptions>();
  command.add_option("recipe", options->recipe, "which variables of which files, and where (TOML)")
      ->type_name("RECIPE.toml")
      ->required();
  command.add_option("--out", options->out, "the dataset, replaced if it is there")
      ->type_name("FILE.h5")
      ->required();
  add_settings(command, options->settings);
  add_common_options(command, line.common);
  command.footer(
      "Example: askos import examples/storm/import.toml --out storm.h5\n"
      "The dataset appears when it is complete and has been checked; after a fault or Ctrl-C (exit "
      "code 6) there is none.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return import(*options, common.json); };
  });
}

}  // namespace askos::apps
