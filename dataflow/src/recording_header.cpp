// SPDX-License-Identifier: Apache-2.0
#include "status_json.hpp"
#include "type_name.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/recording.hpp>

#include <algorithm>
#include <utility>

namespace askos::dataflow {
namespace {

constexpr int kVersion = 1;

Json to_json(const Argument& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

Argument argument_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  return json.get<std::string>();
}

Json to_json(const StoredArrays& arrays) {
  Json list = Json::array();
  for (const auto& array : arrays) {
    list.push_back(
        {{"name", array.name}, {"shape", array.shape}, {"dtype", to_string(array.dtype)}});
  }
  return list;
}

StoredArrays arrays_of(const Json& list) {
  StoredArrays arrays;
  for (const auto& json : list) {
    arrays.push_back({.name = json.at("name").get<std::string>(),
                      .shape = json.at("shape").get<std::vector<std::int64_t>>(),
                      .dtype = parse_dtype(json.at("dtype").get<std::string>())});
    if (std::ranges::any_of(arrays.back().shape, [](auto length) { return length < 0; })) {
      throw Error(Errc::kCorruptData, "recorded array has a negative length")
          .with("array", arrays.back().name);
    }
  }
  return arrays;
}

Json to_json(const std::vector<RecordedPacket>& packets) {
  Json list = Json::array();
  for (const auto& packet : packets) {
    Json json{{"port", packet.port}};
    add_meta(json, packet.meta);
    json["arrays"] = packet.payload ? to_json(*packet.payload) : Json();
    list.push_back(std::move(json));
  }
  return list;
}

std::vector<RecordedPacket> packets_of(const Json& list, std::size_t num_ports) {
  std::vector<RecordedPacket> packets;
  for (const auto& json : list) {
    auto& packet = packets.emplace_back();
    packet.port = json.at("port").get<int>();
    if (packet.port < 0 || static_cast<std::size_t>(packet.port) >= num_ports) {
      throw Error(Errc::kCorruptData, "recorded packet is of no port").with("port", packet.port);
    }
    packet.meta = {.sample = SampleId{json.at("sample").get<std::int64_t>()},
                   .trace = TraceId{json.at("trace").get<std::uint64_t>()},
                   .cells = {json.at("cells").at(0).get<std::int64_t>(),
                             json.at("cells").at(1).get<std::int64_t>()},
                   .weight = json.at("weight").get<double>(),
                   .host_bytes = Bytes{json.at("host_bytes").get<std::int64_t>()},
                   .device_bytes = Bytes{json.at("device_bytes").get<std::int64_t>()}};
    if (!json.at("arrays").is_null()) packet.payload = arrays_of(json.at("arrays"));
  }
  return packets;
}

Json to_json(const std::vector<RecordedPort>& ports) {
  Json list = Json::array();
  for (const auto& port : ports) {
    list.push_back({{"name", port.name}, {"type", port.type}, {"rate", port.rate}});
  }
  return list;
}

std::vector<RecordedPort> ports_of(const Json& list) {
  std::vector<RecordedPort> ports;
  for (const auto& json : list) {
    ports.push_back({.name = json.at("name").get<std::string>(),
                     .type = json.at("type").get<std::string>(),
                     .rate = json.at("rate").get<int>()});
  }
  return ports;
}

std::vector<RecordedPort> recorded_ports(const auto& ports) {
  std::vector<RecordedPort> recorded;
  for (const auto* port : ports) {
    recorded.push_back({.name = port->name(),
                        .type = type_name(port->payload_type()),
                        .rate = port->contract().rate});
  }
  return recorded;
}

Recording parse(const Json& json) {
  Recording recording;
  recording.graph = json.at("graph").get<std::string>();
  recording.stage = json.at("stage").get<std::string>();
  recording.rank = Rank{json.at("rank").get<int>()};
  recording.num_ranks = json.at("ranks").get<int>();
  recording.type = json.at("type").get<std::string>();
  for (const auto& [key, value] : json.at("arguments").items()) {
    recording.arguments[key] = argument_of(value);
  }
  recording.notes = json.at("notes").get<std::map<std::string, std::string>>();
  recording.inputs = ports_of(json.at("inputs"));
  recording.outputs = ports_of(json.at("outputs"));
  recording.state = arrays_of(json.at("state"));
  for (const auto& run : json.at("runs")) {
    recording.runs.push_back({.number = run.at("run").get<std::int64_t>(),
                              .done = run.at("done").get<bool>(),
                              .failure = run.at("failure").get<std::string>(),
                              .inputs = packets_of(run.at("inputs"), recording.inputs.size()),
                              .outputs = packets_of(run.at("outputs"), recording.outputs.size()),
                              .received = arrays_of(run.at("received"))});
  }
  return recording;
}

}  // namespace

std::vector<RecordedPort> recorded_inputs(const Stage& stage) {
  return recorded_ports(stage.inputs());
}

std::vector<RecordedPort> recorded_outputs(const Stage& stage) {
  return recorded_ports(stage.outputs());
}

std::string recording_header(const Recording& recording) {
  Json arguments = Json::object();
  for (const auto& [key, value] : recording.arguments) arguments[key] = to_json(value);
  Json runs = Json::array();
  for (const auto& run : recording.runs) {
    runs.push_back({{"run", run.number},
                    {"done", run.done},
                    {"failure", run.failure},
                    {"inputs", to_json(run.inputs)},
                    {"outputs", to_json(run.outputs)},
                    {"received", to_json(run.received)}});
  }
  const Json json{{"recording", kVersion},
                  {"graph", recording.graph},
                  {"stage", recording.stage},
                  {"rank", recording.rank.value},
                  {"ranks", recording.num_ranks},
                  {"type", recording.type},
                  {"arguments", std::move(arguments)},
                  {"notes", recording.notes},
                  {"inputs", to_json(recording.inputs)},
                  {"outputs", to_json(recording.outputs)},
                  {"state", to_json(recording.state)},
                  {"runs", std::move(runs)}};
  return print(json);
}

Recording parse_recording_header(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("recording")) {
    throw Error(Errc::kCorruptData, "header is not that of a recording");
  }
  if (json.at("recording") != kVersion) {
    throw Error(Errc::kInvalidInput, "recording is of another version")
        .with("expected", kVersion)
        .with("found", json.at("recording").dump());
  }
  try {
    return parse(json);
  } catch (const Json::exception& fault) {
    throw Error(Errc::kCorruptData, "header of a recording is damaged")
        .with("reason", fault.what());
  }
}

}  // namespace askos::dataflow
