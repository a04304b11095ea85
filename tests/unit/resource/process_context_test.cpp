// SPDX-License-Identifier: Apache-2.0
// What an application publishes in a mapping called OTEL_CTX: read from a real one, this test's
// own.
#include "resource/process_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opentelemetry/proto/resource/v1/resource.pb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {
namespace {

using testing::IsEmpty;

constexpr uint64_t kSecond = 1'000'000'000;

std::string Tagged(std::string_view bytes) {  // a message as field 1
  std::string text(1, '\x0a');
  for (size_t size = bytes.size(); true; size >>= 7U) {
    text += static_cast<char>(size > 127 ? (size & 127U) | 128U : size);
    if (size <= 127) break;
  }
  return text.append(bytes);
}

std::string Payload(const std::string& name, bool wrapped = true) {
  opentelemetry::proto::resource::v1::Resource resource;
  const auto add = [&](const char* key) {
    auto* attribute = resource.add_attributes();
    attribute->set_key(key);
    return attribute->mutable_value();
  };
  add("service.name")->set_string_value(name);
  add("service.instance.id")->set_string_value("instance-7");
  add("process.pid")->set_int_value(1);
  add("shop.floor")->set_int_value(3);
  add("shop.open")->set_bool_value(true);
  add("shop.share")->set_double_value(0.5);
  add("shop.tags")->mutable_array_value()->add_values()->set_string_value("a");
  add("shop.nested")->mutable_kvlist_value();
  const std::string bytes = resource.SerializeAsString();
  return wrapped ? Tagged(bytes) : bytes;
}

// As the OTEP's protocol writes it.
class Published {
 public:
  explicit Published(std::string payload, uint32_t version = 2) {
    const int fd = memfd_create("OTEL_CTX", MFD_CLOEXEC);
    EXPECT_EQ(ftruncate(fd, 4096), 0);
    memory_ = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    std::memcpy(memory_, "OTEL_CTX", 8);
    Put(8, version);
    Update(std::move(payload));
  }
  ~Published() { munmap(memory_, 4096); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  void Update(std::string payload) {
    payload_ = std::move(payload);
    Put(12, static_cast<uint32_t>(payload_.size()));
    Put(24, reinterpret_cast<uint64_t>(payload_.data()));
    Put(16, ++time_);
  }
  template <typename T>
  void Put(size_t at, T value) {
    std::memcpy(static_cast<char*>(memory_) + at, &value, sizeof(value));
  }

 private:
  void* memory_ = nullptr;
  std::string payload_;
  uint64_t time_ = 1;
};

ProcessContext Own(bool* malformed) {
  return ReadProcessContext("/proc", static_cast<uint32_t>(getpid()), malformed);
}

std::string Name(const ProcessContext& context) {
  return context.empty() ? "(none)" : std::get<std::string>(context.front().second);
}

TEST(ProcessContextTest, ReadsBothFormsOfThePayload) {
  bool malformed = false;
  EXPECT_THAT(Own(&malformed), IsEmpty()) << "nothing is published";
  for (const bool wrapped : {true, false}) {
    const Published published(Payload("shop", wrapped));
    const ProcessContext context = Own(&malformed);
    ASSERT_EQ(context.size(), 7U) << "a map is no value that is known";
    EXPECT_EQ(Name(context), "shop");
    EXPECT_EQ(std::get<int64_t>(context[3].second), 3);
    EXPECT_EQ(std::get<bool>(context[4].second), true);
    EXPECT_EQ(std::get<double>(context[5].second), 0.5);
  }
  EXPECT_FALSE(malformed);
}

TEST(ProcessContextTest, WhatIsNotReadyIsNoMistake) {
  bool malformed = false;
  Published published(Payload("shop"));
  published.Put(16, uint64_t{0});
  EXPECT_THAT(Own(&malformed), IsEmpty()) << "being changed";
  published.Put(16, uint64_t{9});
  published.Put(0, 'X');
  EXPECT_THAT(Own(&malformed), IsEmpty()) << "no signature yet";
  EXPECT_FALSE(malformed);
}

TEST(ProcessContextTest, HostileHeadersAreCounted) {
  const auto check = [](auto spoil) {
    Published published(Payload("shop"));
    spoil(published);
    bool malformed = false;
    EXPECT_THAT(Own(&malformed), IsEmpty());
    return malformed;
  };
  EXPECT_TRUE(check([](Published& p) { p.Put(8, uint32_t{3}); })) << "a version of the future";
  EXPECT_TRUE(check([](Published& p) { p.Put(12, uint32_t{1U << 30}); }));
  EXPECT_TRUE(check([](Published& p) { p.Put(24, uint64_t{16}); }));
  EXPECT_TRUE(check([](Published& p) { p.Put(24, UINT64_MAX); }));
  EXPECT_TRUE(check([](Published& p) { p.Update("not protobuf"); }));
}

TEST(ProcessContextTest, ItIsStrongerThanAllElseAndIsReadAgain) {
  MetricRegistry metrics;
  auto made = ResourceStage::Create({.service_name = "flag", .attributes = {{"shop.floor", "1"}}},
                                    ProcessReader("/proc"), metrics);
  ASSERT_TRUE(made.ok());
  ResourceStage& stage = **made;
  const auto pid = static_cast<uint32_t>(getpid());
  const auto before = stage.ForProcess(pid);
  EXPECT_EQ(before->service_name, "flag");
  Published published(Payload("shop"));
  stage.OnTick(kSecond);
  EXPECT_EQ(stage.ForProcess(pid)->service_name, "flag") << "not looked for at every span";
  stage.OnTick(3 * kSecond);
  const auto resource = stage.ForProcess(pid);
  EXPECT_EQ(resource->service_name, "shop");
  const auto text = [&](std::string_view key) {
    const AttributeValue* value = FindAttribute(resource->attributes, key);
    const auto* string = value == nullptr ? nullptr : std::get_if<std::string>(value);
    return string == nullptr ? "(none)" : *string;
  };
  EXPECT_EQ(text("service.name"), "shop");
  EXPECT_EQ(text("service.instance.id"), "instance-7");
  const AttributeValue* floor = FindAttribute(resource->attributes, "shop.floor");
  ASSERT_NE(floor, nullptr);
  EXPECT_EQ(std::get<int64_t>(*floor), 3);
  EXPECT_EQ(std::get<int64_t>(*FindAttribute(resource->attributes, "process.pid")), pid);
  EXPECT_EQ(stage.Latest(pid, before), resource) << "spans that still wait get it too";
  published.Update(Payload("renamed"));
  stage.OnTick(14 * kSecond);
  EXPECT_EQ(stage.ForProcess(pid)->service_name, "renamed");
}

}  // namespace
}  // namespace sonde::resource
