// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>

#include <new>
#include <system_error>

namespace askos {

int exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::kUsage:
    case Errc::kInvalidInput:
    case Errc::kNotFound:
    case Errc::kTypeMismatch:
    case Errc::kShapeMismatch:
    case Errc::kCorruptData: return 2;
    case Errc::kStalled: return 3;
    case Errc::kRankLost: return 4;
    case Errc::kPlanRefused: return 5;
    case Errc::kEnvironment: return 6;
    case Errc::kCheckFailed: return 7;
    case Errc::kInternal:
    case Errc::kCancelled: return 1;
  }
  return 1;
}

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::kInternal: return "internal error";
    case Errc::kUsage: return "usage";
    case Errc::kInvalidInput: return "invalid input";
    case Errc::kNotFound: return "not found";
    case Errc::kTypeMismatch: return "type mismatch";
    case Errc::kShapeMismatch: return "shape mismatch";
    case Errc::kCorruptData: return "corrupt data";
    case Errc::kStalled: return "stalled";
    case Errc::kRankLost: return "rank lost";
    case Errc::kPlanRefused: return "plan refused";
    case Errc::kEnvironment: return "environment";
    case Errc::kCheckFailed: return "check failed";
    case Errc::kCancelled: return "cancelled";
  }
  return "unknown";
}

Error::Error(Errc code, std::string text, std::source_location where)
    : code_(code), text_(std::move(text)), where_(where), message_(text_) {}

Error& Error::with(std::string_view key, std::string_view value) & {
  const bool quote = value.empty() || value.find(' ') != std::string_view::npos;
  message_ += values_.empty() ? ": " : ", ";
  message_.append(key).append("=");
  message_.append(quote ? "'" : "").append(value).append(quote ? "'" : "");
  values_.emplace_back(key, value);
  return *this;
}

Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {Errc::kEnvironment, "out of memory"};
  } catch (const std::system_error& error) {
    return {Errc::kEnvironment, error.what()};
  } catch (const std::exception& error) {
    return {Errc::kInternal, error.what()};
  } catch (...) {
    return {Errc::kInternal, "exception of unknown type"};
  }
}

namespace detail {

void check_failed(const char* condition, std::source_location where) {
  throw Error(Errc::kInternal, "broken invariant", where)
      .with("condition", condition)
      .with("file", where.file_name())
      .with("line", where.line());
}

}  // namespace detail
}  // namespace askos
