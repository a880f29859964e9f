// SPDX-License-Identifier: Apache-2.0
// Writes a dataset of made-up fields on evenly spread points of the globe, waves that travel east,
// for trainings that are measured and not judged.
//
//   make_dataset FILE [--cells N] [--variables N] [--rows N]
//
// The defaults are those of O96 with 100 variables: 40 320 cells, 40 rows, 0.6 GB.
// example: make_dataset n320.h5 --cells 542080 --rows 24
#include <askos/base/error.hpp>
#include <askos/io/dataset_writer.hpp>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <numbers>
#include <string>
#include <vector>

namespace {

using namespace askos;  // NOLINT(google-build-using-namespace): a program, not a header

struct Sizes {
  std::int64_t cells = 40'320;
  std::int64_t variables = 100;
  std::int64_t rows = 40;
};

/// Points on a spiral from north to south, each for the same area; degrees.
void spread(io::DatasetInfo& info, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double rank = static_cast<double>(i) + 0.5;
    const double turns = std::numbers::phi * rank;
    info.latitudes.push_back(std::asin(1 - 2 * rank / static_cast<double>(count)) * 180 /
                             std::numbers::pi);
    info.longitudes.push_back(360 * (turns - std::floor(turns)));
  }
}

io::DatasetInfo describe(const Sizes& sizes) {
  io::DatasetInfo info;
  info.title = "waves that travel east";
  for (std::int64_t v = 0; v < sizes.variables; ++v) {
    io::VariableInfo variable;
    variable.name = std::string("v").append(std::to_string(v));
    info.variables.push_back(variable);
  }
  info.first_time = io::parse_time("2000-01-01");
  info.step = std::chrono::hours(6);
  info.num_rows = sizes.rows;
  spread(info, sizes.cells);
  return info;
}

/// [variable, cell]
std::vector<float> waves(const io::DatasetInfo& info, std::int64_t row) {
  constexpr double kDegree = std::numbers::pi / 180;
  std::vector<float> values;
  values.reserve(info.variables.size() * info.latitudes.size());
  for (std::size_t v = 0; v < info.variables.size(); ++v) {
    const double number = 1 + static_cast<double>(v % 7);
    const double phase = 0.7 * static_cast<double>(v) - 0.2 * static_cast<double>(row);
    for (std::size_t c = 0; c < info.latitudes.size(); ++c) {
      const double wave = std::sin(number * info.longitudes[c] * kDegree + phase);
      values.push_back(static_cast<float>(wave * std::cos(info.latitudes[c] * kDegree)));
    }
  }
  return values;
}

void write(const std::string& file, const Sizes& sizes) {
  const auto info = describe(sizes);
  io::DatasetWriter writer(file, info);
  io::ShardWriter shard(writer.plan(), {0, sizes.cells});
  for (std::int64_t row = 0; row < sizes.rows; ++row) shard.write_row(row, waves(info, row));
  const io::ShardResult result = shard.finish();
  writer.finish({&result, 1});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes a dataset of made-up fields on evenly spread points of the globe.");
  std::string file;
  Sizes sizes;
  app.add_option("FILE", file, "the dataset to write")->required();
  app.add_option("--cells", sizes.cells, "points")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--variables", sizes.variables)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--rows", sizes.rows, "times, six hours apart")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.footer("example: make_dataset n320.h5 --cells 542080 --rows 24");
  CLI11_PARSE(app, argc, argv);
  try {
    write(file, sizes);
    return 0;
  } catch (const Error& error) {
    std::cerr << "make_dataset: " << error.what() << "\n";
    return exit_code(error.code());
  }
}
