// SPDX-License-Identifier: Apache-2.0
// A Kubernetes API server as its clients see it: lists in pages, watches with bookmarks, resource
// versions that expire, refusals. Holds pods and services that the test puts into it; and can be
// told to answer badly.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace sonde::support {

class KubeApi {
 public:
  using Json = nlohmann::json;

  explicit KubeApi(int port = 0);
  ~KubeApi();

  int port() const { return port_; }
  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // New or changed: a pod, or of kind "Service". The resource version is set here.
  void Put(Json object);
  void Delete(const std::string& uid);
  // What a GET of this path gives; without one, 404.
  void SetObject(const std::string& path, Json object);
  // Watches from before now are answered with 410; those that run are ended with it.
  void Expire();
  void EndWatches();
  // A line into every watch that runs.
  void SendRaw(const std::string& text);

  // Called before each answer; what it returns is sent instead, unless the status is 0.
  struct Answer {
    int status = 0;
    std::string body{};
    int delay_ms = 0;
  };
  using Script = std::function<Answer(const httplib::Request&)>;
  void SetScript(Script script);

  int lists() const { return Count("list"); }
  int watches() const { return Count("watch"); }
  int gets() const { return Count("get"); }
  std::vector<std::string> tokens() const;  // of every request
  std::vector<std::string> queries() const;
  int open_watches() const;

  static Json MakePod(const std::string& name, const std::string& uid,
                      const std::string& container_id);
  static Json MakeService(const std::string& name, const std::string& uid,
                          const std::string& address);

 private:
  struct Change {
    int version;
    std::string path;
    std::string line;
  };
  int Count(const std::string& what) const;
  void Serve();
  void OnObjects(const httplib::Request& request, httplib::Response& response);
  void OnList(const httplib::Request& request, httplib::Response& response);
  void OnWatch(const std::string& path, int from, httplib::Response& response);
  // Of one watch, as far as it has come.
  struct Watcher {
    std::string path;
    int sent = 0;
    int generation = 0;
    bool opened = false;
  };
  bool NextLines(httplib::DataSink& sink, Watcher& watcher);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::map<std::string, Json>> collections_;  // by path and uid
  std::map<std::string, Json> objects_;
  // Of lists whose pages are being read: all pages are of one moment.
  struct Snapshot {
    int version = 0;
    std::vector<Json> items;
  };
  std::map<std::string, Snapshot> snapshots_;
  std::deque<Change> changes_;
  std::map<std::string, int> counts_;
  std::vector<std::string> tokens_;
  std::vector<std::string> queries_;
  int version_ = 100;
  int oldest_ = 0;
  int generation_ = 0;
  bool stop_ = false;
  int open_watches_ = 0;
  Script script_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace sonde::support
