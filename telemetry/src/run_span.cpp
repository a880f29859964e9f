// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/telemetry/run_span.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>

namespace askos::telemetry {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTraceDigits = 32;
constexpr std::size_t kSpanDigits = 16;
constexpr std::string_view kDigits = "0123456789abcdef";

std::int64_t unix_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string random_digits(std::size_t count) {
  std::random_device random;
  std::string digits;
  while (digits.size() < count) {
    digits += kDigits[random() % kDigits.size()];
  }
  return digits;
}

/// An identity of zeros is none.
bool is_identity(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of(kDigits) == std::string_view::npos &&
         text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  constexpr std::size_t kLength = 2 + 1 + kTraceDigits + 1 + kSpanDigits + 1 + 2;
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  const auto version = text.substr(0, 2);
  const auto flags = text.substr(53, 2);
  const auto is_hexadecimal = [](std::string_view digits) {
    return digits.find_first_not_of(kDigits) == std::string_view::npos;
  };
  // Version ff is forbidden; those after 00 may say more behind another dash.
  const bool fits = text.size() == kLength || (version != "00" && text[kLength] == '-');
  TraceParent parent{std::string(text.substr(3, kTraceDigits)),
                     std::string(text.substr(36, kSpanDigits))};
  if (!fits || version == "ff" || !is_hexadecimal(version) || !is_hexadecimal(flags) ||
      !is_identity(parent.trace_id, kTraceDigits) || !is_identity(parent.parent_id, kSpanDigits)) {
    return std::nullopt;
  }
  return parent;
}

std::optional<TraceParent> traceparent_of_environment() {
  const char* text = std::getenv("TRACEPARENT");
  return text == nullptr ? std::nullopt : parse_traceparent(text);
}

RunSpan::RunSpan(std::string name, std::optional<TraceParent> parent)
    : name_(std::move(name)),
      identity_{parent ? parent->trace_id : random_digits(kTraceDigits),
                random_digits(kSpanDigits)},
      parent_id_(parent ? parent->parent_id : ""),
      began_ns_(unix_now_ns()) {}

void RunSpan::set(std::string key, std::string value) {
  attributes_.emplace_back(std::move(key), Json{{"stringValue", value}}.dump());
}

void RunSpan::set(std::string key, std::int64_t value) {
  // OTLP/JSON follows protobuf's: 64-bit integers are text.
  attributes_.emplace_back(std::move(key), Json{{"intValue", std::to_string(value)}}.dump());
}

void RunSpan::set(std::string key, double value) {
  attributes_.emplace_back(std::move(key), Json{{"doubleValue", value}}.dump());
}

void RunSpan::end(std::string_view failure) {
  ended_ns_ = std::max(unix_now_ns(), began_ns_);
  failure_ = failure;
}

std::string RunSpan::to_otlp_json() const {
  constexpr int kInternal = 1;  // the kind of a span that neither serves nor calls
  constexpr int kOk = 1;
  constexpr int kError = 2;
  Json attributes = Json::array();
  for (const auto& [key, value] : attributes_) {
    attributes.push_back({{"key", key}, {"value", Json::parse(value)}});
  }
  Json span{{"traceId", identity_.trace_id},
            {"spanId", identity_.parent_id},
            {"parentSpanId", parent_id_},
            {"name", name_},
            {"kind", kInternal},
            {"startTimeUnixNano", std::to_string(began_ns_)},
            {"endTimeUnixNano", std::to_string(ended_ns_)},
            {"attributes", attributes},
            {"status", failure_.empty() ? Json{{"code", kOk}}
                                        : Json{{"code", kError}, {"message", failure_}}}};
  const Json service =
      Json::array({{{"key", "service.name"}, {"value", {{"stringValue", "askos"}}}}});
  return Json{{"resourceSpans",
               Json::array({{{"resource", {{"attributes", service}}},
                             {"scopeSpans", Json::array({{{"scope", {{"name", "askos"}}},
                                                          {"spans", Json::array({span})}}})}}})}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

void RunSpan::append_to(const std::filesystem::path& path) const {
  std::ofstream out(path, std::ios::app);
  out << to_otlp_json() + "\n";
  out.close();
  if (!out) {
    throw Error(Errc::kEnvironment, "cannot write the span of the run").with("file", path.string());
  }
}

}  // namespace askos::telemetry
