// SPDX-License-Identifier: Apache-2.0
// What of synthetic stages can change while they run: values that only decide when they work. What
// the plan has proved (payloads, rates, threads) stays as it is.
#include "argument_list.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <algorithm>
#include <utility>

namespace askos::dataflow::synthetic {
namespace {

const StageType& type_named(const std::string& type) {
  static const StageCatalog catalog = [] {
    StageCatalog all;
    add_stage_types(all);
    return all;
  }();
  return *catalog.find(type);
}

/// Returns the stage's arguments with one replaced. Throws if the value is none for it, or if its
/// name is not among `hot`.
ArgumentValues with(const Stage& stage,
                    const std::string& name,
                    const Argument& value,
                    const std::vector<std::string>& hot) {
  if (std::ranges::find(hot, name) == hot.end()) {
    Error error(Errc::kNotFound, "argument cannot change while the stage runs");
    error.with("argument", name).with("can", list_names(hot));
    throw error;
  }
  const auto& specs = type_named(stage.type()).arguments;
  const auto faults = check_arguments(specs, Arguments{{name, value}}, "argument");
  if (!faults.empty()) throw faults.front();
  auto arguments = stage.arguments();
  arguments[name] = value;
  return complete(specs, std::move(arguments));
}

Argument present(const Stage& stage, const std::string& name) {
  const auto arguments = stage.arguments();
  const auto found = arguments.find(name);
  if (found != arguments.end()) return found->second;
  const auto& specs = type_named(stage.type()).arguments;
  return std::ranges::find(specs, name, &ArgumentSpec::name)->fallback;
}

/// The change of a stage with a service.
ArgumentChange change_service(const Stage& stage,
                              Service& service,
                              ServiceOptions& options,
                              const std::string& name,
                              const Argument& value) {
  const auto values = with(stage, name, value, {"service", "distribution", "spread"});
  const auto changed = service_options(values);
  (void)Service(changed);  // throws if it makes no sense
  return {.before = present(stage, name), .apply = [&service, &options, changed] {
            options = changed;
            service.change(changed);
          }};
}

}  // namespace

ArgumentChange Source::change_argument(const std::string& name, const Argument& value) {
  const auto values = with(*this, name, value, {"interval", "burst", "pause"});
  return {.before = present(*this, name), .apply = [this, values] {
            options_.interval = values.duration("interval");
            options_.burst = values.integer("burst");
            options_.pause = values.duration("pause");
          }};
}

ArgumentChange Work::change_argument(const std::string& name, const Argument& value) {
  return change_service(*this, service_, options_.service, name, value);
}

ArgumentChange FanOut::change_argument(const std::string& name, const Argument& value) {
  return change_service(*this, service_, options_.service, name, value);
}

ArgumentChange Join::change_argument(const std::string& name, const Argument& value) {
  return change_service(*this, service_, options_.service, name, value);
}

ArgumentChange Route::change_argument(const std::string& name, const Argument& value) {
  return change_service(*this, service_, options_.service, name, value);
}

ArgumentChange Merge::change_argument(const std::string& name, const Argument& value) {
  return change_service(*this, service_, options_.service, name, value);
}

ArgumentChange Sink::change_argument(const std::string& name, const Argument& value) {
  return change_service(*this, service_, options_.service, name, value);
}

}  // namespace askos::dataflow::synthetic
