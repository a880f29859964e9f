// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/store_rendezvous.hpp"

#include <askos/base/error.hpp>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace askos::apps {
namespace {

std::string_view text_of(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') {
    throw Error(Errc::kInvalidInput, "a variable of torchrun is missing")
        .with("variable", variable);
  }
  return text;
}

int number_of(const char* variable, int first, int last) {
  const auto text = text_of(variable);
  int number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size() || number < first || number > last) {
    throw Error(Errc::kInvalidInput, "a variable of torchrun makes no sense")
        .with("variable", variable)
        .with("expected", std::to_string(first) + " to " + std::to_string(last))
        .with("found", text);
  }
  return number;
}

}  // namespace

std::optional<TorchrunPlace> find_torchrun_place() {
  if (std::getenv("RANK") == nullptr) {
    return std::nullopt;
  }
  constexpr int kMostRanks = 1 << 20;
  TorchrunPlace place;
  place.size = number_of("WORLD_SIZE", 1, kMostRanks);
  place.rank = number_of("RANK", 0, place.size - 1);
  place.local_rank = number_of("LOCAL_RANK", 0, place.size - 1);
  place.host = text_of("MASTER_ADDR");
  place.port = static_cast<std::uint16_t>(number_of("MASTER_PORT", 1, 65535));
  const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  place.agent_serves = agent != nullptr && std::string_view(agent) == "True";
  return place;
}

}  // namespace askos::apps
