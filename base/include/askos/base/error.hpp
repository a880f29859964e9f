// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace askos {

/// Says what went wrong and, through `exit_code`, who must act.
enum class Errc {
  kInternal,       ///< our bug
  kUsage,          ///< a command line, option or key that askos does not know
  kInvalidInput,   ///< a file or value that can be read but makes no sense
  kNotFound,       ///< a file, variable, stage or edge that does not exist
  kTypeMismatch,   ///< another dtype or payload type than expected
  kShapeMismatch,  ///< another shape than expected
  kCorruptData,    ///< a checksum that does not match, a truncated file
  kStalled,        ///< no progress, or a drain that missed its deadline
  kRankLost,       ///< a peer that did not arrive in time
  kPlanRefused,    ///< a graph that cannot be proved to run
  kEnvironment,    ///< disk full, out of memory, permission, unreachable address
  kCheckFailed,    ///< a comparison that the user asked for and that did not hold
  kCancelled,      ///< work given up because another part failed first
};

/// Returns the process exit code for `code` (design, section 8: 0 done, 1 bug, 2 input, 3 stall,
/// 4 rank lost, 5 plan refused, 6 environment, 7 check failed).
[[nodiscard]] int exit_code(Errc code) noexcept;

/// Returns the enumerator's name in lower case words, for instance `shape mismatch`.
[[nodiscard]] std::string_view to_string(Errc code) noexcept;

/// Reports a failure as fixed text first, values last: `text: key=value, key=value`.
///
/// Throw it where the fault is seen; add values on the way up with `with`. Copyable, so that it can
/// travel between threads and stages.
class Error : public std::exception {
 public:
  Error(Errc code, std::string text, std::source_location where = std::source_location::current());

  /// Appends `key=value` to the message; strings that are empty or hold spaces are quoted.
  Error& with(std::string_view key, std::string_view value) &;

  template <typename T>
    requires(!std::convertible_to<T, std::string_view>)
  Error& with(std::string_view key, const T& value) & {
    std::ostringstream stream;
    stream.precision(17);
    stream << value;
    return with(key, std::string_view{stream.str()});
  }

  template <typename T>
  Error&& with(std::string_view key, const T& value) && {
    static_cast<Error&>(*this).with(key, value);
    return std::move(*this);
  }

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& values() const noexcept {
    return values_;
  }
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  Errc code_;
  std::string text_;
  std::vector<std::pair<std::string, std::string>> values_;
  std::source_location where_;
  std::string message_;
};

/// Turns any caught exception into an `Error`; one that is not ours becomes `kInternal`, an
/// `std::bad_alloc` or `std::system_error` becomes `kEnvironment`. Call it inside a `catch`.
[[nodiscard]] Error current_error();

namespace detail {
[[noreturn]] void check_failed(const char* condition, std::source_location where);
}

}  // namespace askos

/// Throws `Errc::kInternal` unless `condition` holds. For our own invariants only: what a user can
/// get wrong is reported by an `Error` that names file, key, expected and found.
#define ASKOS_CHECK(condition)                                                    \
  do {                                                                            \
    if (!(condition)) {                                                           \
      ::askos::detail::check_failed(#condition, std::source_location::current()); \
    }                                                                             \
  } while (false)
