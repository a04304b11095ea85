// SPDX-License-Identifier: Apache-2.0
#include "protocol/http1/parse.h"

#include <absl/strings/ascii.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/common/text.h"
#include "protocol/http1/types.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {
namespace {

// A request is told by these before its line is complete; other tokens need the whole line.
constexpr std::string_view kMethods[] = {"GET",      "POST",      "HEAD",    "PUT",   "DELETE",
                                         "OPTIONS",  "PATCH",     "CONNECT", "TRACE", "MKCOL",
                                         "PROPFIND", "PROPPATCH", "COPY",    "MOVE",  "LOCK",
                                         "UNLOCK",   "REPORT",    "SEARCH",  "PURGE", "QUERY"};
constexpr size_t kMaxMethod = 32;
constexpr size_t kMaxRequestLine = 8192;  // as detected; a parsed one may be as long as the head
constexpr std::string_view kVersion = "HTTP/1.";

size_t Find(std::string_view text, char c, size_t from) {
  if (from >= text.size()) return std::string_view::npos;
  const void* at = std::memchr(text.data() + from, c, text.size() - from);
  return at == nullptr ? std::string_view::npos
                       : static_cast<size_t>(static_cast<const char*>(at) - text.data());
}

// Methods are case-sensitive and in capitals wherever they are in use.
bool IsMethodChar(char c) { return IsUpper(c) || IsDigit(c) || c == '-' || c == '_'; }

struct RequestLine {
  std::string_view method;
  std::string_view target;
  std::string_view version;  // "1.1"
};

// Several blanks are taken as one, and the target may hold any byte: the line is read from both
// ends.
bool SplitRequestLine(std::string_view line, RequestLine& out) {
  size_t end = 0;
  while (end < line.size() && end <= kMaxMethod && IsToken(line[end])) ++end;
  if (end == 0 || end > kMaxMethod || end >= line.size() || !IsBlank(line[end])) return false;
  out.method = line.substr(0, end);
  const std::string_view rest = TrimBlanks(line.substr(end));
  const size_t version = rest.rfind(kVersion);
  if (version == std::string_view::npos || version == 0 || !IsBlank(rest[version - 1]))
    return false;
  out.version = rest.substr(version + kVersion.size() - 2);
  if (out.version.size() != 3 || !IsDigit(out.version[2])) return false;
  out.target = TrimBlanks(rest.substr(0, version));
  return !out.target.empty();
}

bool SplitStatusLine(std::string_view line, HttpResponse& out) {
  const uint32_t status = PeekStatus(line);
  if (status == 0) return false;
  out.status = status;
  out.version.assign(line.substr(5, 3));
  return true;
}

void NoteLength(std::string_view value, BodyFacts& body) {
  // A list of equal values is what a careless intermediary makes of duplicates (RFC 9110 8.6).
  while (true) {
    const size_t comma = value.find(',');
    const auto length = ParseNumber(TrimBlanks(value.substr(0, comma)));
    if (!length || *length > INT64_MAX || (body.has_length && body.length != *length))
      body.bad_length = true;
    body.has_length = true;
    body.length = length.value_or(0);
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

void NoteCoding(std::string_view value, BodyFacts& body) {
  body.has_coding = true;
  const size_t comma = value.rfind(',');
  const std::string_view last =
      TrimBlanks(comma == std::string_view::npos ? value : value.substr(comma + 1));
  body.chunked = EqualsIgnoringCase(last, "chunked");
}

void NoteField(std::string_view name, std::string_view value, BodyFacts& body) {
  if (name.size() == 14 && name == "content-length") {
    NoteLength(value, body);
  } else if (name.size() == 17 && name == "transfer-encoding") {
    NoteCoding(value, body);
  }
}

// Lines of a head one after the other; a line that was cut off is none.
class Lines {
 public:
  Lines(std::string_view head, bool complete) : rest_(head), complete_(complete) {}

  bool Next(std::string_view& line) {
    const size_t end = Find(rest_, '\n', 0);
    if (end == std::string_view::npos) {
      line = WithoutCr(rest_);
      const bool has = complete_ && !rest_.empty();
      rest_ = {};
      return has;
    }
    line = WithoutCr(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return true;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool complete_;
};

size_t CountLines(std::string_view text) {
  size_t count = 0;
  for (size_t at = Find(text, '\n', 0); at != std::string_view::npos; at = Find(text, '\n', at + 1))
    ++count;
  return count;
}

void LowerInto(std::string_view text, std::string& out) {
  out.assign(text);
  absl::AsciiStrToLower(&out);
}

// RFC 9112 5.2: a line that begins with white space continues the value before it.
void Unfold(std::string_view line, std::vector<HttpHeader>& headers) {
  if (headers.empty()) return;
  std::string& value = headers.back().value;
  if (!value.empty()) value += ' ';
  value += TrimBlanks(line);
}

void ParseFields(Lines& lines, std::vector<HttpHeader>& headers, HeadResult& result) {
  headers.reserve(std::min(kMaxHeaders, CountLines(lines.rest())));
  std::string_view line;
  std::string spare;
  bool kept = true;
  while (lines.Next(line)) {
    if (line.empty()) break;
    if (IsBlank(line.front())) {
      if (kept) Unfold(line, headers);
      continue;
    }
    const size_t colon = Find(line, ':', 0);
    if (colon == std::string_view::npos) continue;
    const std::string_view name = TrimBlanks(line.substr(0, colon));
    const std::string_view value = TrimBlanks(line.substr(colon + 1));
    kept = headers.size() < kMaxHeaders;
    if (kept) {
      HttpHeader& header = headers.emplace_back();
      LowerInto(name, header.name);
      header.value.assign(value);
      NoteField(header.name, value, result.body);
    } else {
      result.truncated = true;
      LowerInto(name, spare);
      NoteField(spare, value, result.body);
    }
  }
}

}  // namespace

size_t EmptyLines(std::string_view bytes) {
  size_t passed = 0;
  while (passed < bytes.size()) {
    if (bytes[passed] == '\n') {
      ++passed;
    } else if (bytes[passed] == '\r' && passed + 1 < bytes.size() && bytes[passed + 1] == '\n') {
      passed += 2;
    } else {
      break;
    }
  }
  return passed;
}

Detection LooksLikeRequest(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, kMaxRequestLine);
  size_t token = 0;
  while (token < line.size() && token <= kMaxMethod && IsMethodChar(line[token])) ++token;
  if (token == 0 || token > kMaxMethod) return Detection::kNo;
  size_t target = token;
  while (target < line.size() && IsBlank(line[target])) ++target;
  if (target == line.size()) return Detection::kNeedMore;
  if (target == token) return Detection::kNo;
  const std::string_view method = line.substr(0, token);
  const std::string_view rest = line.substr(target);
  const bool known = std::ranges::find(kMethods, method) != std::end(kMethods);
  if (known && (rest[0] == '/' || rest.starts_with("http://") || rest.starts_with("https://"))) {
    return Detection::kYes;
  }
  // RFC 9112 3.2: origin, asterisk and absolute form; the authority form is CONNECT's.
  const bool possible =
      rest[0] == '/' || rest[0] == '*' || rest[0] == 'h' || rest[0] == 'H' || method == "CONNECT";
  if (!possible) return Detection::kNo;
  const size_t end = Find(line, '\n', target);
  if (end == std::string_view::npos) {
    return line.size() < kMaxRequestLine ? Detection::kNeedMore : Detection::kNo;
  }
  RequestLine parts;
  return SplitRequestLine(WithoutCr(line.substr(0, end)), parts) ? Detection::kYes : Detection::kNo;
}

Detection LooksLikeResponse(std::string_view bytes) {
  const size_t common = std::min(bytes.size(), kVersion.size());
  if (bytes.substr(0, common) != kVersion.substr(0, common)) return Detection::kNo;
  if (bytes.size() < 12) return Detection::kNeedMore;
  return PeekStatus(bytes) != 0 ? Detection::kYes : Detection::kNo;
}

uint32_t PeekStatus(std::string_view bytes) {
  // "HTTP/1.1 200", then the end, a blank and a reason, or a line end.
  if (bytes.size() < 12 || !bytes.starts_with(kVersion) || !IsDigit(bytes[7]) || !IsBlank(bytes[8]))
    return 0;
  if (bytes.size() > 12 && IsDigit(bytes[12])) return 0;
  const auto status = ParseNumber(bytes.substr(9, 3));
  return status && *status >= 100 ? static_cast<uint32_t>(*status) : 0;
}

size_t FindHeadEnd(std::string_view bytes, size_t& scanned) {
  while (true) {
    const size_t newline = Find(bytes, '\n', scanned);
    if (newline == std::string_view::npos) {
      scanned = bytes.size();
      return 0;
    }
    const size_t next = newline + 1;
    if (next >= bytes.size() || (bytes[next] == '\r' && next + 1 >= bytes.size())) {
      scanned = newline;  // what follows decides
      return 0;
    }
    if (bytes[next] == '\n') return next + 1;
    if (bytes[next] == '\r' && bytes[next + 1] == '\n') return next + 2;
    scanned = next;
  }
}

HeadResult ParseRequestHead(std::string_view head, bool complete, HttpRequest& request) {
  HeadResult result{.valid = false, .truncated = !complete, .body = {}};
  Lines lines(head, complete);
  std::string_view line;
  RequestLine parts;
  if (!lines.Next(line) || !SplitRequestLine(line, parts)) return result;
  result.valid = true;
  request.method.assign(parts.method);
  request.target.assign(parts.target);
  request.version.assign(parts.version);
  ParseFields(lines, request.headers, result);
  return result;
}

HeadResult ParseResponseHead(std::string_view head, bool complete, HttpResponse& response) {
  HeadResult result{.valid = false, .truncated = !complete, .body = {}};
  Lines lines(head, complete);
  std::string_view line;
  if (!lines.Next(line) || !SplitStatusLine(line, response)) return result;
  result.valid = true;
  ParseFields(lines, response.headers, result);
  return result;
}

Framing RequestFraming(const BodyFacts& body) {
  // RFC 9112 6.3, 4: a request whose last coding is not chunked has no length that can be known.
  if (body.has_coding) return body.chunked ? Framing::kChunked : Framing::kUnknown;
  if (!body.has_length) return Framing::kNone;
  if (body.bad_length) return Framing::kUnknown;
  return body.length == 0 ? Framing::kNone : Framing::kLength;
}

Framing ResponseFraming(const BodyFacts& body, uint32_t status, bool head_method) {
  if (head_method || status < 200 || status == 204 || status == 304) return Framing::kNone;
  if (body.has_coding) return body.chunked ? Framing::kChunked : Framing::kUntilClose;
  if (!body.has_length) return Framing::kUntilClose;
  if (body.bad_length) return Framing::kUnknown;
  return body.length == 0 ? Framing::kNone : Framing::kLength;
}

}  // namespace sonde::protocol::http1
