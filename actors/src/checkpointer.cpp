// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_tensors.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/base/error.hpp>

namespace askos::actors {
namespace {

constexpr const char* kPart = "state.safetensors";
constexpr std::int64_t kFormat = 1;

/// Names every key whose value differs, with both values.
void check_identity(const io::Metadata& wanted, const io::CheckpointInfo& checkpoint) {
  const auto& found = checkpoint.metadata.at("identity");
  Error error(Errc::kInvalidInput,
              "checkpoint is of another model (choose another run.folder, or "
              "--fresh to start over)");
  error.with("checkpoint", checkpoint.folder.string());
  if (add_differences(error, wanted, found)) {
    throw error;
  }
}

}  // namespace

Checkpointer::Checkpointer(const RankContext& rank) : snapshot{*this, "snapshot"}, rank_(rank) {}

void Checkpointer::run(dataflow::Context& context) {
  const auto packet = context.take(snapshot);
  const auto& next = *packet;
  const io::CheckpointStore store(checkpoint_folder(rank_.run->config));
  store.write(
      next.step,
      {{.name = kPart, .write = [&](io::ByteSink& sink) { write_tensors(sink, next.state); }}},
      io::Metadata::Object{{"format", kFormat},
                           {"step", next.step},
                           {"epoch", next.position.epoch},
                           {"sample", next.position.sample},
                           {"identity", model_identity(*rank_.run)}});
  store.keep_newest(static_cast<std::size_t>(rank_.run->config.run.keep_checkpoints));
}

std::filesystem::path checkpoint_folder(const RunConfig& config) {
  return config.run.folder / "checkpoints";
}

std::shared_ptr<const Snapshot> load_newest(const RunContext& run) {
  const auto folder = checkpoint_folder(run.config);
  if (!std::filesystem::exists(folder)) {
    return nullptr;
  }
  const io::CheckpointStore store(folder);
  const auto checkpoint = store.find_newest_valid();
  if (!checkpoint) {
    return nullptr;
  }
  if (const auto format = checkpoint->metadata.at("format").as_integer(); format > kFormat) {
    throw Error(Errc::kInvalidInput, "checkpoint is of a newer askos")
        .with("checkpoint", checkpoint->folder.string())
        .with("expected", "format " + std::to_string(kFormat))
        .with("found", format);
  }
  check_identity(model_identity(run), *checkpoint);
  return std::make_shared<const Snapshot>(
      Snapshot{.step = checkpoint->step,
               .position = {.epoch = checkpoint->metadata.at("epoch").as_integer(),
                            .sample = checkpoint->metadata.at("sample").as_integer()},
               .state = read_tensors(store.read(*checkpoint, kPart))});
}

}  // namespace askos::actors
