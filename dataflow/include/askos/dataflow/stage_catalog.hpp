// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/base/unit.hpp>
#include <askos/dataflow/stage.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

enum class ArgumentKind {
  kFlag,      ///< `true` or `false`
  kInteger,   ///< a whole number
  kNumber,    ///< any number
  kText,      ///< a string, one of `choices` if there are some
  kDuration,  ///< a string with its unit: `5 ms`
  kBytes,     ///< a whole number, or a string with its unit: `64 KiB`
};

/// Returns the kind in words, with an example where the spelling matters.
[[nodiscard]] std::string_view to_string(ArgumentKind kind) noexcept;

/// Documents one argument of a stage type.
struct ArgumentSpec {
  std::string name;
  ArgumentKind kind;
  Argument fallback;  ///< used when the file does not give it; durations and bytes as strings
  std::string help;
  std::vector<std::string> choices = {};  ///< for `kText`: the words allowed; empty: any
  std::int64_t minimum = 0;               ///< for `kInteger` and `kNumber`
};

/// The arguments of one stage, checked against its type's list and completed by the fallbacks.
/// Asking for a name that the list lacks, or as another kind, is our bug (`Errc::kInternal`).
class ArgumentValues {
 public:
  explicit ArgumentValues(Arguments values) : values_(std::move(values)) {}

  [[nodiscard]] bool flag(const std::string& name) const;
  [[nodiscard]] std::int64_t integer(const std::string& name) const;
  [[nodiscard]] double number(const std::string& name) const;
  [[nodiscard]] const std::string& text(const std::string& name) const;
  [[nodiscard]] Nanoseconds duration(const std::string& name) const;
  [[nodiscard]] Bytes bytes(const std::string& name) const;

 private:
  Arguments values_;
};

/// One kind of stage that graph files can name.
struct StageType {
  std::string name;
  std::string help;
  std::vector<ArgumentSpec> arguments;
  std::function<std::unique_ptr<Stage>(const ArgumentValues&)> make;
};

/// Knows how to make stages from their type's name. An ordinary value: whoever reads a graph file
/// says which stage types it may use.
class StageCatalog {
 public:
  /// Throws `Errc::kInternal` if the name is taken.
  void add(StageType type);

  [[nodiscard]] const std::vector<StageType>& types() const noexcept { return types_; }
  [[nodiscard]] const StageType* find(std::string_view type) const noexcept;

  /// Lists everything that is wrong with making a `type` from `arguments`: an unknown type, unknown
  /// arguments (with the nearest names), wrong kinds and values (with expected and found).
  [[nodiscard]] std::vector<Error> check(std::string_view type, const Arguments& arguments) const;

  /// Makes a stage. Throws the first fault of `check`, or what the stage's constructor throws.
  [[nodiscard]] std::unique_ptr<Stage> make(std::string_view type,
                                            const Arguments& arguments) const;

  /// Describes all types and their arguments as plain text of at most 100 columns.
  [[nodiscard]] std::string help() const;

 private:
  std::vector<StageType> types_;
};

/// Prints a value as a graph file spells it: `true`, `3`, `0.5`, `"5 ms"`.
[[nodiscard]] std::string to_toml(const Argument& value);

/// Prints without loss: `"64 KiB"` where a binary prefix fits exactly, else a plain number. The
/// counterpart of `ArgumentValues::bytes`.
[[nodiscard]] Argument bytes_argument(Bytes bytes);

}  // namespace askos::dataflow
