// SPDX-License-Identifier: Apache-2.0
// A thread per connection with libcurl, a handle per thread; with LAB_WORKERS that many threads,
// which close each connection after its answer. /h a pool of threads fed by a queue, /p two calls
// there.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>

namespace {

int Number(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

size_t Append(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

std::string Call(const std::string& path) {
  thread_local CURL* const handle = curl_easy_init();
  static const std::string base = std::string("http://127.0.0.1:") + std::getenv("LAB_BACKEND");
  std::string text;
  curl_easy_setopt(handle, CURLOPT_URL, (base + path).c_str());
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &text);
  if (const CURLcode code = curl_easy_perform(handle); code != CURLE_OK)
    return curl_easy_strerror(code);
  return text;
}

class Queue {
 public:
  void Push(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    filled_.notify_one();
  }

  void Work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return !jobs_.empty(); });
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
    }
  }

  void Start(int threads) {
    for (int i = 0; i < threads; ++i) std::thread(&Queue::Work, this).detach();
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<std::function<void()>> jobs_;
};

Queue hand_off;
Queue connections;

std::future<std::string> HandOver(const std::string& path) {
  auto task = std::make_shared<std::packaged_task<std::string()>>([path] { return Call(path); });
  hand_off.Push([task] { (*task)(); });
  return task->get_future();
}

std::string Answer(const std::string& path) {
  const size_t slash = path.find('/', 1);
  const std::string mode = path.substr(1, slash - 1);
  const std::string a = "/b/" + path.substr(slash + 1) + "/a";
  const std::string b = "/b/" + path.substr(slash + 1) + "/b";
  if (mode == "r") return Call(a);
  if (mode == "s") {
    const std::string first = Call(a);
    return first + Call(b);
  }
  if (mode == "h") return HandOver(a).get();
  if (mode == "p") {
    std::future<std::string> first = HandOver(a);
    std::future<std::string> second = HandOver(b);
    return first.get() + second.get();
  }
  return Call(path);
}

// Requests have no body, and the next one is not sent before the answer.
void Serve(int socket, bool keep) {
  std::string head;
  char buffer[4096];
  for (ssize_t got = 0; (got = recv(socket, buffer, sizeof(buffer), 0)) > 0;) {
    head.append(buffer, static_cast<size_t>(got));
    if (head.find("\r\n\r\n") == std::string::npos) continue;
    const size_t begin = head.find(' ') + 1;
    const std::string body = Answer(head.substr(begin, head.find(' ', begin) - begin));
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                               (keep ? "" : "\r\nConnection: close") + "\r\n\r\n" + body;
    if (send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0 || !keep) break;
    head.clear();
  }
  close(socket);
}

void Background() {
  Call("/b/bg/start");
  for (int n = 0;; ++n) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    Call("/b/bg/" + std::to_string(n));
  }
}

}  // namespace

int main() {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const int workers = Number("LAB_WORKERS", 0);
  hand_off.Start(Number("LAB_HANDOFF", 32));
  connections.Start(workers);
  if (Number("LAB_TIMER", 0) != 0) std::thread(Background).detach();

  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(Number("LAB_PORT", 0)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener, 256) != 0)
    return 1;
  for (;;) {
    const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (workers > 0) {
      connections.Push([socket] { Serve(socket, false); });
    } else {
      std::thread(Serve, socket, true).detach();
    }
  }
}
