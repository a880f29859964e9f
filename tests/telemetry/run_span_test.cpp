// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/telemetry/run_span.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace askos::telemetry {
namespace {

// The example of W3C Trace Context, section 3.2.
constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceParent, IsReadAsTheStandardSays) {
  const auto parent = parse_traceparent(kExample);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(parent->parent_id, "00f067aa0ba902b7");
  EXPECT_TRUE(parse_traceparent("01" + std::string(kExample.substr(2)) + "-more"));
}

TEST(TraceParent, IsIgnoredIfItIsNotOne) {
  const std::string example(kExample);
  for (const std::string& wrong :
       {std::string(), std::string("00-4bf9"), example + "-more", "ff" + example.substr(2),
        "0x" + example.substr(2),
        std::string("00-00000000000000000000000000000000") + example.substr(35),
        example.substr(0, 36) + "0000000000000000-01", "00-4BF9" + example.substr(7)}) {
    EXPECT_FALSE(parse_traceparent(wrong)) << wrong;
  }
}

TEST(RunSpan, ContinuesTheTraceOfItsParent) {
  RunSpan span("askos train", parse_traceparent(kExample));
  span.set("askos.ranks", std::int64_t{3});
  span.set("askos.graph", std::string("train"));
  span.end("lost \"rank\" 1");
  const auto json = nlohmann::json::parse(span.to_otlp_json());
  const auto& printed = json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(printed["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(printed["parentSpanId"], "00f067aa0ba902b7");
  EXPECT_EQ(printed["spanId"].get<std::string>().size(), 16U);
  EXPECT_NE(printed["spanId"], printed["parentSpanId"]);
  EXPECT_EQ(printed["status"]["code"], 2);
  EXPECT_EQ(printed["attributes"][0]["value"]["intValue"], "3");
  EXPECT_LE(std::stoll(printed["startTimeUnixNano"].get<std::string>()),
            std::stoll(printed["endTimeUnixNano"].get<std::string>()));
}

TEST(RunSpan, BeginsATraceWithoutAParent) {
  const RunSpan one("a", std::nullopt);
  const RunSpan other("b", std::nullopt);
  EXPECT_NE(one.identity().trace_id, other.identity().trace_id);
  EXPECT_THROW(one.append_to("/nowhere/spans.jsonl"), Error);
}

}  // namespace
}  // namespace askos::telemetry
