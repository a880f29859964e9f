// SPDX-License-Identifier: Apache-2.0
#include "inspector_verbs.hpp"
#include "stepping_clock.hpp"
#include "unix_socket.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/inspector.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <random>
#include <thread>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

/// source -> slow -> sink on virtual time.
std::unique_ptr<Session> make_session(SteppingClock& clock, const std::string& name = "chain") {
  Graph graph(name);
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{});
  auto& slow = graph.add<synthetic::Work>("slow", synthetic::WorkOptions{.service = {.time = 5ms}});
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
  graph.connect(source.out, slow.in);
  graph.connect(slow.out, sink.in);
  return start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
}

/// A folder of its own for each test.
class InspectorTest : public ::testing::Test {
 protected:
  InspectorTest() {
    std::string name = ::testing::TempDir() + "askos-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~InspectorTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] InspectorOptions options() const { return {.folder = folder_ / "sockets"}; }

  static json ask_json(const Inspector& inspector, const json& request) {
    return json::parse(ask(inspector.socket(), request.dump()));
  }

  std::filesystem::path folder_;
};

TEST_F(InspectorTest, AnswersEveryVerb) {
  SteppingClock clock;
  const auto session = make_session(clock);
  (void)session->wait(1s);
  const Inspector inspector(options());
  const auto attachment = inspector.attach(*session);

  const auto ps = ask_json(inspector, {{"verb", "ps"}, {"id", "q1"}});
  EXPECT_EQ(ps["ok"], true) << ps;
  EXPECT_EQ(ps["id"], "q1");
  EXPECT_EQ(ps["protocol"], 1);
  ASSERT_EQ(ps["result"].size(), 1U);
  EXPECT_EQ(ps["result"][0]["graph"], "chain");
  EXPECT_EQ(ps["result"][0]["pid"], ::getpid());
  EXPECT_EQ(ps["result"][0]["verdict"], "limited");
  EXPECT_THAT(ps["result"][0]["root"].get<std::string>(), HasSubstr("slow wait.io"));
  EXPECT_NEAR(ps["result"][0]["packets_per_s"].get<double>(), 200, 2);

  const auto top = ask_json(inspector, {{"verb", "top"}})["result"];
  EXPECT_EQ(top["stages"][1]["stage"], "slow");
  EXPECT_NEAR(top["stages"][1]["fraction"]["wait.io"].get<double>(), 1, 0.01);
  EXPECT_EQ(top["edges"][0]["edge"], "source.out>slow.in");
  EXPECT_GT(top["edges"][0]["waited_for_credit_s"].get<double>(), 0.9);

  const auto why = ask_json(inspector, {{"verb", "why"}, {"stage", "source"}})["result"];
  EXPECT_EQ(why["victim"], "source");
  EXPECT_EQ(why["root"]["stage"], "slow");

  const auto status = ask_json(inspector, {{"verb", "status"}})["result"];
  EXPECT_EQ(status["stages"].size(), 3U);
  EXPECT_EQ(status["edges"][0]["packets"], session->status().edges[0].num_packets);

  const auto dot = ask_json(inspector, {{"verb", "dot"}})["result"]["dot"].get<std::string>();
  EXPECT_THAT(dot, HasSubstr("\"source\" -> \"slow\" [label=\"2/2\"];"));

  const auto trace = ask_json(inspector, {{"verb", "trace"}});
  EXPECT_EQ(trace["ok"], true);
  EXPECT_FALSE(trace["result"]["events"].empty());
  EXPECT_EQ(trace["result"]["overlap"].size(), 1U);  // one rank
  session->stop();
}

TEST_F(InspectorTest, LooksBackNoFurtherThanItIsAsked) {
  SteppingClock clock;
  const auto session = make_session(clock);
  std::vector<InspectedSession> sessions{{.number = 1, .session = session.get(), .history = {}}};
  for (int i = 0; i < 20; ++i) {
    (void)session->wait(100ms);
    sessions[0].history.push_back(session->status());
  }
  const auto window = [&](const char* request) {
    return json::parse(answer(request, sessions))["result"]["window_s"].get<double>();
  };
  EXPECT_NEAR(window(R"({"verb":"why","window_ms":500})"), 0.5, 0.101);
  EXPECT_NEAR(window(R"({"verb":"top","window_ms":1})"), 0, 0.101);
  EXPECT_NEAR(window(R"({"verb":"why"})"), 2, 0.001);
  session->stop();
}

TEST_F(InspectorTest, RefusesWhatItDoesNotKnow) {
  SteppingClock clock;
  const auto session = make_session(clock);
  const auto other = make_session(clock, "other");
  const Inspector inspector(options());
  auto first = inspector.attach(*session);
  const auto message = [&](const std::string& request) {
    const auto reply = json::parse(ask(inspector.socket(), request));
    EXPECT_EQ(reply["ok"], false) << request;
    EXPECT_EQ(reply["error"]["exit_code"], 2) << request;
    return reply["error"]["message"].get<std::string>();
  };
  EXPECT_EQ(message("hello"), "a request is a JSON object on one line");
  EXPECT_EQ(message("[1]"), "a request is a JSON object on one line");
  EXPECT_EQ(message(R"({"verb":"wyh"})"), "unknown verb: verb=wyh, nearest=why");
  EXPECT_EQ(message(R"({"verb":3})"), "key of the wrong type: key=verb, expected=text");
  EXPECT_EQ(message(R"({"verb":"why","stage":"slwo"})"),
            "no stage of that name: stage=slwo, nearest=slow");
  EXPECT_EQ(message(R"({"verb":"top","session":7})"),
            "no session of that number: session=7, known=1");
  EXPECT_EQ(message(std::string(100'000, 'x')), "request is too long");
  auto second = inspector.attach(*other);
  EXPECT_EQ(message(R"({"verb":"top"})"), "say which session: session=0, known='1, 2'");
  EXPECT_EQ(ask_json(inspector, {{"verb", "top"}, {"session", 2}})["result"]["graph"], "other");
  second = {};
  EXPECT_EQ(ask_json(inspector, {{"verb", "ps"}})["result"].size(), 1U);
  first = {};
  EXPECT_EQ(ask_json(inspector, {{"verb", "ps"}})["result"].size(), 0U);
  session->stop();
  other->stop();
}

TEST_F(InspectorTest, AnswersAnyBytesWithOneLineOfJson) {
  SteppingClock clock;
  const auto session = make_session(clock);
  (void)session->wait(100ms);
  const std::vector<InspectedSession> sessions{
      {.number = 1, .session = session.get(), .history = {}}};
  const std::vector<std::string> seeds{
      R"({"verb":"ps"})", R"({"verb":"why","stage":"slow","window_ms":1000,"id":[1,{"a":null}]})",
      R"({"verb":"top","session":1})", R"({"verb":"dot"})"};
  std::mt19937 random(42);
  for (int i = 0; i < 20'000; ++i) {
    std::string request = seeds[random() % seeds.size()];
    for (auto edits = 1 + random() % 4; edits > 0; --edits) {
      const auto place = random() % request.size();
      switch (random() % 3) {
        case 0: request[place] = static_cast<char>(random()); break;
        case 1: request.erase(place, 1 + random() % 3); break;
        default: request.insert(place, request.substr(random() % request.size(), 5)); break;
      }
      if (request.empty()) request = "{";
    }
    const std::string reply = answer(request, sessions);
    ASSERT_TRUE(json::accept(reply)) << request << "\n" << reply;
    ASSERT_EQ(reply.find('\n'), std::string::npos);
  }
  session->stop();
}

TEST_F(InspectorTest, ServesNewcomersHoweverManyClientsIdle) {
  auto few = options();
  few.max_clients = 8;
  const Inspector inspector(few);
  std::vector<Descriptor> idle(20);
  for (auto& client : idle) {
    while (!client.is_open()) {
      (void)connect_to(inspector.socket(), client);  // the backlog may be full for a moment
    }
    EXPECT_EQ(ask_json(inspector, {{"verb", "ps"}})["ok"], true);
  }
}

TEST_F(InspectorTest, AnswersBesideAThousandIdleConnections) {
  SteppingClock clock;
  const auto session = make_session(clock);
  const Inspector inspector(options());
  const auto attachment = inspector.attach(*session);
  std::vector<Descriptor> idle(1000);
  std::size_t num_tried = 0;
  for (auto& client : idle) {  // beyond table and backlog they are turned away
    num_tried += connect_to(inspector.socket(), client) == Reach::kOther ? 0 : 1;
  }
  EXPECT_EQ(num_tried, idle.size());
  EXPECT_EQ(json::parse(ask(inspector.socket(), R"({"verb":"hold"})", 20s))["ok"], true);
  session->stop();
}

TEST_F(InspectorTest, IsNotHeldUpByAClientThatDoesNotRead) {
  SteppingClock clock;
  const auto session = make_session(clock);
  const Inspector inspector(options());
  const auto attachment = inspector.attach(*session);
  Descriptor greedy;
  ASSERT_EQ(connect_to(inspector.socket(), greedy), Reach::kConnected);
  const std::string request = "{\"verb\":\"status\"}\n";
  for (int i = 0; i < 10'000; ++i) {
    if (::send(greedy.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) break;
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ask_json(inspector, {{"verb", "ps"}})["ok"], true);
  }
  session->stop();
}

TEST_F(InspectorTest, SaysThatABusyProcessIsLate) {
  prepare_socket_folder(options().folder);
  const auto [listener, socket] = listen_in(options().folder);
  std::vector<Descriptor> backlog;
  for (Reach reach = Reach::kConnected; reach == Reach::kConnected;) {
    reach = connect_to(socket, backlog.emplace_back());
  }
  EXPECT_EQ(find_processes(options().folder).size(), 1U);  // busy is not dead
  try {
    (void)ask(socket, "{}", 1ms);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kStalled) << error.what();
  }
}

TEST_F(InspectorTest, KeepsItsSocketToItsUserAndCleansUp) {
  std::filesystem::path socket;
  {
    const Inspector inspector(options());
    const Inspector second(options());
    socket = inspector.socket();
    EXPECT_EQ(socket.filename(), std::to_string(::getpid()) + ".sock");
    EXPECT_EQ(second.socket().filename(), std::to_string(::getpid()) + "-2.sock");
    struct stat status{};
    ASSERT_EQ(::stat(socket.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    ASSERT_EQ(::stat(socket.parent_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
    EXPECT_EQ(find_processes(options().folder).size(), 2U);
  }
  EXPECT_FALSE(std::filesystem::exists(socket));
  EXPECT_TRUE(find_processes(options().folder).empty());
}

TEST_F(InspectorTest, RemovesTheSocketsOfTheDead) {
  std::filesystem::create_directory(options().folder);
  std::filesystem::permissions(options().folder, std::filesystem::perms::owner_all);
  const auto stale = options().folder / "12345.sock";
  {
    const Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    stale.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(descriptor.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(stale));
  const Inspector inspector(options());
  EXPECT_FALSE(std::filesystem::exists(stale));
}

TEST_F(InspectorTest, IsNotTakenForDeadWhileItStarts) {
  const Inspector first(options());  // makes the folder
  const std::jthread cleaner([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      (void)find_processes(options().folder);
    }
  });
  for (int i = 0; i < 200; ++i) {
    const Inspector inspector(options());
    ASSERT_EQ(ask_json(inspector, {{"verb", "ps"}})["ok"], true);
  }
}

TEST_F(InspectorTest, TrustsNoFolderThatOthersCanWriteTo) {
  std::filesystem::create_directory(options().folder);
  std::filesystem::permissions(options().folder, std::filesystem::perms::all);
  EXPECT_THROW(Inspector{options()}, Error);
  std::filesystem::create_directory_symlink(folder_, folder_ / "link");
  EXPECT_THROW(Inspector{InspectorOptions{.folder = folder_ / "link"}}, Error);
}

TEST_F(InspectorTest, TellsWhenNobodyListens) {
  try {
    (void)ask(folder_ / "1.sock", "{}");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
  }
}

TEST_F(InspectorTest, WatchesASessionOnManyThreads) {
  Graph graph("busy");
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{.count = 20'000});
  auto& work = graph.add<synthetic::Work>("work", synthetic::WorkOptions{});
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{.check = true});
  graph.connect(source.out, work.in, {.credit = 16});
  graph.connect(work.out, sink.in, {.credit = 16});
  auto hasty = options();
  hasty.snapshot_interval = 1ms;
  const Inspector inspector(hasty);
  const auto session = start(Plan(std::move(graph)));
  const auto attachment = inspector.attach(*session);
  while (!session->wait(Nanoseconds(0))) {
    for (const char* verb : {"ps", "top", "why", "dot", "status", "trace"}) {
      EXPECT_EQ(ask_json(inspector, {{"verb", verb}})["ok"], true);
    }
  }
  EXPECT_TRUE(session->wait(Nanoseconds(0))->ok());
}

}  // namespace
}  // namespace askos::dataflow
