// SPDX-License-Identifier: Apache-2.0
#include "page_server.hpp"

#include "access.hpp"
#include "bounded_server.hpp"
#include "open_metrics.hpp"
#include "page.hpp"

#include <askos/base/error.hpp>
#include <askos/telemetry/trace_files.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <sstream>
#include <thread>

namespace askos::apps {
namespace {

constexpr auto kUpdateInterval = std::chrono::milliseconds(500);
constexpr int kMostListeners = 6;
constexpr int kThreads = kMostListeners + 64;  // listeners keep one each, idle clients for a while
constexpr std::size_t kMostRequestBytes = std::size_t{64} << 10;
constexpr int kDeepest = 8;  // nested objects and arrays of a command

int status_of(const Error& error) {
  switch (error.code()) {
    case Errc::kNotFound: return 404;
    case Errc::kEnvironment: return 502;
    default: return 400;
  }
}

/// Reads a command; null if it is none. A text that nests deeply would cost as deep a recursion
/// later on.
Json parse_command(const std::string& text) {
  bool is_deep = false;
  const auto look = [&](int depth, Json::parse_event_t, Json&) {
    is_deep = is_deep || depth > kDeepest;
    return !is_deep;
  };
  Json asked = Json::parse(text, look, /*allow_exceptions=*/false);
  const bool is_command =
      !is_deep && asked.is_object() && asked.contains("verb") && asked.at("verb").is_string();
  return is_command ? asked : Json();
}

void refuse(httplib::Response& response, int status, const std::string& message) {
  response.status = status;
  response.set_content(Json{{"ok", false}, {"error", {{"message", message}}}}.dump(),
                       "application/json");
}

}  // namespace

class PageServer::Impl {
 public:
  Impl(RunningSource& source, const PageServerOptions& options)
      : source_(source), options_(options), token_(make_token()), page_(make_page()) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(kMostRequestBytes);
    server_.set_tcp_nodelay(true);
    // The library's default lets another server of the same user share the port.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_default_headers({{"X-Content-Type-Options", "nosniff"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"X-Frame-Options", "DENY"},
                                 {"Cache-Control", "no-store"}});
    server_.set_error_handler([](const auto&, auto& response) {
      if (response.body.empty()) {  // refused by the library
        refuse(response, response.status, "the server refuses the request");
      }
    });
    server_.Get("/",
                [this](const auto&, auto& response) { response.set_content(page_, "text/html"); });
    guarded_get("/events", [this](const auto&, auto& response) { stream(response); });
    guarded_get("/trace",
                [this](const auto& request, auto& response) { trace(request, response); });
    guarded_get("/metrics", [this](const auto&, auto& response) {
      response.set_content(to_open_metrics(source_.ask({{"verb", "status"}})), kOpenMetricsType);
    });
    server_.Post("/command", [this](const auto& request, auto& response) {
      guard(request, response, [&] { command(request, response); });
    });
    port_ = options.port == 0 ? server_.bind_to_any_port("127.0.0.1") : options.port;
    if (port_ < 0 || (options.port != 0 && !server_.bind_to_port("127.0.0.1", port_))) {
      throw Error(Errc::kEnvironment, "cannot listen on the port").with("port", options.port);
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) {
      std::this_thread::yield();  // it would not heed `stop` before
    }
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    stopped_.notify_all();
    server_.stop();
    thread_.join();
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] std::string address() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/#token=" + token_;
  }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  template <typename Body>
  void guard(const Request& request, Response& response, Body&& body) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string given = request.get_header_value("Authorization");
    if (!given.starts_with(kScheme) ||
        !same_token(std::string_view(given).substr(kScheme.size()), token_)) {
      refuse(response, 401, "wrong token: open the address that `askos ui` printed");
      return;
    }
    try {
      body();
    } catch (const Error& error) {
      refuse(response, status_of(error), error.what());
    } catch (const std::exception& error) {
      refuse(response, 500, error.what());
    }
  }

  template <typename Body>
  void guarded_get(const char* path, Body&& body) {
    server_.Get(path, [this, body](const Request& request, Response& response) {
      guard(request, response, [&] { body(request, response); });
    });
  }

  /// Server-sent events: every answer as it comes, until the client or the graph has gone.
  void stream(Response& response) {
    if (num_listeners_.fetch_add(1) >= kMostListeners) {
      --num_listeners_;
      refuse(response, 503, "too many pages are open");
      return;
    }
    const auto feed = std::make_shared<PageFeed>(source_, options_.read_only ? "" : debugger_);
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, feed](std::size_t, httplib::DataSink& sink) { return send_update(*feed, sink); },
        [this](bool) { --num_listeners_; });
  }

  bool send_update(PageFeed& feed, httplib::DataSink& sink) {
    const auto send = [&](const char* event, const std::string& json) {
      const std::string text = "event: " + std::string(event) + "\ndata: " + json + "\n\n";
      return sink.write(text.data(), text.size());
    };
    try {
      if (!feed.update(send)) {
        return false;
      }
    } catch (const std::exception& error) {
      send("gone", Json{{"message", error.what()}}.dump());
      sink.done();
      return false;
    }
    std::unique_lock lock(mutex_);
    return !stopped_.wait_for(lock, kUpdateInterval, [this] { return stop_; });
  }

  void command(const Request& request, Response& response) {
    const Json asked = parse_command(request.body);
    if (asked.is_null()) {
      refuse(response, 400, "a command is a JSON object with a verb");
      return;
    }
    const auto verb = asked.at("verb").get<std::string>();
    const auto kind = kind_of_verb(verb);
    if (kind == VerbKind::kUnknown) {
      refuse(response, 404, "unknown verb: verb=" + verb);
    } else if (kind == VerbKind::kChanges && options_.read_only) {
      refuse(response, 403, "this page is read-only: verb=" + verb);
    } else {
      Json sent = asked;
      sent["debugger"] = debugger_;
      response.set_content(Json{{"ok", true}, {"result", source_.ask(sent)}}.dump(),
                           "application/json");
    }
  }

  void trace(const Request& request, Response& response) {
    Json asked{{"verb", "trace"}};
    if (request.has_param("last_ms")) {
      asked["last_ms"] = std::atoi(request.get_param_value("last_ms").c_str());
    }
    std::ostringstream file;
    write_perfetto(telemetry::trace_from_json(source_.ask(asked).dump()), file);
    response.set_content(file.str(), "application/octet-stream");
  }

  RunningSource& source_;
  const PageServerOptions options_;
  const std::string token_;
  const std::string page_;
  const std::string debugger_ = "page " + std::to_string(::getpid());
  BoundedServer server_;
  int port_ = 0;
  std::atomic<int> num_listeners_{0};
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
};

PageServer::PageServer(RunningSource& source, const PageServerOptions& options)
    : impl_(std::make_unique<Impl>(source, options)) {}

PageServer::~PageServer() = default;

std::string PageServer::address() const {
  return impl_->address();
}

}  // namespace askos::apps
