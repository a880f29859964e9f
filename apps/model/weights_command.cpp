// SPDX-License-Identifier: Apache-2.0
#include "command_line/table.hpp"
#include "commands.hpp"
#include "weights/weights_folder.hpp"

#include <askos/base/unit.hpp>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>
#include <sstream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

std::string shape_of(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

double root_mean_square(const at::Tensor& tensor) {
  return tensor.numel() == 0 ? 0 : tensor.to(at::kDouble).square().mean().sqrt().item<double>();
}

int info(const std::string& source, bool json) {
  const Weights weights = read_weights(source);
  std::int64_t num_values = 0;
  std::int64_t num_bytes = 0;
  Table table({{"tensor", Align::kLeft},
               {"shape", Align::kLeft},
               {"dtype", Align::kLeft},
               {"rms"},
               {"not finite"}});
  for (const auto& [name, tensor] : weights.tensors) {
    const auto bad = tensor.numel() - tensor.to(at::kDouble).isfinite().sum().item<std::int64_t>();
    num_values += tensor.numel();
    num_bytes += static_cast<std::int64_t>(tensor.nbytes());
    if (json) {
      const nlohmann::ordered_json line = {{"tensor", name},
                                           {"shape", tensor.sizes().vec()},
                                           {"dtype", c10::toString(tensor.scalar_type())},
                                           {"rms", root_mean_square(tensor)},
                                           {"not_finite", bad}};
      std::cout << line.dump() << "\n";
    } else {
      table.add({name, shape_of(tensor), c10::toString(tensor.scalar_type()),
                 fixed(root_mean_square(tensor), 4), std::to_string(bad)});
    }
  }
  if (!json) {
    std::cout << table << weights.source << ": " << weights.tensors.size() << " tensors, "
              << num_values << " values, " << Bytes{num_bytes} << "\n";
  }
  return 0;
}

void say_written(const Weights& weights, const std::string& out, bool json) {
  if (json) {
    const nlohmann::ordered_json line = {
        {"from", weights.source}, {"to", out}, {"tensors", weights.tensors.size()}};
    std::cout << line.dump() << "\n";
  } else {
    std::cout << "wrote " << weights.tensors.size() << " tensors of " << weights.source << " to "
              << out << "\n";
  }
}

struct ImportOptions {
  std::string source;
  std::string graph;
  std::string config;
  std::string out;
};

int import(const ImportOptions& options, bool json) {
  const fs::path source = options.source;
  const bool folder = fs::is_directory(source);
  const auto beside = folder ? source : source.parent_path();
  const ReferenceFiles files = {
      .weights = folder ? source / "weights.safetensors" : source,
      .graph = options.graph.empty() ? beside / "graph.safetensors" : fs::path(options.graph),
      .config = options.config.empty() ? beside / "model.json" : fs::path(options.config)};
  const Weights weights = import_weights(files);
  write_checkpoint(options.out, weights);
  say_written(weights, options.out, json);
  return 0;
}

int export_to(const std::string& source, const std::string& out, bool json) {
  const Weights weights = read_weights(source);
  write_reference_files(out, weights);
  say_written(weights, out, json);
  return 0;
}

void add_info(CLI::App& weights, const ModelLine& line) {
  auto& command = *weights.add_subcommand("info", "list tensors, shapes and what is not finite");
  auto source = std::make_shared<std::string>();
  command.add_option("source", *source, "safetensors file, checkpoint or run")->required();
  add_common_options(command, line.common);
  command.footer("Example: askos weights info runs/storm");
  command.callback([&common = line.common, &action = line.action, source] {
    action = [&common, source] { return info(*source, common.json); };
  });
}

void add_import(CLI::App& weights, const ModelLine& line) {
  auto& command = *weights.add_subcommand(
      "import", "check a reference's weights against its graph and keep them as a checkpoint");
  auto options = std::make_shared<ImportOptions>();
  command.add_option("source", options->source, "safetensors file, or folder with all three files")
      ->required();
  command.add_option("--graph", options->graph,
                     "graph.safetensors; else the one beside the weights");
  command.add_option("--config", options->config, "model.json; else the one beside the weights");
  command.add_option("--out", options->out, "folder for the checkpoint")->required();
  add_common_options(command, line.common);
  command.footer("Example: askos weights import tests/parity/base --out imported");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return import(*options, common.json); };
  });
}

void add_export(CLI::App& weights, const ModelLine& line) {
  auto& command = *weights.add_subcommand(
      "export", "write a checkpoint's weights under the reference's names as safetensors");
  auto source = std::make_shared<std::string>();
  auto out = std::make_shared<std::string>();
  command.add_option("source", *source, "checkpoint or run")->required();
  command.add_option("--out", *out, "folder to write to")->required();
  add_common_options(command, line.common);
  command.footer("Example: askos weights export runs/storm --out exported");
  command.callback([&common = line.common, &action = line.action, source, out] {
    action = [&common, source, out] { return export_to(*source, *out, common.json); };
  });
}

}  // namespace

void add_weights(const ModelLine& line) {
  auto& command = *line.app.add_subcommand("weights", "look at weights, import and export them");
  command.require_subcommand(1);
  add_info(command, line);
  add_import(command, line);
  add_export(command, line);
}

}  // namespace askos::apps
