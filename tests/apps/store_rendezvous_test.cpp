// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/store_rendezvous.hpp"

#include <askos/base/error.hpp>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <thread>

namespace askos::apps {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// A port of loopback that this test holds, or has just given back.
class Port {
 public:
  Port() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    auto* const generic = reinterpret_cast<sockaddr*>(&place);
    if (::bind(descriptor_, generic, size) == 0 && ::listen(descriptor_, 1) == 0 &&
        ::getsockname(descriptor_, generic, &size) == 0) {
      number = ntohs(place.sin_port);
    }
  }
  ~Port() { give_back(); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  void give_back() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  std::uint16_t number = 0;

 private:
  int descriptor_;
};

MasterPlace place_at(const Port& port, int rank, int size) {
  return {.rank = rank, .size = size, .local_rank = rank, .host = "127.0.0.1", .port = port.number};
}

TEST(StoreRendezvous, CarriesValuesAndNumbersBetweenRanks) {
  Port port;
  port.give_back();
  const auto first = open_store_rendezvous(place_at(port, 0, 2));
  const auto second = open_store_rendezvous(place_at(port, 1, 2));
  EXPECT_EQ(second->get("key", 0ns), std::nullopt);
  const std::string bytes("any\0bytes", 9);
  std::optional<std::string> arrived;
  {
    const std::jthread waits([&] { arrived = second->get("key", 40s); });
    EXPECT_EQ(second->add("number", 2), 2);  // the one that waits holds nobody up
    first->put("key", bytes);
  }
  EXPECT_EQ(arrived, bytes);
  EXPECT_EQ(first->add("number", 3), 5);
  EXPECT_EQ(first->get("number", 0ns), std::nullopt);  // a number is no value
  second->erase("key");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(first->get("key", 1ms), std::nullopt);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(StoreRendezvous, NamesAPortThatIsTaken) {
  const Port taken;
  try {
    (void)open_store_rendezvous(place_at(taken, 0, 2), 500ms);
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
    EXPECT_THAT(error.what(), HasSubstr("address=127.0.0.1:" + std::to_string(taken.number)));
  }
}

TEST(StoreRendezvous, NamesAnAddressWhereNobodyAnswersAndTheTime) {
  Port gone;
  gone.give_back();
  try {
    (void)open_store_rendezvous(place_at(gone, 1, 2), 500ms);
    FAIL() << "somebody answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
    EXPECT_THAT(error.what(),
                HasSubstr("cannot reach the ranks' meeting point: address=127.0.0.1:" +
                          std::to_string(gone.number) + ", after='500 ms'"));
  }
}

/// Variables of launchers, as long as it lives.
class Variables {
 public:
  explicit Variables(std::map<std::string, std::string> values) : values_(std::move(values)) {
    for (const auto& [name, value] : values_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Variables() {
    for (const auto& [name, value] : values_) ::unsetenv(name.c_str());
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  std::map<std::string, std::string> values_;
};

class TorchrunVariables : public ::testing::Test {
 protected:
  const Variables torchruns_{{{"RANK", "1"},
                              {"WORLD_SIZE", "4"},
                              {"LOCAL_RANK", "0"},
                              {"MASTER_ADDR", "host"},
                              {"MASTER_PORT", "29500"}}};
};

TEST_F(TorchrunVariables, TellAProcessItsPlace) {
  const auto place = find_master_place();
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->size, 4);
  EXPECT_EQ(place->host, "host");
  EXPECT_EQ(place->port, 29500);
  ::unsetenv("RANK");
  EXPECT_FALSE(find_master_place());
}

TEST(LauncherVariables, OfMpirunAndSrunCountBesideAMaster) {
  const Variables of_a_batch_job(
      {{"SLURM_PROCID", "3"}, {"SLURM_NTASKS", "4"}, {"SLURM_LOCALID", "1"}});
  EXPECT_FALSE(find_master_place());
  const Variables master({{"MASTER_ADDR", "host"}, {"MASTER_PORT", "29500"}});
  EXPECT_EQ(find_master_place()->rank, 3);
  EXPECT_EQ(find_master_place()->local_rank, 1);
  const Variables of_mpirun({{"OMPI_COMM_WORLD_RANK", "5"},
                             {"OMPI_COMM_WORLD_SIZE", "8"},
                             {"OMPI_COMM_WORLD_LOCAL_RANK", "2"}});
  EXPECT_EQ(find_master_place()->rank, 5);
  EXPECT_EQ(find_master_place()->size, 8);
  EXPECT_EQ(find_master_place()->local_rank, 2);
}

TEST_F(TorchrunVariables, AreNamedWhenTheyMakeNoSense) {
  ::setenv("RANK", "4", 1);
  try {
    (void)find_master_place();
    FAIL() << "rank 4 of 4";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("variable=RANK, expected='0 to 3', found=4"));
  }
  ::setenv("RANK", "1", 1);
  ::unsetenv("MASTER_PORT");
  try {
    (void)find_master_place();
    FAIL() << "no port";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("variable=MASTER_PORT"));
  }
}

}  // namespace
}  // namespace askos::apps
