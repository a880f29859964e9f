// SPDX-License-Identifier: Apache-2.0
#include "import_recipe.hpp"

#include "config/toml_reading.hpp"

#include <algorithm>
#include <sstream>

namespace askos::apps {
namespace {

/// Takes a time without quotes too, which TOML knows as such.
void read(const Place& place, std::optional<io::Time>& target) {
  const TomlValue& value = *place.value;
  std::ostringstream bare;
  if (value.is_offset_datetime() || value.is_local_datetime() || value.is_local_date()) {
    bare << value;
  } else {
    bare << place.text("a time such as '1996-01-05T06:00:00'");
  }
  target = place.parsed(io::parse_time, bare.str());
}

void read(const Place& place, std::optional<std::chrono::seconds>& target) {
  target = place.parsed(io::parse_step, place.text("a step such as '6h'"));
}

void read(const Place& place, io::MaskRule& target) {
  target = place.parsed(io::parse_mask_rule, place.text("the name of a rule"));
}

void read(const Place& place, io::VariableRole& target) {
  target = place.parsed(io::parse_role, place.text("the name of a role"));
}

void read(const Place& place, std::vector<io::ImportVariable>& target);

/// Reads the entries of one table by name; `finish` refuses those that nobody asked for.
class TableReader {
 public:
  /// `key` is the table's full key, empty for the whole file.
  explicit TableReader(Place table) : table_(std::move(table)) {
    if (!table_.value->is_table()) {
      throw table_.fault("a table");
    }
  }

  /// Returns where an entry stands if it is there.
  [[nodiscard]] std::optional<Place> find(const std::string& key) {
    known_.push_back(full(key));
    const auto& entries = table_.value->as_table();
    const auto found = entries.find(key);
    return found == entries.end() ? std::nullopt
                                  : std::optional(Place{&found->second, known_.back()});
  }

  template <typename Value>
  void read_optional(const std::string& key, Value& target) {
    if (const auto place = find(key)) {
      read(*place, target);
    }
  }

  template <typename Value>
  void read_required(const std::string& key, Value& target) {
    if (const auto place = find(key)) {
      read(*place, target);
    } else {
      missing_.push_back(full(key));
    }
  }

  /// An unknown key comes first: it may be the missing one, written wrongly.
  void finish() const {
    for (const auto& [key, value] : table_.value->as_table()) {
      if (std::ranges::find(known_, full(key)) == known_.end()) {
        refuse_key({&value, full(key)}, known_);
      }
    }
    if (!missing_.empty()) {
      throw Place{table_.value, missing_.front()}.locate(Error(Errc::kInvalidInput, "missing key"));
    }
  }

 private:
  [[nodiscard]] std::string full(const std::string& key) const {
    return table_.key.empty() ? key : table_.key + "." + key;
  }

  Place table_;
  std::vector<std::string> known_;
  std::vector<std::string> missing_;
};

/// Reads a table's entries by `entries(reader)`, if the table is there.
template <typename Entries>
void read_section(TableReader& parent, const std::string& key, Entries entries) {
  if (const auto place = parent.find(key)) {
    TableReader section(*place);
    entries(section);
    section.finish();
  }
}

io::ImportVariable read_variable(const Place& place) {
  TableReader table(place);
  io::ImportVariable variable;
  std::string file;  // relative to the folder of the data, not to that of the recipe
  table.read_required("name", variable.name);
  table.read_required("file", file);
  table.read_required("source", variable.source);
  table.read_optional("unit", variable.unit);
  table.read_optional("role", variable.role);
  table.read_optional("allow_nans", variable.allow_nans);
  table.read_optional("missing_value", variable.missing_value);
  table.read_optional("select", variable.select);
  table.finish();
  variable.file = file;
  return variable;
}

void read(const Place& place, std::vector<io::ImportVariable>& target) {
  if (!place.value->is_array()) {
    throw place.fault("one [[variables]] for each variable");
  }
  for (const auto& value : place.value->as_array()) {
    auto variable = read_variable({&value, place.key});
    if (std::ranges::find(target, variable.name, &io::ImportVariable::name) != target.end()) {
      throw Place{&value, place.key + ".name"}
          .locate(Error(Errc::kInvalidInput, "two variables have the same name"))
          .with("found", variable.name);
    }
    target.push_back(std::move(variable));
  }
}

}  // namespace

io::ImportRecipe load_import_recipe(const std::filesystem::path& file,
                                    const std::vector<std::string>& settings) {
  const TomlValue root = load_toml(file, settings);
  TableReader table({&root, ""});
  io::ImportRecipe recipe;
  recipe.folder = file.parent_path();
  table.read_optional("title", recipe.title);
  table.read_optional("source", recipe.source);
  table.read_optional("licence", recipe.licence);
  table.read_optional("folder", recipe.folder);
  table.read_optional("chunk_cells", recipe.chunk_cells);
  table.read_optional("uuid", recipe.uuid);
  read_section(table, "axes", [&](TableReader& axes) {
    axes.read_optional("time", recipe.axes.time);
    axes.read_optional("latitude", recipe.axes.latitude);
    axes.read_optional("longitude", recipe.axes.longitude);
  });
  read_section(table, "time", [&](TableReader& time) {
    time.read_optional("origin", recipe.time.origin);
    time.read_optional("step", recipe.time.step);
  });
  read_section(table, "mask", [&](TableReader& mask) { mask.read_optional("rule", recipe.mask); });
  read_section(table, "statistics", [&](TableReader& statistics) {
    statistics.read_optional("begin", recipe.statistics_begin);
    statistics.read_optional("end", recipe.statistics_end);
  });
  table.read_required("variables", recipe.variables);
  table.finish();
  return recipe;
}

}  // namespace askos::apps
