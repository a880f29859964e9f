// SPDX-License-Identifier: Apache-2.0
// The inspector's table of connections, round by round on one thread and a clock of our own.
#include "inspector_clients.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace askos::dataflow {
namespace {

class InspectorClientsTest : public ::testing::Test {
 protected:
  static constexpr int kMaxClients = 4;

  InspectorClientsTest() {
    std::string name = ::testing::TempDir() + "askos-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    Descriptor listener;
    std::tie(listener, socket_) = listen_in(folder_);
    clients_.emplace(std::move(listener), kMaxClients,
                     [](std::string_view request) { return std::string(request); });
  }
  ~InspectorClientsTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] Descriptor connect() const {
    Descriptor client;
    EXPECT_EQ(connect_to(socket_, client), Reach::kConnected);
    return client;
  }

  static void say(const Descriptor& client, const std::string& line) {
    EXPECT_EQ(::send(client.get(), line.data(), line.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size()));
  }

  /// Returns what has arrived: "" is nothing yet, and no text is a connection that is closed.
  static std::optional<std::string> hear(const Descriptor& client) {
    std::string text(100, '\0');
    const auto size = ::recv(client.get(), text.data(), text.size(), 0);
    if (size == 0 || (size < 0 && errno != EAGAIN)) return std::nullopt;
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return text;
  }

  /// Serves until nothing is left to do.
  void serve(Nanoseconds now) {
    for (;;) {
      std::vector<pollfd> polls;
      clients_->append_polls(polls, now);
      if (::poll(polls.data(), polls.size(), 0) <= 0) return;
      clients_->serve(polls.data(), now);
    }
  }

  std::filesystem::path folder_;
  std::filesystem::path socket_;
  std::optional<InspectorClients> clients_;
};

TEST_F(InspectorClientsTest, TheDeadNeverCostALiveClientItsPlace) {
  for (int num_before = 0; num_before < 3 * kMaxClients; ++num_before) {
    for (int i = 0; i < num_before; ++i) (void)connect();
    const Descriptor waiting = connect();
    const Descriptor silent = connect();
    say(waiting, "ps\n");
    for (int i = 0; i < 3 * kMaxClients; ++i) (void)connect();
    serve(Nanoseconds(0));
    EXPECT_EQ(hear(waiting), "ps\n") << "dead ones in front: " << num_before;
    say(silent, "top\n");
    serve(Nanoseconds(0));
    EXPECT_EQ(hear(silent), "top\n") << "dead ones in front: " << num_before;
  }
}

TEST_F(InspectorClientsTest, ANewcomerWaitsUntilSomebodyLeaves) {
  std::vector<Descriptor> clients;
  for (int i = 0; i < kMaxClients; ++i) clients.push_back(connect());
  const Descriptor newcomer = connect();
  say(newcomer, "ps\n");
  serve(Nanoseconds(0));
  EXPECT_EQ(hear(newcomer), "");
  clients.erase(clients.begin() + 1);
  serve(Nanoseconds(0));
  EXPECT_EQ(hear(newcomer), "ps\n");
  for (const auto& client : clients) EXPECT_EQ(hear(client), "");
}

TEST_F(InspectorClientsTest, ANewcomerTakesThePlaceOfTheClientThatIsIdleLongest) {
  std::vector<Descriptor> clients;
  for (int i = 0; i < kMaxClients; ++i) clients.push_back(connect());
  serve(Nanoseconds(0));
  say(clients[0], "ps\n");
  serve(Nanoseconds(1));
  const Descriptor newcomer = connect();
  say(newcomer, "why\n");
  serve(InspectorClients::kPatience - Nanoseconds(1));
  EXPECT_EQ(hear(newcomer), "");
  serve(InspectorClients::kPatience);
  EXPECT_EQ(hear(newcomer), "why\n");
  EXPECT_EQ(hear(clients[0]), "ps\n");
  EXPECT_EQ(hear(clients[1]), std::nullopt);
  EXPECT_EQ(hear(clients[2]), "");
}

}  // namespace
}  // namespace askos::dataflow
