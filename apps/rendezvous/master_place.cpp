// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/store_rendezvous.hpp"

#include <askos/base/error.hpp>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace askos::apps {
namespace {

/// Names of the variables by which launchers number their processes.
struct Numbering {
  const char* rank;
  const char* size;
  const char* local_rank;
};

constexpr Numbering kTorchrun{"RANK", "WORLD_SIZE", "LOCAL_RANK"};
// mpirun first: in a batch job of Slurm it sees the variables of the one task that called it.
constexpr Numbering kOthers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"}};

std::optional<Numbering> find_numbering() {
  if (std::getenv(kTorchrun.rank) != nullptr) return kTorchrun;
  if (std::getenv("MASTER_ADDR") == nullptr) return std::nullopt;
  for (const auto& other : kOthers) {
    if (std::getenv(other.rank) != nullptr) return other;
  }
  return std::nullopt;
}

std::string_view text_of(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') {
    throw Error(Errc::kInvalidInput, "a variable of the launcher is missing")
        .with("variable", variable);
  }
  return text;
}

int number_of(const char* variable, int first, int last) {
  const auto text = text_of(variable);
  int number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size() || number < first || number > last) {
    throw Error(Errc::kInvalidInput, "a variable of the launcher makes no sense")
        .with("variable", variable)
        .with("expected", std::to_string(first) + " to " + std::to_string(last))
        .with("found", text);
  }
  return number;
}

}  // namespace

std::optional<MasterPlace> find_master_place() {
  const auto names = find_numbering();
  if (!names) return std::nullopt;
  constexpr int kMostRanks = 1 << 20;
  MasterPlace place;
  place.size = number_of(names->size, 1, kMostRanks);
  place.rank = number_of(names->rank, 0, place.size - 1);
  place.local_rank = number_of(names->local_rank, 0, place.size - 1);
  place.host = text_of("MASTER_ADDR");
  place.port = static_cast<std::uint16_t>(number_of("MASTER_PORT", 1, 65535));
  const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  place.is_torchruns = names->rank == kTorchrun.rank;
  place.agent_serves = agent != nullptr && std::string_view(agent) == "True";
  return place;
}

}  // namespace askos::apps
