// SPDX-License-Identifier: Apache-2.0
// A training so small that a drill takes about a second: 40 cells, 2 variables, 8 channels.
#pragma once

#include "apps/support/program.hpp"
#include "io/datasets.hpp"

#include <askos/io/metadata.hpp>

#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace askos::apps {

inline constexpr const char* kTinyConfig =
    R"(data = { file = "data.h5", input_steps = 1, train_rows = [0, 12], test_rows = [12, 16] }
graph = { hidden_nodes = 10, encoder_neighbours = 3, processor_neighbours = 3, decoder_neighbours = 2 }
model = { channels = 8, heads = 2, layers = 1, dtype = "float64" }
)";

/// What a run has recorded of one step.
struct RecordedStep {
  std::vector<std::string> samples;
  double loss = 0;

  bool operator==(const RecordedStep&) const = default;
};

class TinyRun {
 public:
  TinyRun() {
    io::write_dataset(folder_.path() / "data.h5",
                      io::describe({.rows = 16, .variables = 2, .cells = 40, .chunk_cells = 10}));
  }

  /// Writes `NAME.toml`, whose run goes into the folder `NAME`; `more` is added to the file.
  /// Returns its path.
  std::string write_config(const std::string& name, const std::string& more = "") const {
    return folder_.write(
        name + ".toml",
        kTinyConfig +
            ("training = { steps = 12, batch_size = 3, warmup_steps = 2 }\nrun = { folder = \"" +
             name + "\", ranks = 2, threads_per_rank = 1, checkpoint_every = 2, " +
             "deadline = \"5 s\" }\n" + more));
  }

  [[nodiscard]] Ended run(const std::vector<std::string>& arguments) const {
    return Program(program_beside_this("askos"), arguments, folder_.path()).wait();
  }

  /// The steps that the run `name` has recorded; of one that was made twice, the later one.
  [[nodiscard]] std::map<std::int64_t, RecordedStep> steps(const std::string& name) const {
    std::map<std::int64_t, RecordedStep> steps;
    std::ifstream file(folder_.path() / name / "metrics.jsonl");
    for (std::string line; std::getline(file, line) && !file.eof();) {
      const auto record = io::parse_json(line);
      if (record.at("event").as_string() != "step") continue;
      RecordedStep step{.samples = {}, .loss = record.at("loss").as_double()};
      for (const auto& sample : record.at("samples").as_array()) {
        step.samples.push_back(sample.as_string());
      }
      steps[record.at("step").as_integer()] = step;
    }
    return steps;
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

}  // namespace askos::apps
