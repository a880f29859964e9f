// SPDX-License-Identifier: Apache-2.0
#include "argument_list.hpp"

#include <askos/base/nearest_name.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace askos::dataflow {
namespace {

std::string describe(const Argument& value) {
  static constexpr std::array<const char*, 4> kKinds{"flag", "integer", "number", "text"};
  return to_toml(value) + " (" + kKinds[value.index()] + ")";
}

bool has_kind(const Argument& value, ArgumentKind kind) {
  switch (kind) {
    case ArgumentKind::kFlag: return std::holds_alternative<bool>(value);
    case ArgumentKind::kInteger: return std::holds_alternative<std::int64_t>(value);
    case ArgumentKind::kNumber:
      return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
    case ArgumentKind::kText:
    case ArgumentKind::kDuration: return std::holds_alternative<std::string>(value);
    case ArgumentKind::kBytes:
      return std::holds_alternative<std::int64_t>(value) ||
             std::holds_alternative<std::string>(value);
  }
  return false;
}

double as_number(const Argument& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
}

/// Throws what is wrong with one value, without saying which argument it is.
void check_value(const ArgumentSpec& spec, const Argument& value) {
  if (!has_kind(value, spec.kind)) {
    throw Error(Errc::kInvalidInput, "value of the wrong kind")
        .with("expected", to_string(spec.kind))
        .with("found", describe(value));
  }
  switch (spec.kind) {
    case ArgumentKind::kInteger:
    case ArgumentKind::kNumber:
      if (!(as_number(value) >= static_cast<double>(spec.minimum))) {
        throw Error(Errc::kInvalidInput, "value below its minimum")
            .with("minimum", spec.minimum)
            .with("found", to_toml(value));
      }
      break;
    case ArgumentKind::kText:
      if (!spec.choices.empty() &&
          std::ranges::find(spec.choices, std::get<std::string>(value)) == spec.choices.end()) {
        Error error(Errc::kInvalidInput, "value is not one of the choices");
        error.with("found", std::get<std::string>(value)).with("choices", list_names(spec.choices));
        throw error;
      }
      break;
    case ArgumentKind::kDuration: (void)parse_duration(std::get<std::string>(value)); break;
    case ArgumentKind::kBytes:
      if (const auto* whole = std::get_if<std::int64_t>(&value); whole != nullptr && *whole < 0) {
        throw Error(Errc::kInvalidInput, "value below its minimum")
            .with("minimum", 0)
            .with("found", *whole);
      } else if (whole == nullptr) {
        (void)parse_bytes(std::get<std::string>(value));
      }
      break;
    case ArgumentKind::kFlag: break;
  }
}

const Argument& value_of(const Arguments& values, const std::string& name) {
  const auto found = values.find(name);
  ASKOS_CHECK(found != values.end());
  return found->second;
}

template <typename T>
const T& value_as(const Arguments& values, const std::string& name) {
  const auto* value = std::get_if<T>(&value_of(values, name));
  ASKOS_CHECK(value != nullptr);
  return *value;
}

/// Prints the shortest text that reads back as the same double; TOML wants a point or an exponent.
std::string quote_number(double number) {
  std::array<char, 32> text{};
  const auto [end, fault] = std::to_chars(text.data(), text.data() + text.size(), number);
  ASKOS_CHECK(fault == std::errc{});
  std::string printed(text.data(), end);
  if (printed.find_first_not_of("-0123456789") == std::string::npos) {
    printed += ".0";
  }
  return printed;
}

std::string quote(const std::string& text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace

std::string_view to_string(ArgumentKind kind) noexcept {
  switch (kind) {
    case ArgumentKind::kFlag: return "flag (true or false)";
    case ArgumentKind::kInteger: return "integer";
    case ArgumentKind::kNumber: return "number";
    case ArgumentKind::kText: return "text";
    case ArgumentKind::kDuration: return "duration (for instance \"5 ms\")";
    case ArgumentKind::kBytes: return "bytes (for instance \"64 KiB\")";
  }
  return "unknown";
}

bool ArgumentValues::flag(const std::string& name) const {
  return value_as<bool>(values_, name);
}

std::int64_t ArgumentValues::integer(const std::string& name) const {
  return value_as<std::int64_t>(values_, name);
}

double ArgumentValues::number(const std::string& name) const {
  return as_number(value_of(values_, name));
}

const std::string& ArgumentValues::text(const std::string& name) const {
  return value_as<std::string>(values_, name);
}

Nanoseconds ArgumentValues::duration(const std::string& name) const {
  return parse_duration(text(name));
}

Bytes ArgumentValues::bytes(const std::string& name) const {
  const auto* whole = std::get_if<std::int64_t>(&value_of(values_, name));
  return whole != nullptr ? Bytes{*whole} : parse_bytes(text(name));
}

std::vector<Error> check_arguments(const std::vector<ArgumentSpec>& specs,
                                   const Arguments& arguments,
                                   const std::string& noun) {
  std::vector<Error> faults;
  for (const auto& [name, value] : arguments) {
    const auto spec = std::ranges::find(specs, name, &ArgumentSpec::name);
    if (spec == specs.end()) {
      std::vector<std::string> known;
      std::ranges::transform(specs, std::back_inserter(known), &ArgumentSpec::name);
      Error& fault = faults.emplace_back(Errc::kInvalidInput, "unknown " + noun);
      fault.with(noun, name);
      suggest(fault, name, known);
      continue;
    }
    try {
      check_value(*spec, value);
    } catch (Error& fault) {
      faults.push_back(std::move(fault.with(noun, name)));
    }
  }
  return faults;
}

ArgumentValues complete(const std::vector<ArgumentSpec>& specs, Arguments arguments) {
  for (const auto& spec : specs) {
    arguments.try_emplace(spec.name, spec.fallback);
  }
  return ArgumentValues(std::move(arguments));
}

std::string to_toml(const Argument& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag ? "true" : "false";
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return std::to_string(*whole);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return quote_number(*number);
  }
  return quote(std::get<std::string>(value));
}

Argument bytes_argument(Bytes bytes) {
  static constexpr std::array<const char*, 4> kPrefixes{" TiB", " GiB", " MiB", " KiB"};
  for (int i = 0; i < 4; ++i) {
    const std::int64_t factor = std::int64_t{1} << (10 * (4 - i));
    if (bytes.value != 0 && bytes.value % factor == 0) {
      return std::to_string(bytes.value / factor) + kPrefixes[static_cast<std::size_t>(i)];
    }
  }
  return bytes.value;
}

}  // namespace askos::dataflow
