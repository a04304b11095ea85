// SPDX-License-Identifier: Apache-2.0
// Pairs responses with requests (RFC 9112 9.3: in order), and refuses to where bytes were lost and
// the order proves nothing: no pair is better than a wrong one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

struct OpenExchange {
  Exchange exchange;
  bool after_hole =
      false;  // bytes were missed before the request: another request may have been among them
  bool head_method = false;
  bool connect_method = false;
  bool request_done = false;
  bool response_started = false;

  HttpExchange& http() { return std::get<HttpExchange>(exchange.detail); }
};

class Matcher {
 public:
  // More unanswered requests than this on one connection: the pairing is given up.
  static constexpr size_t kMaxOpen = 1024;

  // An empty exchange to parse a request into; stays with the matcher until Push.
  OpenExchange& Prepare();
  OpenExchange& Push();

  // What a response that begins now answers.
  enum class Verdict : uint8_t {
    kPair,    // `exchange`
    kWait,    // no request is open: one may come that was moved earlier
    kDrop,    // its request was not seen, or may not have been
    kGiveUp,  // several requests are open and something was lost: no later pair is certain either
  };
  struct Answer {
    Verdict verdict = Verdict::kDrop;
    OpenExchange* exchange = nullptr;
    size_t unanswered = 0;  // so many of the oldest requests will get no answer: close them first
  };
  // What is known of the bytes before a response.
  enum class Before : uint8_t {
    kContiguous,  // the response before this one
    kFirst,       // it is the first one seen: its request may have come before we looked
    kUnknown,     // the same, and where the stream begins is not known
    kHole,        // bytes were missed: a response may have been among them
  };
  // `missed_until_ns`: of kHole, when they were moved at the latest. `requests_missed`: bytes of
  // requests were missed since the last one that is open.
  Answer ForResponse(const Mark& first, Before before, uint64_t missed_until_ns,
                     bool requests_missed);

  // A request begins: proof of pipelining if an earlier one is open and this one came in the same
  // call.
  void NoteRequest(bool same_call) { pipelined_ = pipelined_ || (same_call && !open_.empty()); }
  // A request was closed before its answer, which may still come.
  void ExpectOrphan() { ++orphans_; }

  // Takes out the exchange at `index` (0 = oldest).
  Exchange Remove(size_t index);
  size_t IndexOf(const OpenExchange* exchange) const;

  size_t size() const { return open_.size(); }
  bool empty() const { return open_.empty(); }
  OpenExchange& at(size_t index) { return *open_[index]; }
  bool pipelined() const { return pipelined_; }
  void set_pipelined(bool value) { pipelined_ = value; }
  uint16_t orphans() const { return orphans_; }
  void set_orphans(uint16_t value) { orphans_ = value; }

 private:
  std::vector<std::unique_ptr<OpenExchange>> open_;  // oldest first
  std::unique_ptr<OpenExchange> spare_;
  bool pipelined_ = false;
  uint16_t orphans_ = 0;
};

}  // namespace sonde::protocol::http1
