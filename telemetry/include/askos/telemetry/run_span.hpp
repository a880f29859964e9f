// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace askos::telemetry {

/// Where a run stands in somebody else's distributed trace: W3C Trace Context, `traceparent`.
struct TraceParent {
  std::string trace_id;   ///< 32 hexadecimal digits
  std::string parent_id;  ///< 16 hexadecimal digits

  bool operator==(const TraceParent&) const = default;
};

/// Reads `00-<trace>-<parent>-<flags>`. Nothing if it is not one: the standard has such a header
/// ignored and a new trace begun.
[[nodiscard]] std::optional<TraceParent> parse_traceparent(std::string_view text);

/// Returns what the variable TRACEPARENT says, as a workflow system sets it.
[[nodiscard]] std::optional<TraceParent> traceparent_of_environment();

/// One run as an OpenTelemetry span. Its beginning is when it was made.
class RunSpan {
 public:
  explicit RunSpan(std::string name,
                   std::optional<TraceParent> parent = traceparent_of_environment());

  /// Adds what a reader may filter by, for instance `askos.ranks`.
  void set(std::string key, std::string value);
  void set(std::string key, std::int64_t value);
  void set(std::string key, double value);

  /// Ends it; a `failure` makes it an error with that message.
  void end(std::string_view failure = {});

  [[nodiscard]] const TraceParent& identity() const noexcept { return identity_; }

  /// Prints it as one line of OTLP/JSON (`ExportTraceServiceRequest`), as a collector's file
  /// receiver and its HTTP endpoint `/v1/traces` take it.
  [[nodiscard]] std::string to_otlp_json() const;

  /// Appends that line to a file. Throws `Errc::kEnvironment` if it cannot.
  void append_to(const std::filesystem::path& path) const;

 private:
  std::string name_;
  TraceParent identity_;  // `parent_id` is its own
  std::string parent_id_;
  std::int64_t began_ns_;
  std::int64_t ended_ns_ = 0;
  std::string failure_;
  std::vector<std::pair<std::string, std::string>> attributes_;  // values as OTLP/JSON
};

}  // namespace askos::telemetry
