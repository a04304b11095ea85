// SPDX-License-Identifier: Apache-2.0
#include "admin/admin_server.h"

#include <absl/status/status.h>
#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "admin/exposition.h"
#include "admin/process_metrics.h"
#include "sonde/base/metrics.h"
#include "sonde/base/page.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/metric.h"

namespace sonde::admin {
namespace {

constexpr size_t kWorkers = 1;             // beside the accepting thread
constexpr size_t kMaxRequestBytes = 4096;  // a body is never wanted
constexpr time_t kIoTimeoutSeconds = 2;    // a peer that stalls holds the one worker no longer
constexpr size_t kKeepAliveRequests = 20;
constexpr time_t kKeepAliveSeconds = 1;

struct Address {
  std::string host;
  int port = 0;
};

Result<Address> Parse(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  Address address;
  if (colon != std::string::npos && colon != 0 && colon + 1 < listen.size() &&
      listen.find_first_not_of("0123456789", colon + 1) == std::string::npos &&
      listen.size() - colon <= 6) {
    address.host = listen.substr(0, colon);
    address.port = std::stoi(listen.substr(colon + 1));
  }
  if (address.host.empty() || address.port > UINT16_MAX) {
    return absl::InvalidArgumentError("--listen: expected HOST:PORT or off, got \"" + listen +
                                      "\"");
  }
  if (address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  return address;
}

// Without the port and brackets.
std::string HostOf(const std::string& text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  return text.substr(0, text.find(':'));
}

bool IsAddress(const std::string& host) {
  in6_addr ignored{};
  return host == "localhost" || inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

class HttpAdminServer final : public AdminServer {
 public:
  HttpAdminServer(const MetricRegistry& metrics, ReadyFn ready, LinksFn links,
                  TracedMetricsFn traced, std::vector<Page> pages, bool on_loopback)
      : metrics_(metrics),
        ready_(std::move(ready)),
        links_(std::move(links)),
        traced_(std::move(traced)),
        pages_(std::move(pages)),
        on_loopback_(on_loopback) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kWorkers); };  // httplib owns it
    server_.set_payload_max_length(kMaxRequestBytes);
    server_.set_read_timeout(kIoTimeoutSeconds);
    server_.set_write_timeout(kIoTimeoutSeconds);
    server_.set_keep_alive_max_count(kKeepAliveRequests);
    server_.set_keep_alive_timeout(kKeepAliveSeconds);
    // Not httplib's default, which adds SO_REUSEPORT: two agents would share the port and each
    // answer half of the time.
    server_.set_socket_options([](socket_t socket) {
      const int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
    AddRoutes();
  }

  ~HttpAdminServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // False: the address cannot be had; errno says why.
  bool Start(const Address& address) {
    errno = 0;
    if (address.port == 0) {
      port_ = server_.bind_to_any_port(address.host.c_str());
      if (port_ <= 0) return false;
    } else {
      if (!server_.bind_to_port(address.host.c_str(), address.port)) return false;
      port_ = address.port;
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() before the loop runs would be lost, so the constructor's caller gets a running server.
    while (!server_.is_running()) std::this_thread::yield();
    return true;
  }

  uint16_t port() const override { return static_cast<uint16_t>(port_); }

 private:
  void AddRoutes() {
    server_.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("ok\n", "text/plain");
    });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      const bool ready = ready_();
      response.status = ready ? 200 : 503;
      response.set_content(ready ? "ready\n" : "not ready\n", "text/plain");
    });
    server_.Get("/links", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(links_ ? links_() : "[]\n", "application/json");
    });
    for (const Page& page : pages_) {
      server_.Get(page.path, [this, &page](const httplib::Request& request,
                                           httplib::Response& response) {
        const bool asked_for_us =
            !on_loopback_ || IsAddress(HostOf(request.get_header_value("Host")));
        const PageAnswer answer =
            asked_for_us ? page.read({request.params.begin(), request.params.end()})
                         : PageAnswer{.status = 403, .body = "{\"error\":\"not for this host\"}\n"};
        response.status = answer.status;
        response.set_content(answer.body, "application/json");
      });
    }
    server_.Get("/metrics", [this](const httplib::Request& request, httplib::Response& response) {
      auto families = metrics_.Snapshot();
      for (MetricFamily& family : ReadProcessMetrics()) families.push_back(std::move(family));
      const Exposition format = Negotiate(request.get_header_value("Accept"));
      const auto traced = traced_ ? traced_() : std::vector<ResourceMetrics>{};
      response.set_content(Expose(families, traced, format), ContentType(format));
    });
  }

  const MetricRegistry& metrics_;
  ReadyFn ready_;
  LinksFn links_;
  TracedMetricsFn traced_;
  const std::vector<Page> pages_;
  const bool on_loopback_;
  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
};

}  // namespace

bool IsLoopback(std::string_view listen) {
  const std::string host = HostOf(std::string(listen));
  return host == "localhost" || host == "::1" || (host.starts_with("127.") && IsAddress(host));
}

Result<std::unique_ptr<AdminServer>> AdminServer::Create(const AdminOptions& options,
                                                         const MetricRegistry& metrics,
                                                         ReadyFn ready, std::string* warning,
                                                         LinksFn links, TracedMetricsFn traced,
                                                         std::vector<Page> pages) {
  if (options.listen == "off") return nullptr;
  auto address = Parse(options.listen);
  if (!address.ok()) return address.status();
  auto server = std::make_unique<HttpAdminServer>(metrics, std::move(ready), std::move(links),
                                                  std::move(traced), std::move(pages),
                                                  IsLoopback(options.listen));
  if (server->Start(*address)) return server;
  const std::string reason = errno != 0 ? std::strerror(errno) : "host not found";
  const std::string text = "admin endpoint " + options.listen + ": " + reason;
  if (options.chosen) return absl::UnavailableError(text + "; choose another with --listen");
  if (warning != nullptr) *warning = text + "; going on without it (--listen HOST:PORT|off)";
  return nullptr;
}

}  // namespace sonde::admin
