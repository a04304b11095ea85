// SPDX-License-Identifier: Apache-2.0
// A container engine's API on a unix socket, whose every answer is the test's: slow, endless,
// garbage, cut short, or right.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace sonde {

class FakeEngine {
 public:
  FakeEngine() {
    std::string name = (std::filesystem::temp_directory_path() / "sonde-eng-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~FakeEngine() {
    Close();
    std::filesystem::remove_all(directory_);
  }
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  std::string socket() const { return directory_ + "/s"; }

  void Listen() {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket().copy(address.sun_path, sizeof(address.sun_path) - 1);
    unlink(address.sun_path);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) abort();
    if (listen(listener_, 16) != 0) abort();
    stop_ = false;
    thread_ = std::thread([this] { Accept(); });
  }
  // Ends every connection, the stream of events too.
  void Close() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    for (std::thread& connection : connections_) connection.join();
    connections_.clear();
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
    unlink(socket().c_str());
  }

  // By path. `raw`: the whole answer, head included; else a 200 with this body.
  void Answer(const std::string& path, const std::string& body) {
    AnswerRaw(path, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                        "\r\n\r\n" + body);
  }
  void AnswerRaw(const std::string& path, const std::string& raw) {
    const std::scoped_lock lock(mutex_);
    answers_[path] = raw;
  }
  void Forget(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    answers_.erase(path);
  }
  void set_delay(std::chrono::milliseconds delay) { delay_ms_ = delay.count(); }
  // A line on every open stream of events, and on those that come.
  void Event(const std::string& line) {
    const std::scoped_lock lock(mutex_);
    events_ += line + "\n";
  }
  int streams() const { return streams_; }
  int asked() const { return asked_; }

 private:
  void Accept() {
    while (!stop_) {
      pollfd ready{.fd = listener_, .events = POLLIN, .revents = 0};
      if (poll(&ready, 1, 10) != 1) continue;
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection >= 0) connections_.emplace_back([this, connection] { Serve(connection); });
    }
  }

  void Serve(int connection) {
    std::string request;
    while (!stop_) {
      pollfd ready{.fd = connection, .events = POLLIN, .revents = 0};
      if (poll(&ready, 1, 10) != 1) continue;
      char buffer[4096];
      const ssize_t size = read(connection, buffer, sizeof(buffer));
      if (size <= 0) break;
      request.append(buffer, static_cast<size_t>(size));
      if (request.find("\r\n\r\n") == std::string::npos) continue;
      const size_t begin = request.find(' ') + 1;
      const std::string path = request.substr(begin, request.find(' ', begin) - begin);
      request.clear();
      if (path.starts_with("/events")) {
        Stream(connection);
        break;
      }
      ++asked_;
      for (long waited = 0; waited < delay_ms_ && !stop_; waited += 10) usleep(10'000);
      Send(connection, Find(path));
    }
    close(connection);
  }

  std::string Find(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    const auto found = answers_.find(path);
    return found == answers_.end() ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                                   : found->second;
  }

  void Stream(int connection) {
    ++streams_;
    size_t sent = 0;
    Send(connection, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (!stop_) {
      std::string more;
      {
        const std::scoped_lock lock(mutex_);
        more = events_.substr(sent);
        sent = events_.size();
      }
      Send(connection, more);
      usleep(5'000);
    }
    --streams_;
  }

  static void Send(int connection, const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t size = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return;
      sent += static_cast<size_t>(size);
    }
  }

  std::string directory_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<long> delay_ms_{0};
  std::atomic<int> streams_{0};
  std::atomic<int> asked_{0};
  std::mutex mutex_;
  std::map<std::string, std::string> answers_;
  std::string events_;
  std::thread thread_;
  std::list<std::thread> connections_;
};

}  // namespace sonde
