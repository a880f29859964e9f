// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/io/checkpoint_store.hpp>
#include <askos/io/hooked_file_operations.hpp>
#include <askos/io/safetensors.hpp>

#include <cerrno>
#include <fstream>

namespace askos::io {
namespace {

struct Killed {};  // not an Error: nothing may catch it and go on

std::vector<CheckpointPart> parts_of(std::int64_t step) {
  return {{"model.safetensors",
           [step](ByteSink& sink) {
             const std::vector<std::int64_t> values(100, step);
             const std::vector<NamedArrayView> arrays{
                 {"w", DType::kInt64, {100}, std::as_bytes(std::span(values))}};
             write_safetensors(sink, arrays);
           }},
          {"notes.txt", [step](ByteSink& sink) { sink.append(std::to_string(step)); }}};
}

Metadata metadata_of(std::int64_t step) {
  Metadata metadata;
  metadata["step"] = step;
  metadata["large"] = std::int64_t{9007199254740993};
  return metadata;
}

/// Checks that a checkpoint holds exactly what `parts_of` wrote.
void expect_content(const CheckpointStore& store, const CheckpointInfo& checkpoint) {
  EXPECT_EQ(checkpoint.metadata, metadata_of(checkpoint.step));
  const Safetensors arrays = parse_safetensors(store.read(checkpoint, "model.safetensors"));
  const std::vector<std::int64_t> expected(100, checkpoint.step);
  const auto bytes = std::as_bytes(std::span(expected));
  EXPECT_TRUE(std::ranges::equal(arrays.at("w").bytes, bytes));
  EXPECT_EQ(store.read(checkpoint, "notes.txt").size(), std::to_string(checkpoint.step).size());
}

TEST(CheckpointStore, FindsTheNewestAndReadsItBack) {
  const TemporaryFolder folder;
  const CheckpointStore store(folder / "checkpoints");
  EXPECT_FALSE(store.find_newest_valid());
  for (const std::int64_t step : {5, 100, 20}) {
    store.write(step, parts_of(step), metadata_of(step));
  }
  const auto found = store.list();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].step, 5);
  EXPECT_EQ(found[2].step, 100);
  const auto newest = store.find_newest_valid();
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->step, 100);
  expect_content(store, *newest);
  EXPECT_EQ(error_of([&] { store.write(20, parts_of(20), {}); }).code(), Errc::kInvalidInput);
  EXPECT_EQ(error_of([&] { static_cast<void>(store.read(*newest, "none")); }).code(),
            Errc::kNotFound);
}

TEST(CheckpointStore, KeepsTheNewest) {
  const TemporaryFolder folder;
  const CheckpointStore store(folder.path());
  for (std::int64_t step = 1; step <= 5; ++step) {
    store.write(step, parts_of(step), metadata_of(step));
  }
  store.keep({.num_newest = 2});
  const auto found = store.list();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].step, 4);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2);
}

TEST(CheckpointStore, KeepsTheBestAndMilestones) {
  const TemporaryFolder folder;
  const CheckpointStore store(folder.path());
  for (std::int64_t step = 1; step <= 9; ++step) {
    Metadata metadata = metadata_of(step);
    if (step != 7) metadata["loss"] = step == 2 ? 0.1 : 0.5;  // one without
    store.write(step, parts_of(step), metadata);
  }
  store.keep({.num_newest = 2, .best_by = "loss", .every_steps = 4});
  std::vector<std::int64_t> kept;
  for (const auto& checkpoint : store.list()) kept.push_back(checkpoint.step);
  EXPECT_EQ(kept, (std::vector<std::int64_t>{2, 4, 8, 9}));
}

TEST(CheckpointStore, IsNotSeenBeforeAllRanksHaveWrittenAndOneCommits) {
  const TemporaryFolder folder;
  const CheckpointStore first(folder.path());
  const CheckpointStore second(folder.path());
  first.begin(5);
  const auto parts = parts_of(5);
  auto theirs = second.write_part(5, parts[1]);
  auto ours = first.write_part(5, parts[0]);
  EXPECT_FALSE(first.find_newest_valid());
  const auto made = first.commit(5, {ours, theirs}, metadata_of(5));
  EXPECT_EQ(second.find_newest_valid()->step, 5);
  expect_content(second, made);

  first.begin(6);
  (void)first.write_part(6, parts[0]);
  first.abandon(6);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(CheckpointStore, BelievesNoPartThatReadsBackOtherwise) {
  const TemporaryFolder folder;
  const auto part = folder / "step-000000000001.tmp" / "model.safetensors";
  HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
    if (call.name == "sync" && std::filesystem::exists(part)) {  // what it wrote gets lost
      std::filesystem::resize_file(part, 9);
      std::filesystem::resize_file(part, 1000);
    }
    return 0;
  });
  const CheckpointStore store(folder.path(), operations);
  const Error error = error_of([&] { store.write(1, parts_of(1), metadata_of(1)); });
  EXPECT_EQ(error.code(), Errc::kCorruptData);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(CheckpointStore, SaysWhatIsWrongIfNoneIsIntact) {
  const TemporaryFolder folder;
  const CheckpointStore store(folder.path());
  store.write(1, parts_of(1), metadata_of(1));
  store.write(2, parts_of(2), metadata_of(2));
  const auto newest = store.list().back().folder;
  std::filesystem::remove(newest / "notes.txt");
  EXPECT_EQ(store.find_newest_valid()->step, 1);
  std::filesystem::resize_file(store.list().front().folder / "notes.txt", 0);
  const Error error = error_of([&] { (void)store.find_newest_valid(); });
  EXPECT_EQ(error.code(), Errc::kNotFound);
  EXPECT_EQ(error.values().front().second, (newest / "notes.txt").string());
}

TEST(CheckpointStore, PassesOverDamagedCheckpointsAndReplacesThem) {
  const TemporaryFolder folder;
  const CheckpointStore store(folder.path());
  for (std::int64_t step = 1; step <= 4; ++step) {
    store.write(step, parts_of(step), metadata_of(step));
  }
  const auto file_of = [&](std::int64_t step, const char* name) {
    return store.list()[static_cast<std::size_t>(step - 1)].folder / name;
  };
  const auto flip = [](const std::filesystem::path& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(150);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(150);
    file.put(byte);
  };
  flip(file_of(3, "model.safetensors"));  // found by its CRC
  const auto manifest = file_of(4, "manifest.json");
  std::filesystem::resize_file(file_of(4, "notes.txt"), 0);  // found by its size
  EXPECT_EQ(store.find_newest_valid()->step, 2);
  flip(manifest);  // found by the manifest's own CRC, or no longer JSON
  EXPECT_EQ(store.find_newest_valid()->step, 2);
  store.write(3, parts_of(3), metadata_of(3));
  store.write(4, parts_of(4), metadata_of(4));
  EXPECT_EQ(store.find_newest_valid()->step, 4);
  expect_content(store, *store.find_newest_valid());
}

// Stops the process, as far as the disk can tell, before its n-th call, for every n: while a third
// checkpoint is written and the first is removed.
TEST(CheckpointStore, NewestCompleteCheckpointLoadsWheneverTheWriterIsKilled) {
  bool finished = false;
  std::int64_t newest_before = 0;
  for (int killed_at = 0; !finished; ++killed_at) {
    const TemporaryFolder folder;
    {
      const CheckpointStore store(folder.path());
      store.write(1, parts_of(1), metadata_of(1));
      store.write(2, parts_of(2), metadata_of(2));
    }
    int calls = 0;
    bool dead = false;
    HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
      if (dead) {
        return -EIO;  // clean-up while unwinding: a dead process does none
      }
      if (calls++ == killed_at) {
        dead = true;
        if (call.name == "close") {
          return -EIO;  // called from a destructor
        }
        throw Killed();
      }
      return 0;
    });
    try {
      const CheckpointStore store(folder.path(), operations);
      store.write(3, parts_of(3), metadata_of(3));
      store.keep({.num_newest = 2});
      finished = !dead;
    } catch (const Killed&) {
    } catch (const Error&) {
    }
    const CheckpointStore store(folder.path());
    const auto newest = store.find_newest_valid();
    ASSERT_TRUE(newest) << "killed at call " << killed_at;
    EXPECT_GE(newest->step, std::max<std::int64_t>(newest_before, 2));
    newest_before = newest->step;  // the later the kill, the newer the checkpoint
    expect_content(store, *newest);
    store.remove_leftovers();
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      EXPECT_EQ(entry.path().extension(), "");
    }
    // The run goes on and writes the same step again, if it has to.
    if (newest->step == 2) {
      store.write(3, parts_of(3), metadata_of(3));
      EXPECT_EQ(store.find_newest_valid()->step, 3);
    }
  }
  EXPECT_EQ(newest_before, 3);
}

TEST(CheckpointStore, AFullDiskLeavesNothingOfTheCheckpoint) {
  for (const char* failing : {"create", "pwrite", "sync", "make_folder", "rename"}) {
    const TemporaryFolder folder;
    HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
      return call.name == failing && call.path != folder.path() ? -ENOSPC : 0;
    });
    const CheckpointStore store(folder.path(), operations);
    const Error error = error_of([&] { store.write(1, parts_of(1), metadata_of(1)); });
    EXPECT_EQ(error.code(), Errc::kEnvironment) << failing;
    EXPECT_EQ(error.text(), "disk full") << failing;
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << failing;
  }
}

TEST(CheckpointStore, NeedsAParentFolder) {
  EXPECT_EQ(error_of([] { CheckpointStore("/no/such/parent/folder"); }).code(), Errc::kNotFound);
}

}  // namespace
}  // namespace askos::io
