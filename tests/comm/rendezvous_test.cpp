// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/rendezvous.hpp>

#include <gmock/gmock.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <ostream>
#include <thread>

namespace askos::comm {
namespace {

using namespace std::chrono_literals;
using Ranks = std::vector<std::shared_ptr<Rendezvous>>;

/// A folder that lives as long as the test.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "askos_rendezvous_XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Kind {
  const char* name;
  std::function<Ranks(const Folder&, int)> open;
};

std::ostream& operator<<(std::ostream& out, const Kind& kind) {
  return out << kind.name;
}

class RendezvousTest : public ::testing::TestWithParam<Kind> {
 protected:
  [[nodiscard]] Ranks open(int num_ranks) const { return GetParam().open(folder_, num_ranks); }

 private:
  Folder folder_;
};

TEST_P(RendezvousTest, GetWaitsForAValueOfAnotherRank) {
  const auto ranks = open(2);
  const std::string value("a\0b/\n", 5);
  std::thread other([&] { ranks[1]->put("one/key", value); });
  EXPECT_EQ(ranks[0]->get("one/key", 60s), value);
  other.join();
  EXPECT_EQ(ranks[1]->get("one/key", 0s), value) << "a value stays";
}

TEST_P(RendezvousTest, GetReturnsNothingAfterItsTimeout) {
  const auto ranks = open(1);
  EXPECT_EQ(ranks[0]->get("never", 0s), std::nullopt);
  EXPECT_EQ(ranks[0]->get("never", 5ms), std::nullopt);
}

TEST_P(RendezvousTest, PutReplacesAndEraseForgets) {
  const auto ranks = open(2);
  ranks[0]->put("key", "old");
  ranks[1]->put("key", "");
  EXPECT_EQ(ranks[0]->get("key", 0s), "");
  ranks[0]->erase("key");
  ranks[0]->erase("key");
  EXPECT_EQ(ranks[1]->get("key", 0s), std::nullopt);
}

TEST_P(RendezvousTest, EachAddHasASumOfItsOwn) {
  constexpr int kNumAdds = 200;
  const auto ranks = open(4);
  std::vector<std::thread> threads;
  std::vector<std::vector<std::int64_t>> sums(ranks.size());
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    threads.emplace_back([&, r] {
      for (int i = 0; i < kNumAdds; ++i) sums[r].push_back(ranks[r]->add("count", 1));
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::int64_t> all;
  for (const auto& each : sums) {
    EXPECT_TRUE(std::ranges::is_sorted(each));
    all.insert(all.end(), each.begin(), each.end());
  }
  std::ranges::sort(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i], static_cast<std::int64_t>(i) + 1);
  }
  EXPECT_EQ(ranks[0]->get("count", 0s), std::nullopt) << "a number is no value";
}

TEST_P(RendezvousTest, ExchangeGivesAllValuesToAll) {
  const auto ranks = open(3);
  std::array<std::vector<std::string>, 3> found;
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < 3; ++r) {
    threads.emplace_back(
        [&, r] { found[r] = exchange(*ranks[r], "digest", "of " + std::to_string(r), 60s); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& each : found) {
    EXPECT_THAT(each, ::testing::ElementsAre("of 0", "of 1", "of 2"));
  }
}

TEST_P(RendezvousTest, ExchangeNamesTheRanksThatAreMissing) {
  const auto ranks = open(3);
  try {
    (void)exchange(*ranks[1], "digest", "mine", 10ms);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kRankLost);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("key=digest, missing=0,2"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    RendezvousTest,
    ::testing::Values(Kind{"Local", [](const Folder& /*folder*/,
                                       int n) { return make_local_rendezvous(n); }},
                      Kind{"Folder",
                           [](const Folder& folder, int n) {
                             Ranks ranks;
                             for (int r = 0; r < n; ++r) {
                               ranks.push_back(open_folder_rendezvous(folder.path(), r, n));
                             }
                             return ranks;
                           }}),
    [](const ::testing::TestParamInfo<Kind>& test) { return std::string(test.param.name); });

TEST(FolderRendezvous, RefusesWhatCannotWork) {
  const auto code = [](auto open) {
    try {
      (void)open();
    } catch (const Error& error) {
      return error.code();
    }
    return Errc::kInternal;
  };
  const Folder folder;
  EXPECT_EQ(code([&] { return open_folder_rendezvous(folder.path(), 2, 2); }), Errc::kInvalidInput);
  EXPECT_EQ(code([&] { return open_folder_rendezvous(folder.path() / "none", 0, 2); }),
            Errc::kEnvironment);
}

}  // namespace
}  // namespace askos::comm
