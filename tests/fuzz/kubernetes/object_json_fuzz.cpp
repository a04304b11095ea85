// SPDX-License-Identifier: Apache-2.0
// Answers of an API server and a kubelet, and what is made of them. Input: the text of a list, a
// line of a watch, or an object.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "container/line_splitter.h"
#include "kubernetes/object_json.h"
#include "kubernetes/owner_names.h"
#include "kubernetes/pod_table.h"
#include "kubernetes/service_table.h"
#include "sonde/base/metrics.h"
#include "support/fuzz_input.h"

namespace {

using sonde::kubernetes::Pod;
using sonde::kubernetes::PodTable;
using sonde::kubernetes::Service;
using sonde::kubernetes::ServiceTable;
using sonde::testing::Require;

void CheckText(const std::string& text, size_t limit) {
  Require(text.size() <= limit);
  for (const char c : text) Require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
}

void CheckPod(const Pod& pod) {
  Require(!pod.uid.empty() && !pod.name.empty());
  CheckText(pod.name, 512);
  for (const auto& [key, value] : pod.labels) {
    CheckText(key, 255);
    CheckText(value, sonde::kMaxLabelBytes);
  }
  Require(pod.labels.size() <= 256 && pod.annotations.size() <= 256);
  Require(pod.containers.size() <= 128 && pod.owners.size() <= 8);
  static_cast<void>(sonde::kubernetes::DeriveOwner(pod));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t cut = 0;
  static_cast<void>(sonde::kubernetes::ParseObject(text, &cut));
  sonde::MetricRegistry metrics;
  PodTable table(
      {.max_pods = 4, .cluster = "", .wanted_env = {"A"}},
      [](const Pod&, sonde::PodFacts&) { return true; }, metrics);
  const auto now = PodTable::Clock::now();
  if (auto page = sonde::kubernetes::ParseList<Pod>(text, &cut)) {
    for (const Pod& pod : page->items) CheckPod(pod);
    table.Replace(std::move(page->items), now);
  }
  ServiceTable services(4, metrics);
  if (const auto page = sonde::kubernetes::ParseList<Service>(text, &cut)) {
    services.Replace(page->items);
    for (const Service& service : page->items) CheckText(service.name, 512);
  }
  sonde::container::LineSplitter lines(4096);
  lines.Add(text, [&](std::string_view line) {
    if (const auto event = sonde::kubernetes::ParseWatchEvent<Service>(line, &cut)) {
      services.Put(event->object);
    }
    auto event = sonde::kubernetes::ParseWatchEvent<Pod>(line, &cut);
    if (!event || event->object.uid.empty()) return;
    const std::string uid = event->object.uid;
    CheckPod(event->object);
    if (event->type == sonde::kubernetes::ChangeType::kDeleted) {
      table.Remove(uid, now);
    } else {
      table.Put(std::move(event->object));
      Require(table.ByUid(uid).facts != nullptr);
    }
  });
  Require(table.size() <= 4);
  table.Forget(now + std::chrono::hours(1));
  table.TakeChanged();
  return 0;
}
