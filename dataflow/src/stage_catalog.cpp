// SPDX-License-Identifier: Apache-2.0
#include "argument_list.hpp"

#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/stage_catalog.hpp>

#include <algorithm>
#include <sstream>

namespace askos::dataflow {
namespace {

/// Appends `text` to `out`, broken at spaces so that no line passes 100 columns.
void append_wrapped(std::string& out, const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::size_t column = indent;
  for (std::string word; words >> word; column += word.size() + 1) {
    if (column > indent && column + word.size() + 1 > 100) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
    }
    out += word;
  }
  out += '\n';
}

}  // namespace

void StageCatalog::add(StageType type) {
  ASKOS_CHECK(find(type.name) == nullptr);
  types_.push_back(std::move(type));
}

const StageType* StageCatalog::find(std::string_view type) const noexcept {
  const auto found = std::ranges::find(types_, type, &StageType::name);
  return found == types_.end() ? nullptr : &*found;
}

std::vector<Error> StageCatalog::check(std::string_view type, const Arguments& arguments) const {
  std::vector<Error> faults;
  const StageType* known = find(type);
  if (known == nullptr) {
    Error& fault = faults.emplace_back(Errc::kNotFound, "unknown stage type");
    fault.with("type", type);
    std::vector<std::string> names;
    std::ranges::transform(types_, std::back_inserter(names), &StageType::name);
    suggest(fault, type, names);
    return faults;
  }
  faults = check_arguments(known->arguments, arguments, "argument");
  for (Error& fault : faults) {
    fault.with("type", type);
  }
  return faults;
}

std::unique_ptr<Stage> StageCatalog::make(std::string_view type, const Arguments& arguments) const {
  if (const auto faults = check(type, arguments); !faults.empty()) {
    throw faults.front();
  }
  const StageType& known = *find(type);
  return known.make(complete(known.arguments, arguments));
}

std::string StageCatalog::help() const {
  constexpr std::size_t kColumn = 38;
  std::string text;
  for (const auto& type : types_) {
    std::string head = "  " + type.name;
    head.resize(std::max<std::size_t>(head.size() + 2, 14), ' ');
    text += head;
    append_wrapped(text, type.help, head.size());
    for (const auto& spec : type.arguments) {
      std::string line = "    " + spec.name + " = " + to_toml(spec.fallback);
      line.resize(std::max(line.size() + 2, kColumn), ' ');
      text += line;
      const std::string choices =
          spec.choices.empty() ? "" : " (one of " + list_names(spec.choices) + ")";
      append_wrapped(text, spec.help + choices, kColumn);
    }
  }
  return text;
}

}  // namespace askos::dataflow
