// SPDX-License-Identifier: Apache-2.0
// What the protocol stage gives to the span and trace stages: one request and its response, paired.
// Everything is in the words of the wire; naming, redaction and semantic conventions are the span
// stage's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sonde/pipeline/event.h"

namespace sonde {

// Number of an exchange, unique in this run of sonde, never 0, in order of request starts.
using ExchangeId = uint64_t;

enum class Role : uint8_t { kServer, kClient };

// What is known of a connection for as long as it lives; owned by the connection stage.
struct ConnectionInfo {
  ConnectionId id = 0;
  ConnectionId peer = 0;
  uint64_t netns = 0;
  Transport transport = Transport::kTcp;
  bool plain_text = false;
  bool wire = false;
  Endpoint local;
  Endpoint remote;
};

// When, where and by whom a message was moved. Positions are the raw ones of DataEvent, so that
// both ends of a TCP connection name a message by the same number.
struct MessageSpan {
  bool seen = false;            // false: nothing of this message was seen; the rest is then zero
  uint64_t first_mono_ns = 0;   // call that moved the first byte
  uint64_t last_mono_ns = 0;    // call that moved the last byte seen
  uint64_t first_position = 0;  // raw position of the first byte
  Execution first_by;           // who moved the first byte
  Execution last_by;            // who moved the last byte of the head
  uint64_t wire_bytes = 0;      // head and body as they crossed the connection, as far as seen
};

// Header names are lower-cased by the parser, values trimmed of optional white space; order and
// duplicates kept.
struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;   // as sent
  std::string target;   // request-target as sent: origin, absolute, authority or asterisk form
  std::string version;  // "1.0", "1.1", "2"
  std::vector<HttpHeader> headers;
  bool has_body_bytes = false;
  uint64_t body_bytes = 0;  // payload without transfer coding; valid if has_body_bytes
};

struct HttpResponse {
  uint32_t status = 0;
  std::string version;
  std::vector<HttpHeader> headers;
  std::vector<HttpHeader> trailers;  // HTTP/2
  bool has_body_bytes = false;
  uint64_t body_bytes = 0;
};

struct HttpExchange {
  HttpRequest request;
  HttpResponse response;    // final one; interim 1xx answers are not kept. Meaningful if
                            // Exchange::response.seen
  bool reset = false;       // HTTP/2: the stream was cancelled, by either side
  uint32_t reset_code = 0;  // error code of RFC 9113 7; kResetUnknown: not captured
};
constexpr uint32_t kResetUnknown = UINT32_MAX;

// Messages of one direction of a call: how many, and their bytes as sent, without framing.
struct RpcMessages {
  uint64_t count = 0;
  uint64_t bytes = 0;
  friend bool operator==(const RpcMessages&, const RpcMessages&) = default;
};

// A remote procedure call, and the HTTP exchange that carries it (gRPC).
struct RpcExchange {
  HttpExchange http;
  std::string method;  // "package.Service/Method"; empty if not known
  bool has_status = false;
  uint32_t status = 0;      // code of gRPC
  std::string message;      // of the status, decoded
  uint64_t timeout_ns = 0;  // deadline the client asked for; 0 = none
  // Nothing where the beginning of a message was not captured.
  std::optional<RpcMessages> request_messages;
  std::optional<RpcMessages> response_messages;
};

// Why an exchange ended without its proper end; exported as sonde.unfinished.
enum class Unfinished : uint8_t { kNo, kConnectionClosed, kShutdown, kTimeout };

// What was not fully seen; exported as sonde.capture.truncated. Bits may be combined.
enum Truncated : uint32_t {
  kTruncatedNothing = 0,
  kTruncatedRequestHead = 1,  // the head exceeded the limit or had a hole
  kTruncatedResponseHead = 2,
  kTruncatedRequestBody = 4,  // body framing was lost: sizes and end are estimates and left out
  kTruncatedResponseBody = 8,
  kTruncatedRequestUnseen = 16,   // response without its request
  kTruncatedResponseUnseen = 32,  // the next message came before a response was seen
};

struct Exchange {
  ExchangeId id = 0;
  const char* protocol = "";  // parser's registered name: "http1"
  Role role = Role::kServer;
  const ConnectionInfo* connection = nullptr;  // valid during the call only
  Source source = Source::kSocket;
  MessageSpan request;
  MessageSpan response;
  Unfinished unfinished = Unfinished::kNo;
  uint32_t truncated = kTruncatedNothing;  // bits of Truncated
  std::variant<std::monostate, HttpExchange, RpcExchange> detail;

  // The HTTP messages of the exchange, null if there are none.
  const HttpExchange* http() const {
    if (const auto* rpc = std::get_if<RpcExchange>(&detail)) return &rpc->http;
    return std::get_if<HttpExchange>(&detail);
  }

  // The process the exchange belongs to: who read (server) or wrote (client) the request, else the
  // response.
  uint32_t tgid() const { return request.seen ? request.first_by.tgid : response.first_by.tgid; }
};

// Said as soon as a request's head is understood, before anything can follow from it. `detail`
// holds the request.
struct RequestStart {
  ExchangeId id = 0;
  Role role = Role::kServer;
  const ConnectionInfo* connection = nullptr;
  MessageSpan request;                // last_* as far as known
  const HttpRequest* http = nullptr;  // null for other protocols; valid during the call
  // HTTP/2: number of its stream. 0: the connection carries one exchange at a time.
  uint32_t stream = 0;
};

// Receives what the protocol stage finds, on the drain thread. For an id: OnRequestStart, at most
// one OnResponseStart, then exactly one OnExchange. A response whose request was not seen gives
// OnExchange alone.
class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  virtual void OnRequestStart(const RequestStart& start) = 0;
  // First byte of the final response. `response.first_*` are set.
  virtual void OnResponseStart(ExchangeId id, const MessageSpan& response) = 0;
  virtual void OnExchange(const Exchange& exchange) = 0;
};

}  // namespace sonde
