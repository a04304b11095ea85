// SPDX-License-Identifier: Apache-2.0
// HTTP spans against the semantic conventions 1.45.
#include "span/span_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "unit/span/http_case.h"

namespace sonde::span {
namespace {

constexpr const char* kNone = "<none>";

TEST(SpanBuilderTest, ServerSpanHasEveryAttribute) {
  Builder b;
  HttpCase c;
  c.Request("POST", "/orders/17?color=blue&token=abc")
      .Header("host", "shop.example:8443")
      .Header("user-agent", "curl/8.1")
      .Status(201);
  c.http.request.has_body_bytes = c.http.response.has_body_bytes = true;
  c.http.request.body_bytes = 12;
  c.http.response.body_bytes = 3456;
  const Span span = b.Build(c);
  EXPECT_EQ(span.kind, SpanKind::kServer);
  EXPECT_EQ(span.name, "POST /orders/{id}");
  EXPECT_EQ(span.status, SpanStatus::kUnset);
  EXPECT_EQ(span.start_wall_ns, 1'001'000U);
  EXPECT_EQ(span.end_wall_ns, 1'003'000U);
  EXPECT_EQ(span.end_mono_ns, 3'000U);
  EXPECT_EQ(span.tgid, 42U);
  EXPECT_STREQ(span.protocol, "http1");
  std::map<std::string, std::string> attributes;
  for (const Attribute& attribute : span.attributes) {
    EXPECT_TRUE(attributes.emplace(attribute.key, Text(span, attribute.key)).second)
        << attribute.key;
  }
  const std::map<std::string, std::string> expected = {
      {"http.request.method", "POST"},
      {"url.path", "/orders/17"},
      {"url.query", "color=blue&token=REDACTED"},
      {"url.scheme", "http"},
      {"http.route", "/orders/{id}"},
      {"http.response.status_code", "201"},
      {"server.address", "shop.example"},
      {"server.port", "8443"},
      {"client.address", "10.0.0.7"},
      {"client.port", "51000"},
      {"network.peer.address", "10.0.0.7"},
      {"network.peer.port", "51000"},
      {"network.local.address", "10.0.0.1"},
      {"network.local.port", "8080"},
      {"network.protocol.version", "1.1"},
      {"user_agent.original", "curl/8.1"},
      {"http.request.body.size", "12"},
      {"http.response.body.size", "3456"},
      {"sonde.capture.source", "socket"},
  };
  EXPECT_EQ(attributes, expected);
}

TEST(SpanBuilderTest, ClientSpan) {
  Builder b;
  HttpCase c(Role::kClient);
  c.Request("GET", "/users/17?api_key=s3cret&page=2")
      .Header("host", "users.internal:9000")
      .Header("user-agent", "x");
  const Span span = b.Build(c);
  EXPECT_EQ(span.kind, SpanKind::kClient);
  EXPECT_EQ(span.name, "GET");
  EXPECT_EQ(Text(span, "url.full"), "http://users.internal:9000/users/17?api_key=REDACTED&page=2");
  EXPECT_EQ(Text(span, "server.address"), "users.internal");
  EXPECT_EQ(Text(span, "server.port"), "9000");
  EXPECT_EQ(Text(span, "network.peer.address"), "10.0.0.1");
  for (const char* key : {"url.path", "url.query", "http.route", "client.address",
                          "user_agent.original", "url.template"}) {
    EXPECT_EQ(Text(span, key), kNone) << key;
  }
}

TEST(SpanBuilderTest, Methods) {
  Builder b;
  for (const char* method :
       {"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "CONNECT"}) {
    HttpCase c;
    c.Request(method, "/a");
    const Span span = b.Build(c);
    EXPECT_EQ(Text(span, "http.request.method"), method);
    EXPECT_EQ(Text(span, "http.request.method_original"), kNone);
  }
  for (const char* method : {"get", "GeT", "PROPFIND", "foo"}) {
    HttpCase c;
    c.Request(method, "/a");
    const Span span = b.Build(c);
    EXPECT_EQ(span.name, "HTTP /a");
    EXPECT_EQ(Text(span, "http.request.method"), "_OTHER");
    EXPECT_EQ(Text(span, "http.request.method_original"), method);
  }
}

TEST(SpanBuilderTest, StatusRulesPerKind) {
  struct Row {
    Role role;
    uint32_t status;
    bool error;
  };
  for (const Row& row : {Row{Role::kServer, 200, false}, Row{Role::kServer, 302, false},
                         Row{Role::kServer, 404, false}, Row{Role::kServer, 499, false},
                         Row{Role::kServer, 500, true}, Row{Role::kServer, 599, true},
                         Row{Role::kClient, 200, false}, Row{Role::kClient, 304, false},
                         Row{Role::kClient, 400, true}, Row{Role::kClient, 404, true},
                         Row{Role::kClient, 503, true}, Row{Role::kServer, 101, false}}) {
    Builder b;
    HttpCase c(row.role);
    c.Status(row.status);
    const Span span = b.Build(c);
    EXPECT_EQ(span.status, row.error ? SpanStatus::kError : SpanStatus::kUnset) << row.status;
    EXPECT_EQ(Text(span, "error.type"), row.error ? std::to_string(row.status) : kNone);
    EXPECT_EQ(Text(span, "http.response.status_code"), std::to_string(row.status));
    EXPECT_EQ(span.status_message, "");
  }
}

TEST(SpanBuilderTest, Unfinished) {
  struct Row {
    Unfinished why;
    const char* text;
    const char* error;
  };
  for (const Row& row :
       {Row{Unfinished::kConnectionClosed, "connection_closed", "connection_closed"},
        Row{Unfinished::kShutdown, "shutdown", kNone},
        Row{Unfinished::kTimeout, "timeout", kNone}}) {
    Builder b;
    HttpCase c;
    c.exchange.unfinished = row.why;
    c.exchange.response = {};
    c.http.response = {};
    const Span span = b.Build(c);
    EXPECT_EQ(Text(span, "sonde.unfinished"), row.text);
    EXPECT_EQ(Text(span, "error.type"), row.error);
    EXPECT_EQ(span.status == SpanStatus::kError, std::string(row.error) != kNone);
    EXPECT_EQ(Text(span, "http.response.status_code"), kNone);
    EXPECT_EQ(span.end_mono_ns, 1'500U);
  }
  Builder b;
  HttpCase c;
  c.Status(500);
  c.exchange.unfinished = Unfinished::kConnectionClosed;
  EXPECT_EQ(Text(b.Build(c), "error.type"), "500");
}

TEST(SpanBuilderTest, TruncatedInWords) {
  Builder b;
  HttpCase c;
  c.exchange.truncated = kTruncatedRequestHead | kTruncatedResponseBody;
  EXPECT_EQ(Text(b.Build(c), "sonde.capture.truncated"), "request_head,response_body");
  HttpCase unseen;
  unseen.exchange.request = {};
  unseen.http.request = {};
  unseen.exchange.truncated = kTruncatedRequestUnseen;
  const Span span = b.Build(unseen);
  EXPECT_EQ(Text(span, "sonde.capture.truncated"), "request");
  EXPECT_EQ(span.name, "HTTP");
  EXPECT_EQ(Text(span, "http.request.method"), "_OTHER");
  EXPECT_EQ(Text(span, "http.request.method_original"), kNone);
  EXPECT_EQ(Text(span, "http.response.status_code"), "200");
  EXPECT_EQ(span.start_wall_ns, 1'002'000U);
}

TEST(SpanBuilderTest, ServerAddressSources) {
  using Headers = std::vector<std::pair<const char*, const char*>>;
  struct Row {
    const char* target;
    Headers headers;
    const char* address;
    const char* port;
    const char* scheme;
  };
  const std::vector<Row> rows = {
      {"/", {{"host", "a.example"}}, "a.example", "80", "http"},
      {"/", {{"host", "a.example:81"}}, "a.example", "81", "http"},
      {"/", {{"host", "[::1]:81"}}, "::1", "81", "http"},
      {"/", {{"host", "[2001:db8::1]"}}, "2001:db8::1", "80", "http"},
      {"/", {}, "10.0.0.1", "8080", "http"},
      {"/", {{"host", ""}}, "10.0.0.1", "8080", "http"},
      {"/", {{"host", "a:99999"}}, "a", "80", "http"},
      {"http://b.example:82/x", {{"host", "a.example"}}, "b.example", "82", "http"},
      {"https://b.example", {}, "b.example", "443", "https"},
      {"/", {{"host", "a"}, {"x-forwarded-host", "c.example, d"}}, "c.example", "80", "http"},
      {"/",
       {{"host", "a"}, {"x-forwarded-host", "c"}, {"x-forwarded-proto", "https"}},
       "c",
       "443",
       "https"},
      {"/",
       {{"host", "a"}, {"forwarded", "for=1.2.3.4;host=\"e:83\";proto=https"}},
       "e",
       "83",
       "https"},
      {"/", {{"forwarded", "Host=e , host=f"}, {"x-forwarded-host", "c"}}, "e", "80", "http"},
  };
  for (const Row& row : rows) {
    Builder b;
    HttpCase c;
    c.Request("GET", row.target);
    for (const auto& [name, value] : row.headers) c.Header(name, value);
    const Span span = b.Build(c);
    EXPECT_EQ(Text(span, "server.address"), row.address) << row.target;
    EXPECT_EQ(Text(span, "server.port"), row.port) << row.target;
    EXPECT_EQ(Text(span, "url.scheme"), row.scheme) << row.target;
  }
}

TEST(SpanBuilderTest, ClientAddressSources) {
  using Row = std::tuple<const char*, const char*, const char*, const char*>;
  for (const auto& [name, value, address, port] :
       {Row{"x-forwarded-for", "1.2.3.4, 5.6.7.8", "1.2.3.4", kNone},
        Row{"x-forwarded-for", "1.2.3.4:99", "1.2.3.4", "99"},
        Row{"x-forwarded-for", "2001:db8::7", "2001:db8::7", kNone},
        Row{"forwarded", "for=\"[2001:db8::7]:47\"", "2001:db8::7", "47"},
        Row{"forwarded", "by=x; for=9.9.9.9 , for=8.8.8.8", "9.9.9.9", kNone},
        Row{"forwarded", "for=_hidden", "10.0.0.7", "51000"},
        Row{"forwarded", "for=unknown", "10.0.0.7", "51000"},
        Row{"forwarded", ";;=,", "10.0.0.7", "51000"},
        Row{"x-forwarded-for", "", "10.0.0.7", "51000"}}) {
    Builder b;
    HttpCase c;
    c.Header(name, value);
    const Span span = b.Build(c);
    EXPECT_EQ(Text(span, "client.address"), address) << value;
    EXPECT_EQ(Text(span, "client.port"), port) << value;
    EXPECT_EQ(Text(span, "network.peer.address"), "10.0.0.7");
  }
}

TEST(SpanBuilderTest, UrlFullForms) {
  using Row = std::tuple<const char*, const char*, const char*, const char*>;
  for (const auto& [method, target, host, url] :
       {Row{"GET", "/a?b=c", "h", "http://h/a?b=c"}, Row{"GET", "/", "", "http://10.0.0.1:8080/"},
        Row{"GET", "http://u:p@x:8/y?sig=1", "h", "http://REDACTED:REDACTED@x:8/y?sig=REDACTED"},
        Row{"GET", "https://x", "h", "https://x/"}, Row{"OPTIONS", "*", "h", "http://h"},
        Row{"CONNECT", "x:443", "x:443", "//x:443"}, Row{"GET", "odd", "h", "http://h/odd"},
        Row{"GET", "/a?", "h", "http://h/a?"}}) {
    Builder b;
    HttpCase c(Role::kClient);
    c.Request(method, target);
    if (*host != 0) c.Header("host", host);
    EXPECT_EQ(Text(b.Build(c), "url.full"), url) << target;
  }
}

TEST(SpanBuilderTest, UnixSocket) {
  Builder b;
  HttpCase c;
  c.connection.transport = Transport::kUnix;
  c.connection.local = {.family = 1, .port = 0, .address = {}, .path = "/run/app.sock"};
  c.connection.remote = {.family = 1, .port = 0, .address = {}, .path = ""};
  const Span span = b.Build(c);
  EXPECT_EQ(Text(span, "network.transport"), "unix");
  EXPECT_EQ(Text(span, "network.local.address"), "/run/app.sock");
  EXPECT_EQ(Text(span, "network.peer.address"), kNone);
  EXPECT_EQ(Text(span, "server.address"), "/run/app.sock");
  EXPECT_EQ(Text(span, "server.port"), kNone);
  EXPECT_EQ(Text(span, "client.address"), kNone);
}

TEST(SpanBuilderTest, QueryRedaction) {
  Builder b({}, {.request_headers = {}, .response_headers = {}, .query_keys = {"birthday"}});
  using Row = std::pair<const char*, const char*>;
  for (const auto& [query, redacted] :
       {Row{"AWSAccessKeyId=A&Signature=B&sig=C&X-Goog-Signature=D",
            "AWSAccessKeyId=REDACTED&Signature=REDACTED&sig=REDACTED&X-Goog-Signature=REDACTED"},
        Row{"PASSWORD=x&Access_Token=y", "PASSWORD=REDACTED&Access_Token=REDACTED"},
        Row{"%74oken=x", "%74oken=REDACTED"},
        Row{"tokens=3&keyboard=de&author=me", "tokens=3&keyboard=de&author=me"},
        Row{"birthday=1", "birthday=REDACTED"}, Row{"token", "token"},
        Row{"token=", "token=REDACTED"}, Row{"a=1;pwd=x;b=2", "a=1;pwd=REDACTED;b=2"},
        Row{"&&=&a", "&&=&a"}, Row{"code=a%26b=c", "code=REDACTED"},
        Row{"q=a=token=b", "q=a=token=b"}}) {
    HttpCase c;
    c.Request("GET", std::string("/?") + query);
    EXPECT_EQ(Text(b.Build(c), "url.query"), redacted);
  }
  HttpCase empty;
  empty.Request("GET", "/?");
  EXPECT_EQ(Text(b.Build(empty), "url.query"), "");
  HttpCase none;
  EXPECT_EQ(Text(b.Build(none), "url.query"), kNone);
}

TEST(SpanBuilderTest, HeadersOnlyFromTheAllowList) {
  Builder b({}, {.request_headers = {"X-Tenant", "accept"},
                 .response_headers = {"x-cache"},
                 .query_keys = {}});
  HttpCase c;
  c.Header("x-tenant", "a")
      .Header("accept", "text/html")
      .Header("accept", "*/*")
      .Header("cookie", "s=1");
  c.http.response.headers = {{"x-cache", "HIT"}, {"set-cookie", "s=2"}};
  const Span span = b.Build(c);
  EXPECT_EQ(Text(span, "http.request.header.x-tenant"), "a");
  EXPECT_EQ(Text(span, "http.request.header.accept"), "text/html|*/*");
  EXPECT_EQ(Text(span, "http.response.header.x-cache"), "HIT");
  EXPECT_EQ(Text(span, "http.request.header.cookie"), kNone);
  EXPECT_EQ(Text(span, "http.response.header.set-cookie"), kNone);
}

TEST(SpanBuilderTest, RuleHasItsOwnAllowList) {
  Builder b({}, {.request_headers = {"x-tenant"}, .response_headers = {}, .query_keys = {"who"}});
  const auto other = std::make_shared<const RuleSettings>(RuleSettings{
      .service_name = "",
      .redaction = RedactionOptions{
          .request_headers = {"accept"}, .response_headers = {"x-cache"}, .query_keys = {}}});
  const auto silent = std::make_shared<const RuleSettings>(RuleSettings{.service_name = "named"});
  HttpCase c;
  c.Request("GET", "/?who=me").Header("x-tenant", "a").Header("accept", "text/html");
  c.http.response.headers = {{"x-cache", "HIT"}};
  for (const auto& rule : {std::shared_ptr<const RuleSettings>(), silent}) {
    const Span span = b.Build(c, "shop", rule);
    EXPECT_EQ(Text(span, "http.request.header.x-tenant"), "a");
    EXPECT_EQ(Text(span, "http.request.header.accept"), kNone);
    EXPECT_EQ(Text(span, "http.response.header.x-cache"), kNone);
    EXPECT_EQ(Text(span, "url.query"), "who=REDACTED");
  }
  const Span span = b.Build(c, "shop", other);
  EXPECT_EQ(Text(span, "http.request.header.x-tenant"), kNone);
  EXPECT_EQ(Text(span, "http.request.header.accept"), "text/html");
  EXPECT_EQ(Text(span, "http.response.header.x-cache"), "HIT");
  EXPECT_EQ(Text(span, "url.query"), "who=me");
}

TEST(SpanBuilderTest, KeysOutliveTheBuilder) {
  Span span;
  {
    Builder b({}, {.request_headers = {"x-tenant"}, .response_headers = {}, .query_keys = {}});
    HttpCase c;
    c.Header("x-tenant", "a");
    span = b.Build(c);
  }
  EXPECT_EQ(Text(span, "http.request.header.x-tenant"), "a");
}

TEST(SpanBuilderTest, Limits) {
  Builder b({}, {}, {.value_length = 8, .count = 5});
  HttpCase c;
  c.Request("GET", "/aaaaaaaaaaaaaaaaaaaa").Header("host", "ää.example-host");
  const Span span = b.Build(c);
  EXPECT_EQ(span.attributes.size(), 5U);
  EXPECT_EQ(Text(span, "http.request.method"), "GET");
  EXPECT_EQ(Text(span, "url.path"), "/aaaaaaa");
  EXPECT_EQ(Text(span, "server.address"), "ää.examp");
}

TEST(SpanBuilderTest, HostileBytesBecomeValidText) {
  Builder b;
  HttpCase c;
  c.Request("G\xFFT", "/\xC3\x28/\xF0\x9F\x92\xA9?\xFF=\x80")
      .Header("host", "\xE2\x28\xA1")
      .Header("user-agent", "\xC3\xA4\xED\xA0\x80");
  const Span span = b.Build(c);
  EXPECT_EQ(Text(span, "http.request.method_original"), "G\xEF\xBF\xBDT");
  EXPECT_EQ(Text(span, "url.path"), "/\xEF\xBF\xBD(/\xF0\x9F\x92\xA9");
  EXPECT_EQ(Text(span, "url.query"), "\xEF\xBF\xBD=\xEF\xBF\xBD");
  EXPECT_EQ(Text(span, "user_agent.original"), "\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(SpanBuilderTest, OtherProtocolsHaveAName) {
  Builder b;
  HttpCase c;
  Exchange exchange = c.Make();
  exchange.detail = std::monostate{};
  exchange.protocol = "echo";
  const Span span = b.builder->Build(exchange, {}, WallClock(0));
  EXPECT_EQ(span.name, "echo");
}

}  // namespace
}  // namespace sonde::span
