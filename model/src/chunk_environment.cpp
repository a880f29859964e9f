// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/model/chunk_environment.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

namespace askos::model {
namespace {

/// Returns the number that the first of the variables holds, 1 where none is set.
int number_in(const std::string& part) {
  for (const std::string prefix : {"ASKOS_NUM_CHUNKS", "ANEMOI_INFERENCE_NUM_CHUNKS"}) {
    for (const std::string& name : {prefix + part, prefix}) {
      const char* const value = std::getenv(name.c_str());
      if (value == nullptr) continue;
      const std::string text = value;
      int number = 0;
      const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (fault != std::errc() || end != text.data() + text.size() || number < 1) {
        throw Error(Errc::kUsage, "environment variable is not a number of chunks")
            .with("variable", name)
            .with("value", text)
            .with("expected", "1 or more");
      }
      return number;
    }
  }
  return 1;
}

}  // namespace

ModelConfig with_environment_chunks(ModelConfig config) {
  if (const int mapper = number_in("_MAPPER"); mapper > 1) {
    config.encoder.num_chunks = std::max(config.encoder.num_chunks, mapper);
    config.decoder.num_chunks = std::max(config.decoder.num_chunks, mapper);
  }
  if (const int processor = number_in("_PROCESSOR"); processor > 1 && config.num_layers > 0) {
    int segments =
        std::clamp(processor, std::max(1, config.processor.num_chunks), config.num_layers);
    while (config.num_layers % segments != 0) ++segments;
    config.processor.num_chunks = segments;
  }
  return config;
}

}  // namespace askos::model
