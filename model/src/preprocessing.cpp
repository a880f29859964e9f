// SPDX-License-Identifier: Apache-2.0
#include "faults.hpp"
#include "mappings.hpp"

#include <askos/model/preprocessing.hpp>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace askos::model {
namespace {

using Method = NormaliserConfig::Method;

std::int64_t position(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : found - names.begin();
}

/// Where the dataset's variable lies in a set, or -1.
std::int64_t within(const std::vector<std::int64_t>& set, std::int64_t variable) {
  const auto found = std::find(set.begin(), set.end(), variable);
  return found == set.end() ? -1 : found - set.begin();
}

struct Line {
  double factor = 1;
  double offset = 0;
};

Line line(Method method, const Statistics& statistics, std::size_t v) {
  switch (method) {
    case Method::kNone: return {};
    case Method::kMeanStd:
      return {1 / statistics.stdev[v], -statistics.mean[v] / statistics.stdev[v]};
    case Method::kStd: return {1 / statistics.stdev[v], 0};
    case Method::kMinMax: {
      const double range = statistics.maximum[v] - statistics.minimum[v];
      return {1 / range, -statistics.minimum[v] / range};
    }
    case Method::kMax: return {1 / statistics.maximum[v], 0};
  }
  return {};
}

double value_of(const Filling& filling, const Statistics& statistics, std::size_t v) {
  switch (filling.kind) {
    case Filling::Kind::kMinimum: return statistics.minimum[v];
    case Filling::Kind::kMaximum: return statistics.maximum[v];
    case Filling::Kind::kMean: return statistics.mean[v];
    case Filling::Kind::kStdev: return statistics.stdev[v];
    case Filling::Kind::kValue:
    case Filling::Kind::kCopy: break;
  }
  return filling.value;
}

std::vector<std::string> prefixes(const std::string& dataset, const std::string& name) {
  return {"pre_processors." + dataset + ".processors." + name + ".",
          "post_processors." + dataset + ".processors." + name + "."};
}

}  // namespace

Preprocessing::Preprocessing(std::vector<std::string> names,
                             const Variables& variables,
                             const Statistics& statistics,
                             const std::vector<Step>& steps)
    : names_(std::move(names)), all_(names_.size()) {
  Faults faults;
  const auto known = [&](const std::string& name, const std::string& what) {
    const std::int64_t v = position(names_, name);
    faults.check(v >= 0, what + " of '" + name + "', which is no variable of the dataset");
    return v;
  };
  std::iota(all_.begin(), all_.end(), std::int64_t{0});
  for (const auto& name : variables.input) input_.push_back(known(name, "input"));
  for (const auto& name : variables.output) output_.push_back(known(name, "output"));
  for (const auto* of :
       {&statistics.minimum, &statistics.maximum, &statistics.mean, &statistics.stdev}) {
    faults.check(of->size() == names_.size(), "statistics: one number per variable is needed");
  }
  faults.throw_if_any("preprocessing is not valid");

  const auto make_normaliser = [&](const NormaliserConfig& config) {
    for (const auto& [name, method] : config.methods) known(name, "normalisation");
    std::vector<double> factor;
    std::vector<double> offset;
    for (std::size_t v = 0; v < names_.size(); ++v) {
      const auto method = config.methods.find(names_[v]);
      const auto source = config.remap.find(names_[v]);
      const std::int64_t from = source == config.remap.end() ? static_cast<std::int64_t>(v)
                                                             : known(source->second, "remap");
      if (from < 0) continue;
      const Line found = line(method == config.methods.end() ? config.method : method->second,
                              statistics, static_cast<std::size_t>(from));
      faults.check(std::isfinite(found.factor) && std::isfinite(found.offset),
                   "statistics of '" + names_[v] + "' cannot scale it");
      factor.push_back(found.factor);
      offset.push_back(found.offset);
    }
    for (const auto& [name, source] : config.remap) known(name, "remap");
    processors_.emplace_back(Normaliser{.name = config.name,
                                        .factor = at::tensor(factor, at::kDouble).to(at::kFloat),
                                        .offset = at::tensor(offset, at::kDouble).to(at::kFloat)});
  };
  const auto make_imputer = [&](const ImputerConfig& config) {
    std::vector<Replacement> replacements;
    for (std::size_t v = 0; v < names_.size(); ++v) {
      const auto filling = config.fillings.find(names_[v]);
      if (filling == config.fillings.end()) continue;
      const bool copies = filling->second.kind == Filling::Kind::kCopy;
      replacements.push_back({.variable = static_cast<std::int64_t>(v),
                              .value = value_of(filling->second, statistics, v),
                              .from = copies ? known(filling->second.from, "copy") : -1});
    }
    for (const auto& [name, filling] : config.fillings) known(name, "imputation");
    processors_.emplace_back(std::move(replacements));
  };
  const auto make_remapper = [&](const RemapperConfig& config) {
    std::vector<Mapped> mappings;
    for (const auto& [name, mapping] : config.mappings) {
      check_mapping(faults, name, mapping);
      mappings.push_back({known(name, "mapping"), mapping});
    }
    processors_.emplace_back(std::move(mappings));
  };
  for (const Step& step : steps) {
    if (const auto* normaliser = std::get_if<NormaliserConfig>(&step)) {
      make_normaliser(*normaliser);
    } else if (const auto* remapper = std::get_if<RemapperConfig>(&step)) {
      make_remapper(*remapper);
    } else {
      make_imputer(std::get<ImputerConfig>(step));
    }
  }
  faults.throw_if_any("preprocessing is not valid");
}

const std::vector<std::int64_t>& Preprocessing::positions(VariableSet set) const noexcept {
  switch (set) {
    case VariableSet::kAll: return all_;
    case VariableSet::kInput: return input_;
    case VariableSet::kOutput: return output_;
  }
  return all_;
}

void Preprocessing::fill(at::Tensor& x,
                         const std::vector<Replacement>& replacements,
                         VariableSet set) const {
  const auto& variables = positions(set);
  for (const Replacement& replacement : replacements) {
    const std::int64_t v = within(variables, replacement.variable);
    if (v < 0) continue;
    const at::Tensor values = x.select(-1, v);
    if (replacement.from < 0) {
      values.masked_fill_(values.isnan(), replacement.value);
      continue;
    }
    const std::int64_t from = within(variables, replacement.from);
    if (from < 0) {
      throw Error(Errc::kInvalidInput, "variable to copy from is not at hand")
          .with("variable", names_[static_cast<std::size_t>(replacement.variable)])
          .with("from", names_[static_cast<std::size_t>(replacement.from)]);
    }
    values.copy_(at::where(values.isnan(), x.select(-1, from), values));
  }
}

void Preprocessing::map(at::Tensor& x, const std::vector<Mapped>& mappings, VariableSet set) const {
  for (const Mapped& mapped : mappings) {
    const std::int64_t v = within(positions(set), mapped.variable);
    if (v < 0) continue;
    const at::Tensor values = x.select(-1, v);
    if (!can_map(mapped.mapping, values)) {
      throw Error(Errc::kInvalidInput, "a value is beyond what its mapping takes")
          .with("variable", names_[static_cast<std::size_t>(mapped.variable)])
          .with("smallest", at::nan_to_num(values).min().item<double>())
          .with("largest", at::nan_to_num(values).max().item<double>());
    }
    values.copy_(mapped_values(mapped.mapping, values));
  }
}

Preprocessing::Processed Preprocessing::apply(const at::Tensor& raw, VariableSet set) const {
  const auto& variables = positions(set);
  if (raw.dim() != 4 || raw.size(3) != static_cast<std::int64_t>(variables.size())) {
    throw Error(Errc::kShapeMismatch, "fields need [batch, time, node, variable]")
        .with("variables", variables.size())
        .with("axes", raw.dim());
  }
  Processed processed = {.x = raw.clone(), .missing = {}};
  const at::Tensor index = at::tensor(variables, at::kLong);
  for (const Processor& processor : processors_) {
    if (const auto* normaliser = std::get_if<Normaliser>(&processor)) {
      processed.x.mul_(normaliser->factor.index_select(0, index).to(raw.dtype()))
          .add_(normaliser->offset.index_select(0, index).to(raw.dtype()));
    } else if (const auto* mappings = std::get_if<std::vector<Mapped>>(&processor)) {
      map(processed.x, *mappings, set);
    } else {
      processed.missing.push_back(processed.x.select(1, 0).isnan());
      fill(processed.x, std::get<std::vector<Replacement>>(processor), set);
    }
  }
  const at::Tensor left = processed.x.isnan().flatten(0, 2).any(0);
  if (left.any().item<bool>()) {
    const auto v = left.to(at::kLong).argmax().item<std::int64_t>();
    throw Error(Errc::kInvalidInput, "a value is missing that no imputer replaces")
        .with("variable", names_[static_cast<std::size_t>(variables[static_cast<std::size_t>(v)])]);
  }
  return processed;
}

at::Tensor Preprocessing::undo(const at::Tensor& y,
                               const std::vector<at::Tensor>& missing,
                               VariableSet set) const {
  at::Tensor raw = y.detach().clone();
  const at::Tensor index = at::tensor(output_, at::kLong);
  auto mask = missing.rbegin();
  for (auto processor = processors_.rbegin(); processor != processors_.rend(); ++processor) {
    if (const auto* normaliser = std::get_if<Normaliser>(&*processor)) {
      raw.sub_(normaliser->offset.index_select(0, index).to(raw.dtype()))
          .div_(normaliser->factor.index_select(0, index).to(raw.dtype()));
      continue;
    }
    if (const auto* mappings = std::get_if<std::vector<Mapped>>(&*processor)) {
      for (const Mapped& mapped : *mappings) {
        const std::int64_t v = within(output_, mapped.variable);
        if (v < 0) continue;
        const at::Tensor values = raw.select(-1, v);
        values.copy_(unmapped_values(mapped.mapping, values));
      }
      continue;
    }
    if (mask == missing.rend()) continue;
    for (const auto& replacement : std::get<std::vector<Replacement>>(*processor)) {
      const std::int64_t from = within(positions(set), replacement.variable);
      const std::int64_t to = within(output_, replacement.variable);
      // A diagnostic variable is no input: where the model gives it, it is not missing.
      if (from < 0 || to < 0 || within(input_, replacement.variable) < 0) continue;
      raw.select(-1, to).masked_fill_(mask->select(-1, from).unsqueeze(1),
                                      std::numeric_limits<double>::quiet_NaN());
    }
    ++mask;
  }
  return raw;
}

at::Tensor Preprocessing::loss_mask(const std::vector<at::Tensor>& missing, VariableSet set) const {
  if (missing.empty()) return at::ones({1, 1, 1, 1}, at::kDouble);
  at::Tensor factor = at::ones(
      {missing[0].size(0), 1, missing[0].size(1), static_cast<std::int64_t>(output_.size())},
      at::kDouble);
  auto mask = missing.begin();
  for (const Processor& processor : processors_) {
    const auto* replacements = std::get_if<std::vector<Replacement>>(&processor);
    if (replacements == nullptr) continue;
    for (const Replacement& replacement : *replacements) {
      const std::int64_t from = within(positions(set), replacement.variable);
      const std::int64_t to = within(output_, replacement.variable);
      if (from < 0 || to < 0) continue;
      factor.select(-1, to).masked_fill_(mask->select(-1, from).unsqueeze(1), 0);
    }
    ++mask;
  }
  return factor;
}

NamedTensors Preprocessing::state(const std::string& dataset) const {
  NamedTensors state;
  for (const Processor& processor : processors_) {
    const auto* normaliser = std::get_if<Normaliser>(&processor);
    if (normaliser == nullptr) continue;  // imputers have none
    for (const auto& prefix : prefixes(dataset, normaliser->name)) {
      state[prefix + "_norm_mul"] = normaliser->factor.clone();
      state[prefix + "_norm_add"] = normaliser->offset.clone();
      state[prefix + "_input_idx"] = at::tensor(input_, at::kInt);
      state[prefix + "_output_idx"] = at::tensor(output_, at::kInt);
      state[prefix + "_model_output_idx"] = at::tensor(output_, at::kInt);
    }
  }
  return state;
}

void Preprocessing::load_state(const std::string& dataset, const NamedTensors& state) {
  std::vector<Processor> loaded = processors_;
  Faults faults;
  for (Processor& processor : loaded) {
    auto* normaliser = std::get_if<Normaliser>(&processor);
    if (normaliser == nullptr) continue;
    const std::string prefix = prefixes(dataset, normaliser->name)[0];
    const auto take = [&](const std::string& name, at::Tensor& target) {
      const auto found = state.find(prefix + name);
      const bool fits = found != state.end() && found->second.sizes() == target.sizes();
      faults.check(fits, prefix + name);
      if (fits) target = found->second.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    };
    take("_norm_mul", normaliser->factor);
    take("_norm_add", normaliser->offset);
  }
  faults.throw_if_any("state lacks tensors of the preprocessing, or they are misshapen");
  processors_ = std::move(loaded);
}

at::Tensor predict_physical(const Network& network,
                            const Preprocessing& preprocessing,
                            const at::Tensor& raw,
                            const ForwardOptions& options) {
  const auto processed = preprocessing.apply(raw, VariableSet::kInput);
  const at::Tensor x = processed.x.to(network.parameters().options());
  return preprocessing.undo(network.predict(x, options).cpu(), processed.missing,
                            VariableSet::kInput);
}

}  // namespace askos::model
