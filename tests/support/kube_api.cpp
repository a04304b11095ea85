// SPDX-License-Identifier: Apache-2.0
#include "support/kube_api.h"

#include <algorithm>
#include <chrono>

namespace sonde::support {
namespace {

KubeApi::Json Refusal(int code, const std::string& message) {
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"status", "Failure"},
          {"code", code},
          {"message", message}};
}

std::string Line(const std::string& type, const KubeApi::Json& object) {
  return KubeApi::Json{{"type", type}, {"object", object}}.dump() + "\n";
}

constexpr const char* kPods = "/api/v1/pods";
constexpr const char* kServices = "/api/v1/services";

std::string PathOf(const KubeApi::Json& object) {
  return object.value("kind", "Pod") == "Service" ? kServices : kPods;
}

}  // namespace

KubeApi::KubeApi(int port) {
  server_.Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
    Script script;
    {
      const std::scoped_lock lock(mutex_);
      tokens_.push_back(request.get_header_value("Authorization"));
      queries_.push_back(request.target);
      script = script_;
    }
    const Answer answer = script ? script(request) : Answer{};
    if (answer.delay_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(answer.delay_ms));
    }
    if (answer.status != 0) {
      response.status = answer.status;
      response.set_content(answer.body, "application/json");
      return;
    }
    if (request.path == kPods || request.path == kServices || request.path == "/pods") {
      return OnObjects(request, response);
    }
    const std::scoped_lock lock(mutex_);
    ++counts_["get"];
    const auto found = objects_.find(request.path);
    response.status = found == objects_.end() ? 404 : 200;
    response.set_content(
        (found == objects_.end() ? Refusal(404, "not found") : found->second).dump(),
        "application/json");
  });
  // Each watch holds a thread.
  server_.new_task_queue = [] { return new httplib::ThreadPool(16); };
  port_ = port == 0 ? server_.bind_to_any_port("127.0.0.1")
                    : (server_.bind_to_port("127.0.0.1", port) ? port : -1);
  thread_ = std::thread([this] { server_.listen_after_bind(); });
  while (!server_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

KubeApi::~KubeApi() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  server_.stop();
  thread_.join();
}

void KubeApi::Put(Json object) {
  {
    const std::scoped_lock lock(mutex_);
    const std::string uid = object["metadata"]["uid"];
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    const std::string path = PathOf(object);
    auto& known = collections_[path];
    const std::string line = Line(known.contains(uid) ? "MODIFIED" : "ADDED", object);
    known[uid] = std::move(object);
    changes_.push_back({version_, path, line});
  }
  changed_.notify_all();
}

void KubeApi::Delete(const std::string& uid) {
  {
    const std::scoped_lock lock(mutex_);
    for (auto& [path, objects] : collections_) {
      const auto found = objects.find(uid);
      if (found == objects.end()) continue;
      found->second["metadata"]["resourceVersion"] = std::to_string(++version_);
      changes_.push_back({version_, path, Line("DELETED", found->second)});
      objects.erase(found);
    }
  }
  changed_.notify_all();
}

void KubeApi::SetObject(const std::string& path, Json object) {
  const std::scoped_lock lock(mutex_);
  objects_[path] = std::move(object);
}

void KubeApi::Expire() {
  {
    const std::scoped_lock lock(mutex_);
    changes_.clear();
    oldest_ = ++version_;
    ++generation_;
  }
  changed_.notify_all();
}

void KubeApi::EndWatches() {
  {
    const std::scoped_lock lock(mutex_);
    ++generation_;
  }
  changed_.notify_all();
}

void KubeApi::SendRaw(const std::string& text) {
  {
    const std::scoped_lock lock(mutex_);
    changes_.push_back({++version_, kPods, text});
  }
  changed_.notify_all();
}

void KubeApi::SetScript(Script script) {
  const std::scoped_lock lock(mutex_);
  script_ = std::move(script);
}

std::vector<std::string> KubeApi::tokens() const {
  const std::scoped_lock lock(mutex_);
  return tokens_;
}

std::vector<std::string> KubeApi::queries() const {
  const std::scoped_lock lock(mutex_);
  return queries_;
}

int KubeApi::open_watches() const {
  const std::scoped_lock lock(mutex_);
  return open_watches_;
}

int KubeApi::Count(const std::string& what) const {
  const std::scoped_lock lock(mutex_);
  const auto found = counts_.find(what);
  return found == counts_.end() ? 0 : found->second;
}

void KubeApi::OnObjects(const httplib::Request& request, httplib::Response& response) {
  if (request.get_param_value("watch") == "true") {
    const int from = std::stoi("0" + request.get_param_value("resourceVersion"));
    return OnWatch(request.path, from, response);
  }
  OnList(request, response);
}

void KubeApi::OnList(const httplib::Request& request, httplib::Response& response) {
  const std::scoped_lock lock(mutex_);
  ++counts_["list"];
  const size_t limit = std::stoul("0" + request.get_param_value("limit"));
  const std::string token = request.get_param_value("continue");  // "version/index"
  const size_t slash = token.find('/');
  const std::string version = token.empty() ? std::to_string(version_) : token.substr(0, slash);
  const std::string path = request.path == kServices ? kServices : kPods;
  Snapshot& snapshot = snapshots_[path + version];
  if (snapshot.version == 0) {
    snapshot.version = version_;
    for (const auto& [uid, object] : collections_[path]) snapshot.items.push_back(object);
  }
  Json list = {
      {"kind", "PodList"}, {"metadata", {{"resourceVersion", version}}}, {"items", Json::array()}};
  size_t at = token.empty() ? 0 : std::stoul(token.substr(slash + 1));
  for (; at < snapshot.items.size(); ++at) {
    if (limit != 0 && list["items"].size() == limit) {
      list["metadata"]["continue"] = version + "/" + std::to_string(at);
      break;
    }
    list["items"].push_back(snapshot.items[at]);
  }
  response.set_content(list.dump(), "application/json");
}

void KubeApi::OnWatch(const std::string& path, int from, httplib::Response& response) {
  const std::scoped_lock lock(mutex_);
  ++counts_["watch"];
  if (from < oldest_) {
    // The real one answers so, too, when the version is too old at the start.
    response.set_content(Line("ERROR", Refusal(410, "too old resource version")),
                         "application/json");
    return;
  }
  response.set_chunked_content_provider(
      "application/json",
      [this, watcher = Watcher{.path = path, .sent = from, .generation = generation_}](
          size_t, httplib::DataSink& sink) mutable { return NextLines(sink, watcher); });
}

bool KubeApi::NextLines(httplib::DataSink& sink, Watcher& watcher) {
  std::string text;
  bool end = false;
  {
    std::unique_lock lock(mutex_);
    if (!watcher.opened) ++open_watches_;
    watcher.opened = true;
    changed_.wait_for(lock, std::chrono::milliseconds(500), [&] {
      return stop_ || watcher.generation != generation_ ||
             (!changes_.empty() && changes_.back().version > watcher.sent);
    });
    for (const Change& change : changes_) {
      if (change.version > watcher.sent && change.path == watcher.path) text += change.line;
    }
    end = stop_ || watcher.generation != generation_;
    if (text.empty() && !end) {
      text = Line("BOOKMARK", {{"metadata", {{"resourceVersion", std::to_string(version_)}}}});
    }
    watcher.sent = version_;
    if (end) --open_watches_;
  }
  if (!text.empty() && !sink.write(text.data(), text.size())) {
    const std::scoped_lock lock(mutex_);
    if (!end) --open_watches_;
    return false;
  }
  if (end) sink.done();
  return true;
}

KubeApi::Json KubeApi::MakePod(const std::string& name, const std::string& uid,
                               const std::string& container_id) {
  return {{"metadata",
           {{"name", name},
            {"namespace", "shop"},
            {"uid", uid},
            {"creationTimestamp", "2026-11-22T01:00:00Z"},
            {"labels", {{"app", name}}}}},
          {"spec",
           {{"nodeName", "node-1"},
            {"containers",
             Json::array({{{"name", "main"},
                           {"image", "registry:5000/shop/web:1.2"},
                           {"env", Json::array({{{"name", "SECRET"}, {"value", "x"}}})}}})}}},
          {"status",
           {{"phase", "Running"},
            {"containerStatuses", Json::array({{{"name", "main"},
                                                {"containerID", "containerd://" + container_id},
                                                {"restartCount", 2}}})}}}};
}

KubeApi::Json KubeApi::MakeService(const std::string& name, const std::string& uid,
                                   const std::string& address) {
  return {{"kind", "Service"},
          {"metadata", {{"name", name}, {"namespace", "shop"}, {"uid", uid}}},
          {"spec", {{"clusterIP", address}, {"clusterIPs", Json::array({address})}}}};
}

}  // namespace sonde::support
