// SPDX-License-Identifier: Apache-2.0
#include "parity/ranks.hpp"
#include "parity/training_case.hpp"

#include <askos/base/error.hpp>
#include <askos/io/normaliser.hpp>

#include <ATen/ATen.h>

#include <limits>

namespace askos::apps {
namespace {

/// Returns scale and offset of every variable of the dataset, from the file's statistics.
std::vector<io::Affine> read_normaliser(const JsonObject& json,
                                        const TensorFile& file,
                                        const std::vector<std::string>& names) {
  const auto statistic = [&](const char* name) {
    return doubles(file.at(std::string("statistics.") + name, 1));
  };
  const auto mean = statistic("mean");
  const auto stdev = statistic("stdev");
  const auto minimum = statistic("minimum");
  const auto maximum = statistic("maximum");
  if (mean.size() != names.size()) {
    throw Error(Errc::kShapeMismatch, "statistics do not have one value per variable")
        .with("file", file.path().string())
        .with("variables", names.size());
  }
  io::DatasetInfo info;
  for (std::size_t v = 0; v < names.size(); ++v) {
    io::VariableInfo variable;
    variable.name = names[v];
    variable.statistics.mean = mean[v];
    variable.statistics.stdev = stdev[v];
    variable.statistics.minimum = minimum[v];
    variable.statistics.maximum = maximum[v];
    info.variables.push_back(variable);
  }
  auto by_default = io::Normalisation::kMeanStd;
  std::map<std::string, io::Normalisation> methods;
  const nlohmann::json& value = json.at("normalizer");
  const JsonObject normalizer = json.object("normalizer");
  for (const auto& [method, entry] : value.items()) {
    if (method == "default") {
      by_default = io::parse_normalisation(normalizer.get<std::string>(method));
      continue;
    }
    const auto parsed = io::parse_normalisation(method);
    for (const auto& name : normalizer.get<std::vector<std::string>>(method)) {
      methods[name] = parsed;
    }
  }
  return io::make_normaliser(info, by_default, methods);
}

/// Returns one number of each line as a tensor [variable] in the order of `positions`.
at::Tensor row(const std::vector<io::Affine>& lines,
               double io::Affine::* part,
               const at::Tensor& positions) {
  std::vector<double> values;
  for (const auto& line : lines) {
    values.push_back(line.*part);
  }
  return at::tensor(values, at::kDouble).index_select(0, positions);
}

}  // namespace

void run_prediction(const ModelCase& model,
                    const std::filesystem::path& folder,
                    const JsonObject& json,
                    const ParityOptions& options,
                    std::vector<Comparison>& rows) {
  json.ignore({"raw", "prediction", "model_prefix_in_interface_state", "other_state_names"});
  const JsonObject description(model.json, (model.folder / "model.json").string() + ": ");
  const JsonObject variables = description.object("variables");
  const TensorFile file(folder / "predict.safetensors");
  const auto lines =
      read_normaliser(json, file, variables.get<std::vector<std::string>>("dataset_order"));
  json.refuse_unread();
  const auto positions = [&](const char* name) {
    return at::tensor(variables.get<std::vector<std::int64_t>>(name), at::kLong);
  };
  const at::Tensor all = at::arange(static_cast<std::int64_t>(lines.size()), at::kLong);
  const std::string state =
      "state.pre_processors." + model.config.data_name + ".processors.normalizer.";
  for (const auto& [name, part] :
       {std::pair{"_norm_mul", &io::Affine::scale}, std::pair{"_norm_add", &io::Affine::offset}}) {
    if (!file.has(state + name)) continue;
    const at::Tensor& stored = file.at(state + name, 1);
    // The reference keeps them in float32.
    rows.push_back(compare(std::string("predict.normalizer") + name, row(lines, part, all), stored,
                           1e-6 * max_abs(stored)));
  }

  const auto dtype = options.dtype == DType::kFloat64 ? at::kDouble : at::kFloat;
  const at::Tensor in = positions("data_input_full");
  const at::Tensor out = positions("data_output_full");
  const at::Tensor x = (file.at("raw", 4).to(at::kDouble) * row(lines, &io::Affine::scale, in) +
                        row(lines, &io::Affine::offset, in))
                           .to(dtype);
  std::vector<at::Tensor> y(static_cast<std::size_t>(options.num_ranks));
  const auto config = with_layout(model.config, make_layout(model, options));
  run_ranks(options.num_ranks, [&](comm::Communicator& ranks) {
    model::Network network(config, model.graph, ranks, {.float64 = dtype == at::kDouble});
    network.parameters().load(model.weights);
    const comm::Range own = network.own_data();
    y[static_cast<std::size_t>(ranks.rank())] =
        network.predict(x.narrow(2, own.begin, own.size()).contiguous());
  });
  const at::Tensor scale = row(lines, &io::Affine::scale, out);
  const at::Tensor physical =
      (at::cat(y, 2).to(at::kDouble) - row(lines, &io::Affine::offset, out)) / scale;
  const at::Tensor reference = file.at("prediction", 5).squeeze(2);
  // In units of the normalised output, plus what float32 keeps of the stored physical value.
  const double tolerance = description.object("tolerance").get<double>("y_max_abs");
  for (std::int64_t v = 0; v < physical.size(3); ++v) {
    const double rounding = std::numeric_limits<float>::epsilon() * max_abs(reference.select(3, v));
    rows.push_back(
        compare("predict." + model.config.variables.output.at(static_cast<std::size_t>(v)),
                physical.select(3, v), reference.select(3, v),
                tolerance / std::abs(scale[v].item<double>()) + rounding));
  }
}

}  // namespace askos::apps
