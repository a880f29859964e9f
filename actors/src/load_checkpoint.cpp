// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_tensors.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/base/error.hpp>
#include <askos/io/checkpoint_layout.hpp>

namespace askos::actors {
namespace {

namespace fs = std::filesystem;

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

std::shared_ptr<const Snapshot> load(const RunContext& run, const io::CheckpointInfo& checkpoint) {
  io::check_format(checkpoint);
  check_identity(model_identity(run), checkpoint);
  return std::make_shared<const Snapshot>(
      Snapshot{.step = checkpoint.step,
               .position = {.epoch = checkpoint.metadata.at("epoch").as_integer(),
                            .sample = checkpoint.metadata.at("sample").as_integer()},
               .state = to_tensors(io::read_state(checkpoint))});
}

}  // namespace

fs::path checkpoint_folder(const RunConfig& config) {
  return config.run.folder / "checkpoints";
}

std::shared_ptr<const Snapshot> load_newest(const RunContext& run) {
  const auto folder = checkpoint_folder(run.config);
  if (!fs::exists(folder)) {
    return nullptr;
  }
  const auto checkpoint = io::CheckpointStore(folder).find_newest_valid();
  return checkpoint ? load(run, *checkpoint) : nullptr;
}

std::shared_ptr<const Snapshot> load_from(const RunContext& run, const fs::path& path) {
  const auto folder = fs::exists(path / "checkpoints") ? path / "checkpoints" : path;
  if (folder == path) {
    return load(run, io::open_checkpoint(path));
  }
  const auto checkpoint = io::CheckpointStore(folder).find_newest_valid();
  if (!checkpoint) {
    throw Error(Errc::kNotFound, "no checkpoint there").with("folder", folder.string());
  }
  return load(run, *checkpoint);
}

}  // namespace askos::actors
